/** What administrators see and do: about the servers that a grant makes them administrators of, and nothing else (G4, B9, G17). */
import type { Grant } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import { sealed } from '../../src/store/sealed.ts'
import { openSession, rpc } from '../gateway/world.ts'
import { open, person } from './open.ts'
import { formOf, headingOf, press, textOf } from './page-reader.ts'
import { follow, type PortalWorld } from './portal-world.ts'

async function connectNotes(world: PortalWorld, name: string): Promise<void> {
  const browser = await world.signIn(name)
  const consent = await press(browser, await browser.load(world.page()), /\/dev\/notes\/connect$/)
  await follow(browser, await browser.submit(consent, {}), name)
}

test('G2 virtual accounts: who answers for them, and their keys made and revoked', async () => {
  const world = await open()
  const browser = await world.signIn('alice')
  const list = textOf(await browser.load(world.page('/admin/accounts')))
  expect(list).toContain('ci builds every night user:corp/alice@example.com the configuration')
  const page = await browser.load(world.page('/admin/accounts/ci'))
  expect(textOf(page)).toContain('May use Notes dev/notes')
  const made = await press(browser, page, /\/ci\/keys$/, { name: 'night', lifetime: '30' })
  const [key = ''] = /spv_\w{49}/.exec(made.body) ?? []
  expect(headingOf(made)).toBe('The key is ready')
  const answer = await rpc(`${world.origin}/mcp/dev/notes/server`, { token: key, body: {} })
  expect(answer.status).not.toBe(401)
  const after = await browser.load(world.page('/admin/accounts/ci'))
  expect(after.body).not.toContain(key)
  expect(textOf(after)).toContain(`night ${key.slice(0, 8)}…`)
  const [, href = ''] = /href="(\/gateway\/admin\/accounts\/ci\/keys\/\w+\/revoke)"/.exec(after.body) ?? []
  const gone = await browser.submit(await browser.load(world.origin + href), {})
  expect(gone.url).toBe(world.page('/admin/accounts/ci'))
  expect(textOf(gone)).toContain('It has no keys.')
  expect((await rpc(`${world.origin}/mcp/dev/notes/server`, { token: key, body: {} })).status).toBe(401)
})

test('an administrator of some servers makes no keys for an account that may use others', async () => {
  const world = await open()
  const browser = await world.signIn('alice')
  const { id } = await world.gateway.keys.create({ virtualAccount: 'broad' }, { name: 'there already' })
  const page = await browser.load(world.page('/admin/accounts/broad'))
  expect(textOf(page)).toContain('and 1 more, which you do not administer')
  expect(textOf(page)).not.toMatch(/Data hub|data\/hub/)
  expect(textOf(page)).toContain('You cannot make or revoke its keys')
  const { fields } = formOf(await browser.load(world.page('/admin/accounts/ci')), /keys$/)
  for (const path of ['/admin/accounts/broad/keys', `/admin/accounts/broad/keys/${id}/revoke`]) {
    const answer = await browser.load(world.page(path), {
      method: 'POST',
      form: { ...fields, name: 'mine' },
      headers: { origin: world.origin },
    })
    expect([path, answer.status]).toEqual([path, 404])
  }
  expect((await browser.load(world.page(`/admin/accounts/broad/keys/${id}/revoke`))).status).toBe(404)
  expect(await world.gateway.keys.list({ virtualAccount: 'broad' })).toMatchObject([{ name: 'there already' }])
  // Who administers all of it may.
  const root = await world.signIn('root')
  const made = await press(root, await root.load(world.page('/admin/accounts/broad')), /keys$/, { name: 'by root' })
  expect(made.body).toMatch(/spv_\w{49}/)
})

test('an account without a role on a server of theirs is not there', async () => {
  const world = await open()
  await world.gateway.virtualAccounts.create('idle', {})
  const browser = await world.signIn('root')
  expect(textOf(await browser.load(world.page('/admin/accounts')))).not.toContain('idle')
  expect((await browser.load(world.page('/admin/accounts/idle'))).status).toBe(404)
  expect((await browser.load(world.page('/admin/accounts/no-such'))).status).toBe(404)
})

test('what everybody may use does not make an account manageable, nor unmanageable', async () => {
  const world = await open()
  await world.gateway.access.add({ to: 'anonymous', on: 'public/wiki' })
  const browser = await world.signIn('alice')
  const made = await press(browser, await browser.load(world.page('/admin/accounts/ci')), /keys$/, { name: 'x' })
  expect(made.body).toMatch(/spv_\w{49}/)
})

test('whoever makes a key administers every server that an owner has connected for the account', async () => {
  const world = await open()
  const mallory = await world.signIn('mallory')
  const connected = { to: 'group:corp/operators', on: ['dev/*', 'team/*'], role: 'admin' } as const
  const cases: { access: Grant[]; others: number }[] = [
    // Open to everybody, and yet a key opens the account of the owner there.
    { access: [{ to: 'anonymous', on: 'dev/notes' }], others: 1 },
    // The server and its member.
    { access: [{ to: 'anonymous', on: 'team/assistant' }], others: 2 },
    { access: [{ to: 'virtual-account:broad', on: 'team/*' }], others: 2 },
    {
      access: [
        { to: 'virtual-account:broad', on: 'team/*' },
        { to: 'user:corp/mallory@example.com', on: 'team/*', role: 'admin' },
      ],
      others: 1,
    },
  ]
  for (const { access, others } of cases) {
    await world.gateway.access.set([
      ...access,
      connected,
      { to: 'virtual-account:broad', on: 'public/*' },
      { to: 'user:corp/mallory@example.com', on: 'public/*', role: 'admin' },
    ])
    const page = textOf(await mallory.load(world.page('/admin/accounts/broad')))
    expect(page).toContain('You cannot make or revoke its keys')
    expect(page).toContain(`and ${others} more, which you do not administer`)
  }
  // Of a server with a shared key there is nothing of anybody's.
  await world.gateway.configure({
    servers: world.gateway.servers.list(),
    virtualServers: { 'team/hub': { tools: { 'data/hub': '*' } } },
    virtualAccounts: { broad: {} },
    access: [
      { to: 'virtual-account:broad', on: 'team/*' },
      { to: 'user:corp/mallory@example.com', on: 'team/*', role: 'admin' },
    ],
  })
  const made = await press(mallory, await mallory.load(world.page('/admin/accounts/broad')), /keys$/, { name: 'x' })
  expect(made.body).toMatch(/spv_\w{49}/)
})

test('whoever makes a key administers every server where the account has a credential of its own', async () => {
  const url = 'https://mcp.example.com/mcp'
  const headers = { authorization: 'Bearer {{key}}' }
  const own = (to: string) =>
    ({ type: 'header', headers, values: { key: 'x' }, overrides: [{ to, values: { key: 'y' } }] }) as const
  const world = await open({
    config: {
      servers: {
        'dev/wiki': { url, auth: { type: 'none' } },
        'open/hub': { url, auth: own('virtual-account:ci') },
        'open/jobs': { url, auth: own('group:virtual-account/nightly') },
        'open/other': { url, auth: own('virtual-account:broad') },
      },
      virtualServers: {
        'team/hub': { tools: { 'open/hub': '*', 'open/other': '*' } },
        'dev/hub': { tools: { 'open/hub': '*', 'open/other': '*' } },
      },
      virtualAccounts: { ci: { groups: ['nightly'] }, broad: {} },
      access: [],
    },
  })
  const alice = await world.signIn('alice')
  const usual: Grant[] = [
    { to: 'group:corp/dev-admins', on: 'dev/*', role: 'admin' },
    { to: 'virtual-account:ci', on: 'dev/wiki' },
  ]
  const cases: { access: Grant[]; others: number }[] = [
    { access: [{ to: 'anonymous', on: 'open/hub' }], others: 1 },
    { access: [{ to: 'anonymous', on: 'open/jobs' }], others: 1 },
    { access: [{ to: 'anonymous', on: 'open/*' }], others: 3 },
    // The server and its member.
    { access: [{ to: 'anonymous', on: 'team/hub' }], others: 2 },
    // A virtual server of hers, whose member is not.
    { access: [{ to: 'virtual-account:ci', on: 'dev/hub' }], others: 1 },
  ]
  for (const { access, others } of cases) {
    await world.gateway.access.set([...usual, ...access])
    const page = textOf(await alice.load(world.page('/admin/accounts/ci')))
    expect(page).toContain('You cannot make or revoke its keys')
    expect(page).toContain(`and ${others} more, which you do not administer`)
  }
  // What another account has there is nothing of this one's.
  await world.gateway.access.set([...usual, { to: 'anonymous', on: 'open/other' }])
  const made = await press(alice, await alice.load(world.page('/admin/accounts/ci')), /keys$/, { name: 'x' })
  expect(made.body).toMatch(/spv_\w{49}/)
})

test('a decide() that is a policy by server makes nobody an administrator', async () => {
  const world = await open({ config: { decide: ({ server }) => server !== 'secret/plans' } })
  await world.gateway.access.set([
    { to: 'user:corp/*', on: 'public/*' },
    { to: 'virtual-account:ci', on: 'dev/notes' },
  ])
  const browser = await world.signIn('mallory')
  expect(textOf(await browser.load(world.page()))).not.toContain('Administration')
  for (const path of ['/admin/accounts', '/admin/accounts/ci', '/admin/connections', '/admin/audit']) {
    expect([path, (await browser.load(world.page(path))).status]).toEqual([path, 404])
  }
})

test('B9 who may use what, and why: by e-mail, subject or account, with the grants on that server only', async () => {
  const world = await open()
  await world.signIn('bob')
  const browser = await world.signIn('alice')
  const ask = async (query: Record<string, string>) =>
    textOf(await browser.load(world.page(`/admin/access?${new URLSearchParams(query)}`)))
  const allowed = await ask({ server: 'dev/notes', who: 'BOB@example.com', kind: 'connect' })
  expect(allowed).toContain('of corp Allowed')
  expect(allowed).toContain('the connection on "dev/notes" is allowed by grant 0')
  expect(allowed).toContain('virtual-account:ci')
  // Grants on servers that she does not administer are none of hers.
  expect(allowed).not.toMatch(/search_|public\/\*/)
  expect(await ask({ server: 'dev/notes', who: 'bob', kind: 'tool', name: 'write' })).toContain('the tool "write"')
  expect(await ask({ server: 'dev/notes', who: 'virtual-account:broad', kind: 'connect' })).toContain('Allowed')
  expect(await ask({ server: 'dev/notes', who: 'bob', kind: 'tool', name: '' })).toContain('Say which one')
  expect(await ask({ server: 'dev/notes', who: 'nobody@example.com' })).toContain(
    'Nobody of that name has signed in here',
  )
  expect(await ask({ server: 'dev/notes', who: 'virtual-account:none' })).toContain('Nobody of that name')
  // A server that is not hers to ask about gets no answer.
  const other = await ask({ server: 'secret/plans', who: 'bob@example.com' })
  expect(other).not.toMatch(/Allowed|Not allowed|secret/i)
})

test('connection states across people, of the servers that they administer, and never a token', async () => {
  const world = await open()
  await connectNotes(world, 'bob')
  await connectNotes(world, 'alice')
  const alice = await world.signIn('alice')
  const page = await alice.load(world.page('/admin/connections'))
  expect(textOf(page)).toContain('bob@example.com corp dev/notes Connected')
  expect(textOf(page)).toContain('alice@example.com corp dev/notes Connected')
  expect(page.body).not.toMatch(/eyJ[\w-]+\.eyJ/)
  await world.gateway.access.set([
    { to: 'user:corp/*', on: ['dev/*', 'public/*'] },
    { to: 'user:corp/alice@example.com', on: 'public/*', role: 'admin' },
  ])
  expect(textOf(await alice.load(world.page('/admin/connections')))).toContain('Nobody has connected an account.')
  expect(await world.gateway.connections.all({ servers: ['dev/notes'] })).toMatchObject({
    connections: [{ state: 'connected' }, { state: 'connected' }],
  })
})

test('many connections come on several pages, and where one goes on says nothing', async () => {
  const world = await open()
  const browser = await world.signIn('alice')
  const store = sealed(world.store, [...world.keys])
  const record = Buffer.from(JSON.stringify({ state: 'reauth_required', connection: 'x' }))
  for (let count = 0; count < 130; count++) {
    await store.put({ space: 'connections', owner: `somebody-${count}`, id: 'dev/notes' }, record, { ifVersion: null })
    await store.put({ space: 'connections', owner: `somebody-${count}`, id: 'secret/plans' }, record, {
      ifVersion: null,
    })
  }
  let page = await browser.load(world.page('/admin/connections'))
  const rows: number[] = []
  for (;;) {
    expect(page.body).not.toContain('secret/plans')
    rows.push(page.body.split('Needs your consent again').length - 1)
    const [, more] = /href="([^"]*[?&;]after=[^"]*)"/.exec(page.body) ?? []
    if (more === undefined) break
    expect(more).not.toMatch(/somebody|dev\/notes|secret/)
    page = await browser.load(world.origin + more.replaceAll('&amp;', '&'))
  }
  expect(rows.length).toBeGreaterThan(1)
  expect(rows.reduce((sum, each) => sum + each)).toBe(130)
  // Somebody else's place, or one that is made up, is the beginning.
  expect((await browser.load(world.page('/admin/connections?after=made-up'))).status).toBe(200)
})

test('G17 the latest events of their servers, from the memory of this process', async () => {
  const world = await open()
  const bob = await world.signIn('bob')
  expect(bob).toBeDefined()
  const { key } = await world.gateway.keys.create(await person(world, 'bob'), { name: 'secret name of a key' })
  await openSession(`${world.origin}/mcp/public/wiki/server`, key)
  await connectNotes(world, 'bob')
  const root = textOf(await (await world.signIn('root')).load(world.page('/admin/audit')))
  expect(root).toContain('public/wiki bob api_key initialize relayed 200'.replace('api_key', viaOf(world)))
  expect(root).toContain('dev/notes bob@example.com corp connection connected done')
  expect(root).toContain('a restart forgets them')
  expect(root).not.toContain('secret name of a key')
  const alice = textOf(await (await world.signIn('alice')).load(world.page('/admin/audit')))
  expect(alice).toContain('dev/notes bob@example.com corp connection connected done')
  expect(alice).not.toContain('public/wiki')
  expect(world.gateway.recentAudit().length).toBe(world.audits.length)
})

test('G17 calls that reach a server through a virtual one are among its latest events', async () => {
  const world = await open()
  await connectNotes(world, 'bob')
  const { key } = await world.gateway.keys.create(await person(world, 'bob'), { name: 'x' })
  const url = `${world.origin}/mcp/team/assistant/server`
  const headers = await openSession(url, key)
  for (const name of ['whoami', 'wiki_whoami']) {
    const body = { jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name, arguments: {} } }
    expect((await rpc(url, { token: key, headers, body })).status).toBe(200)
  }
  const alice = textOf(await (await world.signIn('alice')).load(world.page('/admin/audit')))
  expect(alice).toContain('team/assistant → dev/notes bob')
  expect(alice).toContain('tools/call whoami relayed')
  expect(alice).not.toContain('public/wiki')
})

function viaOf(world: PortalWorld): string {
  const found = world.audits.find((event) => event.type === 'request')
  return found?.type === 'request' ? (found.caller?.via ?? '') : ''
}

test('B5 what the doctor finds of a server, by a button', async () => {
  const world = await open()
  const browser = await world.signIn('alice')
  const page = await browser.load(world.page('/admin/checks'))
  expect(page.body).not.toContain('public/wiki')
  const report = await press(browser, page, /\/checks$/, { server: 'dev/notes' })
  expect(report.status).toBe(200)
  expect(textOf(report)).toMatch(/dev\/notes (Nothing is wrong|It works, with oddities)/)
  for (const server of ['public/wiki', 'no/such', '']) {
    expect([server, (await press(browser, page, /\/checks$/, { server })).status]).toEqual([server, 404])
  }
})
