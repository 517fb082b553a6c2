/** Callers by what they come with (G1, G2, G3, G22), and the credentials of the host application's own code. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { AUDIENCE, startKeyServer } from '../support/identity-provider.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { ask, EVERYTHING, initialize, openSession, rpc, startWorld, type World } from './world.ts'

const none = { type: 'none' } as const

async function upstream() {
  const server = await startSdk2Server()
  onTestFinished(() => server.close())
  return server
}

describe('G1 personal tokens', () => {
  test('stand for their owner, with the groups of the last sign-in, until they are revoked', async () => {
    const wiki = await upstream()
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'group:corp/staff', on: 'dev/*' }],
    })
    const { gateway } = world
    const url = world.endpoint('dev/one')
    const jwt = await world.jwt('alice', { groups: ['staff'] })
    // Somebody with a JWT is remembered as if they had signed in.
    const me = await gateway.identify(`Bearer ${jwt}`)
    if (me === null) throw new Error('nobody')
    const { key, id } = await gateway.keys.create({ id: me.id, integration: me.integration }, { name: 'laptop' })
    expect(key).toMatch(/^[\w-]+$/)
    expect(await gateway.keys.list(me)).toMatchObject([{ id, name: 'laptop' }])
    expect(JSON.stringify(await gateway.keys.list(me))).not.toContain(key)
    // G22: one person, one session, whatever they come with.
    const headers = await openSession(url, jwt)
    expect((await rpc(url, { token: key, headers, body: ask('ping') })).status).toBe(200)
    expect((await gateway.identify(`Bearer ${key}`))?.id).toBe(me.id)
    expect(await world.told(({ caller }) => caller?.via === 'personal_token')).toMatchObject({
      caller: { id: me.id, keyId: id },
    })
    expect(await gateway.keys.revoke(me, id)).toBe(true)
    expect((await rpc(url, { token: key, headers, body: ask('ping') })).status).toBe(401)
    expect(await gateway.identify(`Bearer ${key}`)).toBeNull()
  })

  test('that the host application makes for somebody who has never been here work, and say so where nothing is known', async () => {
    const wiki = await upstream()
    const { gateway, endpoint, provider, jwt } = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      access: [{ to: 'group:corp/staff', on: 'dev/*' }],
    })
    const url = endpoint('dev/one')
    const whole = { id: 'a'.repeat(43), integration: 'corp', subject: 'carol', groups: ['staff'], claims: {} }
    const { key } = await gateway.keys.create(whole, { name: 'made for her' })
    expect((await rpc(url, { token: key, body: initialize() })).status).toBe(200)
    // A key that would always be refused is not made in the first place.
    const unknown = { id: 'b'.repeat(43), integration: 'corp' }
    const making = gateway.keys.create(unknown, { name: 'x' })
    await expect(making).rejects.toMatchObject({
      code: 'ERR_UNKNOWN_PERSON',
      message: expect.stringContaining('no sign-in'),
    })
    await expect(making).rejects.toThrow(/whole identity/)
    expect(await gateway.keys.list(unknown)).toEqual([])
    const elsewhere = { ...whole, id: 'c'.repeat(43), integration: 'gone' }
    await expect(gateway.keys.create(elsewhere, { name: 'x' })).rejects.toMatchObject({ code: 'ERR_UNKNOWN_PERSON' })
    // What is known is not overwritten by a token that knows less.
    const first = await gateway.identify(`Bearer ${await jwt('dave', { groups: ['staff'] })}`)
    await gateway.identify(`Bearer ${await provider.sign({ sub: 'dave' })}`)
    if (first === null) throw new Error('nobody')
    const { key: daves } = await gateway.keys.create(first, { name: 'x' })
    expect((await rpc(url, { token: daves, body: initialize() })).status).toBe(200)
  })
})

test('a directory is told what is known of people who have only come with a JWT', async () => {
  const wiki = await upstream()
  const asked: unknown[] = []
  const world = await startWorld({
    servers: { 'dev/one': { url: wiki.url, auth: none } },
    access: [{ to: 'group:corp/staff', on: 'dev/*' }],
    directory: async (_id, known) => {
      asked.push(known?.subject)
      return known && { integration: known.integration, subject: known.subject, groups: ['staff'] }
    },
  })
  const { gateway } = world
  const status = async (token: string) => (await rpc(world.endpoint('dev/one'), { token, body: initialize() })).status
  const alice = await gateway.identify(`Bearer ${await world.jwt('alice')}`)
  if (alice === null) throw new Error('nobody')
  const { id, integration } = alice
  const { key } = await gateway.keys.create({ id, integration }, { name: 'laptop' })
  expect(await status(key)).toBe(200)
  const carol = { id: 'c'.repeat(43), integration: 'corp', subject: 'carol', groups: [], claims: {} }
  expect(await status((await gateway.keys.create(carol, { name: 'made for her' })).key)).toBe(200)
  // A directory may know those of whom nothing is known here.
  const nobody = await gateway.keys.create({ id: 'd'.repeat(43), integration: 'corp' }, { name: 'x' })
  expect(await status(nobody.key)).toBe(401)
  expect(asked).toEqual(['alice', 'carol', undefined])
})

test('a personal token ends with the tenant of its owner, as their JWT does, and no other one does', async () => {
  const wiki = await upstream()
  const provider = await startKeyServer()
  onTestFinished(() => provider.close())
  const issuer = `${provider.issuer}/{tenantid}/`
  const corp = (tenants: string[]) => ({ corp: { issuer, tenants, jwksUri: provider.jwksUri, audience: AUDIENCE } })
  const common = { provider, servers: { 'dev/one': { url: wiki.url, auth: none } }, access: [EVERYTHING] }
  const first = await startWorld({ ...common, integrations: corp(['acme', 'beam']) })
  const comeFrom = async (tid: string) => {
    const jwt = await provider.sign({ iss: `${provider.issuer}/${tid}/`, tid, sub: `somebody of ${tid}` })
    const identity = await first.gateway.identify(`Bearer ${jwt}`)
    if (identity === null) throw new Error('nobody')
    return { jwt, identity, key: (await first.gateway.keys.create(identity, { name: 'laptop' })).key }
  }
  const acme = await comeFrom('acme')
  const beam = await comeFrom('beam')
  const second = await startWorld({ ...common, integrations: corp(['acme']), store: first.store, keys: first.keys })
  const statuses = ({ jwt, key }: { jwt: string; key: string }, { endpoint }: World) =>
    Promise.all([jwt, key].map(async (token) => (await rpc(endpoint('dev/one'), { token, body: initialize() })).status))
  expect(await statuses(acme, first)).toEqual([200, 200])
  expect(await statuses(beam, first)).toEqual([200, 200])
  expect(await statuses(acme, second)).toEqual([200, 200])
  expect(await statuses(beam, second)).toEqual([401, 401])
  // Nor is a key made for somebody whom nothing but an old record knows; those who may come in need no claims for it.
  const { claims: _, ...bare } = beam.identity
  await expect(second.gateway.keys.create({ ...bare, claims: {} }, { name: 'x' })).rejects.toMatchObject({
    code: 'ERR_UNKNOWN_PERSON',
  })
  await second.gateway.keys.create({ ...acme.identity, claims: {} }, { name: 'x' })
})

describe('G2 virtual accounts', () => {
  test('of the configuration and of the store have keys of their own, which end with them', async () => {
    const wiki = await upstream()
    const { gateway, endpoint } = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none } },
      virtualAccounts: { ci: { groups: ['batch'] } },
      access: [
        { to: 'group:virtual-account/batch', on: 'dev/*' },
        { to: 'virtual-account:late', on: 'dev/*' },
      ],
    })
    const url = endpoint('dev/one')
    const { key } = await gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    expect((await rpc(url, { token: key, body: initialize() })).status).toBe(200)
    const late = { virtualAccount: 'late' }
    await expect(gateway.keys.create(late, { name: 'x' })).rejects.toMatchObject({
      code: 'ERR_UNKNOWN_VIRTUAL_ACCOUNT',
    })
    await gateway.virtualAccounts.create('late')
    const { key: second } = await gateway.keys.create(late, { name: 'x' })
    expect((await rpc(url, { token: second, body: initialize() })).status).toBe(200)
    expect(await gateway.virtualAccounts.delete('late')).toBe(true)
    expect((await rpc(url, { token: second, body: initialize() })).status).toBe(401)
    // G23: one that leaves the configuration is gone, with its keys.
    await gateway.configure({ servers: gateway.servers.list(), access: [{ to: 'virtual-account:ci', on: 'dev/*' }] })
    expect((await rpc(url, { token: key, body: initialize() })).status).toBe(401)
  })
})

describe('G3 external identities', () => {
  test('a JWT of a provider that nobody signs in at is a caller; every rule that it meets counts', async () => {
    const wiki = await upstream()
    const partner = await startKeyServer()
    onTestFinished(() => partner.close())
    const stranger = await startKeyServer()
    onTestFinished(() => stranger.close())
    const world = await startWorld({
      servers: { 'dev/one': { url: wiki.url, auth: none }, 'dev/two': { url: wiki.url, auth: none } },
      integrations: { partner: { issuer: partner.issuer, audience: AUDIENCE } },
      externalIdentities: {
        acme: { integration: 'partner', claims: { org: 'acme' } },
        pilots: { integration: 'partner', claims: { beta: true } },
      },
      access: [
        { to: 'external-identity:acme', on: 'dev/one' },
        { to: 'external-identity:pilots', on: 'dev/two' },
      ],
    })
    const both = await partner.sign({ sub: 'robot', org: 'acme', beta: true })
    const one = await partner.sign({ sub: 'robot', org: 'acme' })
    const status = async (name: string, token: string) =>
      (await rpc(world.endpoint(name), { token, body: initialize() })).status
    expect([await status('dev/one', both), await status('dev/two', both)]).toEqual([200, 200])
    expect([await status('dev/one', one), await status('dev/two', one)]).toEqual([200, 404])
    expect(await status('dev/one', await stranger.sign({ sub: 'robot', org: 'acme' }))).toBe(401)
    const event = await world.told(({ server, outcome }) => server === 'dev/two' && outcome === 'relayed')
    expect(event.caller).toMatchObject({ externalIdentities: ['acme', 'pilots'], subject: 'robot' })
  })
})

test('ready() says everything that is missing at once, and no secret', async () => {
  const world = await startWorld({
    servers: {
      'data/hub': {
        url: 'http://127.0.0.1:9/mcp',
        auth: { type: 'header', headers: { 'x-key': { secret: 'env:NO_HUB_KEY' } } },
      },
    },
    keys: [{ secret: 'env:NO_TOKEN_KEY' }],
  })
  world.provider.mode = 'fail'
  const error = await world.gateway.ready().then(
    () => undefined,
    (thrown: unknown) => thrown as Error & { code: string },
  )
  expect(error?.code).toBe('ERR_NOT_READY')
  for (const each of ['NO_HUB_KEY', 'NO_TOKEN_KEY', world.provider.issuer]) expect(error?.message).toContain(each)
  // Nobody gets in, nor is told that their token is bad.
  const answer = await rpc(world.endpoint('data/hub'), { token: await world.jwt('alice'), body: initialize() })
  expect(answer.status).toBe(503)
})
