/** Endpoints as OAuth resources: which tokens are for which of them (RFC 8707), and what clients are told to ask for (RFC 9728). */
import { describe, expect, onTestFinished, test } from 'vitest'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { EVERYTHING, initialize, openSession, rpc, send, startWorld, type WorldOptions } from './world.ts'

const none = { type: 'none' } as const
const oauth2 = {
  type: 'oauth2',
  clientId: 'x',
  authorizationUrl: 'https://auth.example.com/authorize',
  tokenUrl: 'https://auth.example.com/token',
} as const

async function startTwo(options: WorldOptions = {}) {
  const wiki = await startSdk2Server()
  onTestFinished(() => wiki.close())
  const world = await startWorld({
    signIn: { identify: async () => null, start: () => ({ status: 302 }) },
    servers: {
      'dev/one': { url: wiki.url, auth: none, id: 'one' },
      'dev/two': { url: wiki.url, auth: none, id: 'two' },
      'dev/mine': { url: wiki.url, auth: oauth2, id: 'mine' },
      'dev/yours': { url: wiki.url, auth: oauth2 },
    },
    access: [EVERYTHING],
    ...options,
  })
  return { ...world, wiki, byId: (id: string) => `${world.origin}/api/llm/mcp/${id}/server` }
}

describe('a token that was made for an endpoint', () => {
  test('is good there, and at no other: not at another server, nor at the same one under its other path', async () => {
    const { endpoint, byId, jwt } = await startTwo()
    const urls = [endpoint('dev/one'), byId('one'), endpoint('dev/two'), byId('two')]
    for (const aud of urls) {
      const token = await jwt('alice', { aud })
      for (const url of urls) {
        const answer = await rpc(url, { token, body: initialize() })
        expect([aud, url, answer.status]).toEqual([aud, url, aud === url ? 200 : 401])
        if (answer.status === 401) expect(answer.headers.get('www-authenticate')).toContain('error="invalid_token"')
      }
    }
    for (const aud of [
      `${endpoint('dev/one')}/`,
      endpoint('dev/one').toUpperCase(),
      new URL(endpoint('dev/one')).origin,
    ]) {
      expect((await rpc(endpoint('dev/one'), { token: await jwt('alice', { aud }), body: initialize() })).status).toBe(
        401,
      )
    }
  })

  test('keeps a stream open that was opened with it, when its caller is looked at again', async () => {
    const nightly = { to: 'virtual-account:ci', on: 'dev/*' }
    const { gateway, byId, jwt, wiki } = await startTwo({ virtualAccounts: { ci: {} }, access: [EVERYTHING, nightly] })
    const url = byId('one')
    const open = async (token: string) => {
      const response = await send(url, { token, headers: await openSession(url, token), method: 'GET' })
      expect(response.status).toBe(200)
      return response
    }
    const reader = (await open(await jwt('alice', { aud: url }))).body?.getReader()
    const { key } = await gateway.keys.create({ virtualAccount: 'ci' }, { name: 'nightly' })
    const other = await open(key)
    // Both are looked at.
    await gateway.access.remove(nightly)
    await expect(other.text()).rejects.toThrow()
    await wiki.toolsChanged()
    expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toContain('list_changed')
    await reader?.cancel()
  })

  test('begins consent for that server only, by either of its paths', async () => {
    const { gateway, endpoint, byId, jwt } = await startTwo()
    const connect = async (server: string, aud?: string) => {
      const authorization = `Bearer ${await jwt('alice', aud === undefined ? {} : { aud })}`
      return gateway.connections.connectUrl({ server, who: { authorization } })
    }
    const link = expect.stringContaining('/connect/')
    expect(await connect('dev/mine')).toEqual(link)
    expect(await connect('dev/mine', endpoint('dev/mine'))).toEqual(link)
    expect(await connect('dev/mine', byId('mine'))).toEqual(link)
    for (const aud of [endpoint('dev/yours'), endpoint('dev/one'), byId('one')]) {
      await expect(connect('dev/mine', aud)).rejects.toMatchObject({ code: 'ERR_UNAUTHENTICATED' })
    }
  })

  test('says nothing to the host application, which asks for those of the configured audience', async () => {
    const { gateway, endpoint, jwt } = await startTwo()
    expect(await gateway.identify(`Bearer ${await jwt('alice', { aud: endpoint('dev/one') })}`)).toBeNull()
    expect(await gateway.identify(`Bearer ${await jwt('alice')}`)).toMatchObject({ subject: 'alice' })
  })
})

describe('scopes', () => {
  const challengeOf = async (url: string, token?: string) =>
    (await rpc(url, { token, body: initialize() })).headers.get('www-authenticate')

  test('that clients should ask for are in the metadata and in every challenge', async () => {
    const { origin, endpoint } = await startTwo({ scopes: ['openid', 'orders:read'] })
    const url = endpoint('dev/one')
    expect(await challengeOf(url)).toContain('scope="openid orders:read"')
    expect(await challengeOf(url, 'nonsense')).toContain('scope="openid orders:read"')
    for (const path of ['', '/mcp/dev/one/server', '/mcp/no/such/server']) {
      const response = await fetch(`${origin}/.well-known/oauth-protected-resource${path}`)
      expect(await response.json()).toMatchObject({ scopes_supported: ['openid', 'orders:read'] })
    }
  })

  test('are said nothing of where none are configured', async () => {
    const { origin, endpoint } = await startTwo()
    expect(await challengeOf(endpoint('dev/one'))).not.toContain('scope=')
    const response = await fetch(`${origin}/.well-known/oauth-protected-resource`)
    expect(await response.json()).not.toHaveProperty('scopes_supported')
  })

  test('stay as they are when the configuration changes', async () => {
    const { gateway, endpoint } = await startTwo({ scopes: ['openid'] })
    await gateway.configure({ servers: gateway.servers.list(), access: [] })
    expect(await challengeOf(endpoint('dev/one'))).toContain('scope="openid"')
  })
})
