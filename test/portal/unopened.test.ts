/** Records in the store that do not open take away no page, and not the way to be rid of them. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { sealed } from '../../src/store/sealed.ts'
import { open, person } from './open.ts'
import { headingOf, press, textOf } from './page-reader.ts'
import { follow } from './portal-world.ts'

const JUNK = Buffer.from('sealed with a key that is gone')

test('a connection that does not open wants consent again, can be taken back, and hides no other', async () => {
  const world = await open()
  const bob = await world.signIn('bob')
  const { id } = await person(world, 'bob')
  for (const server of ['dev/notes', 'old/gone']) {
    await world.store.put({ space: 'connections', owner: id, id: server }, JUNK, { ifVersion: null })
  }
  const page = textOf(await bob.load(world.page()))
  expect(page).toContain('Notes dev/notes My account Needs your consent again')
  expect(page).toContain('Other connections of yours')
  expect(textOf(await bob.load(world.page('/virtual')))).toContain('1 of 2 to connect')
  for (const server of ['dev/notes', 'old/gone']) {
    const question = await bob.load(world.page(`/servers/${server}/revoke`))
    expect(headingOf(question)).toMatch(/^Revoke the connection to (Notes|old\/gone)\?$/)
    expect((await bob.submit(question, {})).status).toBe(200)
  }
  expect(await world.gateway.connections.list(await person(world, 'bob'))).toEqual([])
  const consent = await press(bob, await bob.load(world.page()), /\/dev\/notes\/connect$/)
  const after = await follow(bob, await bob.submit(consent, {}), 'bob')
  expect(textOf(after)).toContain('Notes dev/notes My account Connected')
})

test('administrators see what opens, and the operator is told once', async () => {
  const world = await open()
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warnings.mockRestore())
  const bob = await world.signIn('bob')
  const consent = await press(bob, await bob.load(world.page()), /\/dev\/notes\/connect$/)
  await follow(bob, await bob.submit(consent, {}), 'bob')
  const root = await world.signIn('root')
  await world.store.put({ space: 'connections', owner: 'somebody', id: 'dev/notes' }, JUNK, { ifVersion: null })
  await world.store.put({ space: 'people', owner: 'somebody', id: 'person' }, JUNK, { ifVersion: null })
  for (const _ of [1, 2]) {
    expect(textOf(await root.load(world.page('/admin/connections')))).toContain('bob@example.com corp dev/notes')
  }
  const told = warnings.mock.calls.filter(([message]) => String(message).includes('connections are left out'))
  expect(told).toHaveLength(1)
  const query = new URLSearchParams({ server: 'dev/notes', who: 'bob@example.com', kind: 'connect' })
  expect(textOf(await root.load(world.page(`/admin/access?${query}`)))).toContain('of corp Allowed')
  // What is known of somebody is not needed to say that they have connected an account.
  const record = Buffer.from(JSON.stringify({ state: 'reauth_required', connection: 'x' }))
  const own = { space: 'connections', owner: 'stranger', id: 'dev/notes' }
  await sealed(world.store, [...world.keys]).put(own, record, { ifVersion: null })
  await world.store.put({ space: 'people', owner: 'stranger', id: 'person' }, JUNK, { ifVersion: null })
  expect(textOf(await root.load(world.page('/admin/connections')))).toContain('somebody who is not known any more')
  expect(await world.gateway.people.get('stranger')).toBeUndefined()
})

test('a time of last use that does not open is not shown, and takes nothing away', async () => {
  const world = await open()
  const bob = await world.signIn('bob')
  const root = await world.signIn('root')
  const consent = await press(bob, await bob.load(world.page()), /\/dev\/notes\/connect$/)
  await follow(bob, await bob.submit(consent, {}), 'bob')
  const who = await person(world, 'bob')
  const token = await world.gateway.keys.create(who, { name: 'laptop' })
  await world.store.put({ space: 'connections-last-use', owner: who.id, id: 'dev/notes' }, JUNK, { ifVersion: null })
  const ofToken = { space: 'api-keys-last-use', owner: `person:${who.id}`, id: token.id }
  await world.store.put(ofToken, JUNK, { ifVersion: null })
  expect(textOf(await bob.load(world.page()))).toContain('Notes dev/notes My account Connected')
  expect(textOf(await bob.load(world.page('/tokens')))).toContain('laptop')
  expect(textOf(await root.load(world.page('/admin/connections')))).toContain('bob@example.com corp dev/notes')
  const question = await bob.load(world.page('/servers/dev/notes/revoke'))
  expect(headingOf(question)).toBe('Revoke the connection to Notes?')
  expect((await bob.submit(question, {})).status).toBe(200)
})

test('a virtual account that does not open takes no page away, and can be deleted', async () => {
  const world = await open()
  await world.store.put({ space: 'virtual-accounts', owner: 'broken', id: 'account' }, JUNK, { ifVersion: null })
  const bob = await world.signIn('bob')
  const root = await world.signIn('root')
  for (const path of ['', '/tokens']) expect((await bob.load(world.page(path))).status).toBe(200)
  for (const path of ['/admin/accounts', '/admin/connections', '/admin/access']) {
    expect((await root.load(world.page(path))).status).toBe(200)
  }
  expect(await world.gateway.virtualAccounts.delete('broken')).toBe(true)
  expect(await world.gateway.virtualAccounts.create('broken')).toMatchObject({ name: 'broken' })
})
