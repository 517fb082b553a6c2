/** Virtual accounts on the pages of those who answer for them: what they may use, connected by an owner, and taken back (G2, G13). */
import type { TokenStore } from 'sallyport'
import { createGateway } from 'sallyport/gateway'
import { expect, onTestFinished, test } from 'vitest'
import { openSession, rpc } from '../gateway/world.ts'
import type { FormBrowser, LoadedPage } from '../support/form-browser.ts'
import { open, person } from './open.ts'
import { formOf, headingOf, press, textOf } from './page-reader.ts'
import { follow, type PortalWorld } from './portal-world.ts'

const CONNECT = /\/accounts\/ci\/servers\/dev\/notes\/connect$/

/** Connects the notes for `ci`, from the button to the end. */
async function connect(world: PortalWorld, browser: FormBrowser, name: string): Promise<LoadedPage> {
  const consent = await press(browser, await browser.load(world.page('/accounts')), CONNECT)
  expect(headingOf(consent)).toBe('Connect Notes')
  expect(textOf(consent)).toContain('for the shared account ci . Whoever uses that account will act with your access')
  return follow(browser, await browser.submit(consent, {}), name)
}

test('an owner connects a server for the account, whose key then works, and takes it back', async () => {
  const world = await open()
  const alice = await world.signIn('alice')
  const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'night' })
  const notes = `${world.origin}/mcp/dev/notes/server`
  const before = await alice.load(world.page('/accounts'))
  expect(textOf(before)).toContain('ci 1 of 1 to connect builds every night')
  expect(textOf(before)).toContain('Notes dev/notes Not connected Connect Notes')
  expect(textOf(before)).not.toContain('broad')

  const after = await connect(world, alice, 'alice')
  expect(after.url).toBe(`${world.page('/accounts')}#ci`)
  expect(textOf(after)).toContain('ci Ready builds every night')
  expect(textOf(after)).toContain('Notes dev/notes Connected Revoke Notes')
  expect((await openSession(notes, key))['mcp-session-id']).toBeTypeOf('string')
  // It is the account's: whoever made it has none of their own by that.
  expect(await world.gateway.connections.list(await person(world, 'alice'))).toEqual([])
  expect(textOf(await alice.load(world.page()))).toContain('Notes dev/notes My account Not connected')

  const question = await alice.load(world.page('/accounts/ci/servers/dev/notes/revoke'))
  const inAnotherTab = await alice.load(world.page('/accounts/ci/servers/dev/notes/revoke'))
  expect(headingOf(question)).toBe('Revoke the connection to Notes?')
  expect(textOf(question)).toContain('The virtual account ci will no longer be able to use Notes')
  const ended = await alice.submit(question, {})
  expect(ended.url).toBe(`${world.page('/accounts')}#ci`)
  expect(textOf(ended)).toContain('The connection has ended. The virtual account can no longer use it.')
  expect(await world.gateway.connections.list({ virtualAccount: 'ci' })).toEqual([])
  expect(textOf(await alice.submit(inAnotherTab, {}))).toContain('There was no connection any more.')
})

test('the page is there for owners, and for nobody else', async () => {
  const world = await open()
  const bob = await world.signIn('bob')
  expect(textOf(await bob.load(world.page()))).not.toContain('virtual accounts')
  expect((await bob.load(world.page('/accounts'))).status).toBe(404)
  const alice = await world.signIn('alice')
  expect(textOf(await alice.load(world.page('/tokens')))).toContain('My virtual accounts')
  // Of another owner.
  const { fields } = formOf(await alice.load(world.page('/accounts')), CONNECT)
  for (const path of ['/accounts/broad/servers/dev/notes/connect', '/accounts/broad/servers/dev/notes/revoke']) {
    const headers = { origin: world.origin }
    const answer = await alice.load(world.page(path), { method: 'POST', form: fields, headers })
    expect([path, answer.status]).toEqual([path, 404])
  }
  expect((await alice.load(world.page('/accounts/broad/servers/dev/notes/revoke'))).status).toBe(404)
})

test('an open page is told when another owner has connected something', async () => {
  const world = await open()
  const alice = await world.signIn('alice')
  const [, shown] = /data-state="([\w-]+)"/.exec((await alice.load(world.page('/accounts'))).body) ?? []
  const state = async () => JSON.parse((await alice.load(world.page('/accounts/state'))).body).state
  expect(await state()).toBe(shown)
  await connect(world, alice, 'alice')
  expect(await state()).not.toBe(shown)
})

test('a member of a virtual server is connected for an account that may use nothing else', async () => {
  const world = await open({
    config: {
      virtualAccounts: { ci: { owners: ['user:corp/alice@example.com'] } },
      access: [
        { to: 'virtual-account:ci', on: ['team/*', 'core/*'] },
        { to: 'user:corp/*', on: 'public/*' },
      ],
    },
  })
  const alice = await world.signIn('alice')
  const page = textOf(await alice.load(world.page('/accounts')))
  expect(page).toContain('ci 1 of 3 to connect')
  expect(page).toContain('Orders core/orders For people only')
  expect(textOf(await connect(world, alice, 'alice'))).toContain('Notes dev/notes Connected')
  const { key } = await world.gateway.keys.create({ virtualAccount: 'ci' }, { name: 'night' })
  const url = `${world.origin}/mcp/team/assistant/server`
  const body = { jsonrpc: '2.0', id: 2, method: 'tools/list' }
  const { text } = await rpc(url, { token: key, headers: await openSession(url, key), body })
  expect(text).toContain('"wiki_')
})

test('what the account may no longer use can be taken back, and not connected', async () => {
  const world = await open()
  const alice = await world.signIn('alice')
  await connect(world, alice, 'alice')
  const stale = await alice.load(world.page('/accounts/ci/servers/dev/notes/revoke'))
  await world.gateway.access.remove({ to: 'virtual-account:ci', on: 'dev/*' })
  const page = await alice.load(world.page('/accounts'))
  expect(textOf(page)).toContain('dev/notes Not in use Revoke dev/notes')
  expect(page.body).not.toMatch(/\/notes\/connect"/)
  const { fields } = formOf(stale, /\/revoke$/)
  const headers = { origin: world.origin }
  const refused = await alice.load(world.page('/accounts/ci/servers/dev/notes/connect'), {
    method: 'POST',
    form: fields,
    headers,
  })
  expect(refused.status).toBe(404)
  expect(textOf(await alice.submit(stale, {}))).toContain('It may not use any server yet.')
})

test('what was connected can be taken back when the server takes no connections any more', async () => {
  const world = await open()
  const alice = await world.signIn('alice')
  await connect(world, alice, 'alice')
  const consent = await press(alice, await alice.load(world.page()), /^\/gateway\/servers\/dev\/notes\/connect$/)
  await follow(alice, await alice.submit(consent, {}), 'alice')
  const { 'dev/notes': notes } = world.gateway.servers.list()
  const changed = { url: notes?.url ?? '', label: 'Notes', auth: { type: 'none' } } as const
  await world.gateway.servers.set('dev/notes', changed)
  const own = await alice.load(world.page())
  expect(textOf(own)).toContain('Notes dev/notes Open Ready')
  expect(textOf(own)).toContain('Other connections of yours')
  const ids = [...own.body.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)
  expect(ids).toEqual([...new Set(ids)])
  const question = await alice.load(world.page('/servers/dev/notes/revoke'))
  expect(own.body).toContain('href="/gateway/servers/dev/notes/revoke"')
  expect(textOf(await alice.submit(question, {}))).not.toContain('Other connections of yours')
  const accounts = await alice.load(world.page('/accounts'))
  expect(textOf(accounts)).toContain('Notes dev/notes Ready dev/notes Not in use Revoke dev/notes')
  expect(accounts.body).not.toMatch(/\/notes\/connect"/)
  const other = await alice.load(world.page('/accounts/ci/servers/dev/notes/revoke'))
  expect(textOf(await alice.submit(other, {}))).not.toContain('Not in use')
  expect(await world.gateway.connections.list({ virtualAccount: 'ci' })).toEqual([])
})

function untold(store: TokenStore): TokenStore {
  const { changes: _, ...others } = store
  return others
}

test('an account that another process has deleted is left out', async () => {
  // Nobody tells of changes, so that what was looked up is believed for a while.
  const world = await open({ wrapStore: untold })
  const { corp, keys, origin } = world
  const integrations = { corp: { issuer: corp.issuer, audience: 'x' } }
  const other = createGateway({ url: origin, store: untold(world.store), keys, integrations, servers: {}, access: [] })
  onTestFinished(() => other.close())
  await other.virtualAccounts.create('nightly', { owners: ['user:corp/alice@example.com'] })
  const alice = await world.signIn('alice')
  await alice.load(world.page('/tokens'))
  await other.virtualAccounts.delete('nightly')
  const page = await alice.load(world.page('/accounts'))
  expect(page.status).toBe(200)
  expect(textOf(page)).toContain('ci 1 of 1 to connect')
})

test('whoever is no owner any more finds nothing, also with a page that is still open', async () => {
  const world = await open()
  const alice = await world.signIn('alice')
  await connect(world, alice, 'alice')
  const stale = await alice.load(world.page('/accounts/ci/servers/dev/notes/revoke'))
  const { 'dev/notes': notes } = world.gateway.servers.list()
  await world.gateway.configure({
    servers: notes === undefined ? {} : { 'dev/notes': notes },
    access: [{ to: ['group:corp/staff', 'virtual-account:ci'], on: 'dev/notes' }],
    virtualAccounts: { ci: { owners: ['user:corp/root@example.com'] } },
  })
  expect((await alice.load(world.page('/accounts'))).status).toBe(404)
  expect((await alice.submit(stale, {})).status).toBe(404)
  expect(await world.gateway.connections.list({ virtualAccount: 'ci' })).toHaveLength(1)
  // The other owner takes over what the first one has connected.
  const root = await world.signIn('root')
  expect(textOf(await root.load(world.page('/accounts')))).toContain('Notes dev/notes Connected')
})
