/** What is set up wrongly is told the operator also where nobody listens to the audit: one process warning for each server. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createGuard, DependencyError, generateKey, type SignIn } from 'sallyport'
import { createGateway, type GatewayConfig } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { messageOf } from '../../src/core/errors.ts'
import { createEmitter } from '../../src/core/events.ts'
import { createAudit } from '../../src/gateway/audit.ts'
import type { GatewayEvents } from '../../src/gateway/gateway.ts'
import { checkAuthorizationResponse } from '../../src/oauth/authorization-response.ts'
import { initialize, rpc } from './world.ts'

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A gateway whose shared key the MCP server refuses with `status`. */
async function start(more: Partial<GatewayConfig> = {}, upstreamStatus = () => 401) {
  const upstream = await listen(createServer((_, response) => response.writeHead(upstreamStatus()).end()))
  const server = createServer()
  const url = await listen(server)
  const gateway = createGateway({
    url,
    store: memoryStore(),
    keys: [generateKey()],
    servers: {
      'data/hub': { url: upstream, auth: { type: 'header', headers: { authorization: 'Bearer wrong-key' } } },
    },
    access: [{ to: 'anonymous', on: '*' }],
    ...more,
  })
  onTestFinished(() => gateway.close())
  const handler = sallyport(gateway)((_, response) => response.end())
  server.on('request', handler)
  const warnings: (Error & { code?: string })[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => {
    process.off('warning', note)
  })
  const ask = (token?: string) => rpc(`${url}/mcp/data/hub/server`, { token, body: initialize() })
  const own = async () => {
    // Warnings are emitted on the next tick.
    await new Promise(setImmediate)
    return warnings.filter(({ code }) => code === 'SALLYPORT_GATEWAY')
  }
  return { url, gateway, ask, own }
}

test('a shared key that is refused, once', async () => {
  const { ask, own } = await start()
  for (let call = 0; call < 3; call++) expect((await ask()).status).toBe(502)
  const warnings = await own()
  expect(warnings).toHaveLength(1)
  expect(warnings[0]?.message).toMatch(/^the MCP server "data\/hub" cannot be used \(credential_rejected: /)
  expect(warnings[0]?.message).not.toContain('wrong-key')
})

test('not where the audit is heard', async () => {
  const { ask, own } = await start({ audit: () => {} })
  expect((await ask()).status).toBe(502)
  expect(await own()).toEqual([])
})

test('again when it has worked meanwhile, and no more than once a minute', async () => {
  let status = 401
  const clock = { time: 1_800_000_000_000, now: () => clock.time }
  const { ask, own } = await start({ clock }, () => status)
  const failAndWork = async () => {
    status = 401
    expect((await ask()).status).toBe(502)
    status = 202
    expect((await ask()).status).toBe(202)
  }
  await failAndWork()
  await failAndWork()
  expect(await own()).toHaveLength(1)
  clock.time += 60_000
  await failAndWork()
  expect(await own()).toHaveLength(2)
})

describe('what keeps all of the gateway from answering is told once', () => {
  const messages = async (own: () => Promise<Error[]>) => (await own()).map(({ message }) => message)
  /** A token by its form; nobody has it. */
  const token = async () => {
    const gateway = createGateway({
      url: 'https://gw.example.com',
      store: memoryStore(),
      keys: [generateKey()],
      servers: {},
      virtualAccounts: { ci: {} },
    })
    const { key } = await gateway.keys.create({ virtualAccount: 'ci' }, { name: 'one', ttlSeconds: 60 })
    await gateway.close()
    return key
  }

  test('a key that is not set', async () => {
    const { ask, own } = await start({ keys: [{ secret: 'env:SALLYPORT_TEST_MISSING' }] })
    const key = await token()
    for (let call = 0; call < 2; call++) expect((await ask(key)).status).toBe(503)
    expect(await messages(own)).toEqual([
      'the gateway cannot answer (store_unavailable: the secret "env:SALLYPORT_TEST_MISSING" is not set)',
    ])
  })

  test('a key that is none, and not what it is', async () => {
    const { ask, own } = await start({ keys: [{ secret: 'vault:key' }], secrets: () => 'hunter2' }, () => 202)
    const key = await token()
    for (let call = 0; call < 2; call++) expect((await ask(key)).status).toBe(503)
    const [message = '', ...more] = await messages(own)
    expect(more).toEqual([])
    expect(message).toMatch(/^the gateway cannot answer \(store_unavailable: keys\[0\]: not a key/)
    expect(message).not.toContain('hunter2')
  })

  test('a package for the store that is not there', async () => {
    const fail = () => Promise.reject(new DependencyError('a SQLite token store needs a package'))
    const { ask, own } = await start({ store: { ...memoryStore(), get: fail, scan: fail } })
    expect((await ask(await token())).status).toBe(503)
    expect(await messages(own)).toEqual([
      'the gateway cannot answer (store_unavailable: a SQLite token store needs a package)',
    ])
  })

  const signIn: SignIn = {
    identify: async () => ({ id: 'x', integration: 'corp', subject: 'x', groups: [], claims: {} }),
    start: () => ({ status: 302, headers: { location: '/' } }),
  }

  test('also where nobody but people with a browser comes', async () => {
    const keys = [{ secret: 'env:SALLYPORT_TEST_MISSING' }]
    const { url, own } = await start({ keys, signIn, pages: { path: '/gateway' } })
    for (let time = 0; time < 2; time++) expect((await fetch(`${url}/gateway/tokens`)).status).toBe(503)
    expect(await messages(own)).toEqual([
      'the gateway cannot answer (unavailable: the secret "env:SALLYPORT_TEST_MISSING" is not set)',
    ])
  })

  test('a sign-in of the application’s own, without its words', async () => {
    const identify = async () => {
      throw new RangeError('no row for mallory')
    }
    const { url, own } = await start({ signIn: { ...signIn, identify }, pages: { path: '/gateway' } })
    expect((await fetch(`${url}/gateway`)).status).toBe(503)
    expect(await messages(own)).toEqual(['the gateway cannot answer (error: RangeError)'])
  })

  test('a consent page, with the reference that it shows', async () => {
    const keys = [{ secret: 'env:SALLYPORT_TEST_MISSING' }]
    const { url, own } = await start({ keys, signIn })
    const page = await fetch(`${url}/connect/${'a'.repeat(43)}`)
    expect(page.status).toBe(503)
    const [, reference] = /reference: <code>(\w+)</.exec(await page.text()) ?? []
    expect(reference).toBeDefined()
    expect(await messages(own)).toEqual([
      `the gateway cannot answer (consent; the page says ${reference}; gateway.on('audit', …) has the rest)`,
    ])
  })

  test('a function of the user’s own, without its words', async () => {
    const decide = () => {
      throw new Error('no row for mallory')
    }
    const { ask, own } = await start({ decide })
    expect((await ask()).status).toBe(503)
    expect(await messages(own)).toEqual(["the gateway cannot answer (decide; gateway.on('audit', …) has the rest)"])
  })
})

test('an authorization server that gives the gateway no token', async () => {
  const refuse = async () => Response.json({ error: 'invalid_client' }, { status: 401 })
  const auth = {
    type: 'client_credentials',
    clientId: 'gw',
    clientSecret: 'wrong',
    tokenUrl: 'https://login.example.com/t',
  }
  const servers = { 'data/hub': { url: 'https://hub.example.com/mcp', auth: { ...auth, scopes: [] } } }
  const { ask, own } = await start({ servers: servers as GatewayConfig['servers'], fetch: refuse })
  for (let call = 0; call < 2; call++) expect((await ask()).status).toBe(502)
  const [warning, ...more] = await own()
  expect(more).toEqual([])
  expect(warning?.message).toMatch(
    /^the MCP server "data\/hub" cannot be used \(credential_misconfigured: .*invalid_client/,
  )
})

test('a consent that a browser brought an error of is told without its words', async () => {
  const { own } = await start()
  const audit = createAudit(createEmitter<GatewayEvents>(['audit', 'keys']), { now: () => 0 })
  const failed = (server: string, detail: string) =>
    audit.connection({
      kind: 'consent_failed',
      server,
      owner: 'x',
      reason: 'rejected',
      detail,
      reference: 'e4b9f063ea',
    })
  const answer = new URLSearchParams({ state: 's', error: 'buy', error_description: 'gold' })
  const check = () =>
    checkAuthorizationResponse({ issuer: 'https://as.example.com' }, { client_id: 'c' }, answer, 's', [])
  expect(check).toThrow(/buy \(gold\)/)
  try {
    check()
  } catch (error) {
    failed('dev/one', messageOf(error))
  }
  failed('dev/two', 'the token endpoint of https://as.example.com answered 401 invalid_client')
  expect((await own()).map(({ message }) => message)).toEqual([
    'the MCP server "dev/one" cannot be used (consent rejected: the browser came back with an error; the page says e4b9f063ea)',
    expect.stringContaining('answered 401 invalid_client; the page says e4b9f063ea)'),
  ])
})

/** The warnings of a gateway's start. */
async function started(signIn: SignIn, more: Partial<GatewayConfig> = {}): Promise<string[]> {
  const warnings: (Error & { code?: string })[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  const gateway = createGateway({
    url: 'https://gw.example.com',
    store: memoryStore(),
    keys: [generateKey()],
    integrations: { corp: { issuer: 'https://login.example.com/', audience: 'mcp' } },
    servers: { 'dev/notes': { url: 'https://notes.example.com/mcp', auth: { type: 'oauth2' } } },
    access: [{ to: 'user:corp/*', on: '*' }],
    signIn,
    ...more,
  })
  await new Promise(setImmediate)
  process.off('warning', note)
  await gateway.close()
  return warnings.filter(({ code }) => code === 'SALLYPORT_GATEWAY').map(({ message }) => message)
}

/** A guard with login at `url`, and a route on `host`. */
function guardAt(url: string, host?: string): SignIn {
  const guard = createGuard({
    integrations: {
      corp: { issuer: 'https://login.example.com/', audience: 'mcp', oauth2: { clientId: 'gw', clientSecret: 's' } },
    },
    login: { url, keys: [generateKey()], store: memoryStore() },
    routes: [{ ...(host && { host }), path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
  })
  onTestFinished(() => guard.close())
  return guard
}

describe('a sign-in that nobody can consent with', () => {
  test('is warned of where it ends at another origin and is not handed over', async () => {
    const [message = '', ...others] = await started(guardAt('https://app.example.com', 'app.example.com'))
    expect(others).toEqual([])
    expect(message).toContain('signs people in at https://app.example.com')
    expect(message).toContain('at https://gw.example.com nobody is signed in')
  })

  test.each([
    ['on the gateway’s own origin', 'https://gw.example.com', undefined],
    ['handed over to its host', 'https://app.example.com', 'gw.example.com'],
    ['handed over to hosts like it', 'https://app.example.com', '*.example.com'],
  ])('is not where it is %s', async (_where, url, host) => {
    expect(await started(guardAt(url, host))).toEqual([])
  })

  test('is warned of where it knows none of those who answer for virtual accounts, and not where it knows one', async () => {
    const signIn = (integrations?: string[]): SignIn => ({
      identify: async () => null,
      start: () => ({ status: 302, headers: { location: '/' } }),
      ...(integrations && { integrations }),
    })
    const ci = {
      access: [{ to: 'virtual-account:ci', on: '*' }],
      virtualAccounts: { ci: { owners: ['user:corp/alice@example.com'] } },
    }
    const [message = ''] = await started(signIn(['partner']), ci)
    expect(message).toContain('signs in people of "partner"')
    expect(message).toContain('"corp"')
    expect(await started(signIn(['partner', 'corp']), ci)).toEqual([])
    // Nobody knows.
    expect(await started(signIn(), ci)).toEqual([])
    const plain = { servers: { 'dev/open': { url: 'https://open.example.com/mcp', auth: { type: 'none' } as const } } }
    expect(await started(signIn(['partner']), { ...ci, ...plain })).toEqual([])
  })
})

describe('access that lets nobody in', () => {
  const noAccess: [string, GatewayConfig['access']][] = [
    ['left out', undefined],
    ['empty', []],
  ]
  test.each(noAccess)('is warned of where it is %s', async (_, access) => {
    const [message = '', ...others] = await started(guardAt('https://gw.example.com'), { access: access as never })
    expect(others).toEqual([])
    expect(message).toMatch(/^access has no grants: .* nobody may use any server/)
  })

  test('is not where a function decides', async () => {
    expect(await started(guardAt('https://gw.example.com'), { access: [], decide: () => true })).toEqual([])
  })

  test('is hinted at by ready() where a virtual account is not there yet', async () => {
    const access = ['ci', 'night', 'made', 'all-*'].map((name) => ({ to: `virtual-account:${name}`, on: '*' }))
    const { gateway, own } = await start({ access, virtualAccounts: { ci: {} } }, () => 202)
    await gateway.virtualAccounts.create('made')
    await gateway.ready()
    const [warning, ...others] = await own()
    expect(others).toEqual([])
    expect(warning?.message).toMatch(/^access names "virtual-account:night", and there is no such account yet/)
    // It can be made later.
    await gateway.virtualAccounts.create('night')
    expect((await gateway.virtualAccounts.get('night'))?.name).toBe('night')
  })
})
