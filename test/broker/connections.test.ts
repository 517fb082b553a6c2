/** Connections: told of, ended, kept to their owner, and never handed to another authorization server (G9, G13, G14). */
import { describe, expect, it } from 'vitest'
import type { ConnectionEvent } from '../../src/broker/broker.ts'
import { ConfigError, FetchError, SecretError, StoreError } from '../../src/core/errors.ts'
import { generateKey } from '../../src/core/sealing.ts'
import { sealed } from '../../src/store/sealed.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { QuirkyProvider } from '../support/mcp/quirky-provider.ts'
import { connect, openBureau, openProvider, openWith, person, SERVER, serverOf, wish } from './setup.ts'

const [alice, bob] = [person('alice').id, person('bob').id]

describe('G13 a user sees and ends connections', () => {
  it('what is told of a connection, and what is not', async () => {
    const bureau = await openWith()
    await connect(bureau)
    const now = bureau.clock.now()
    const [connection] = await bureau.broker.list(alice)
    expect(connection).toEqual({
      server: SERVER,
      state: 'connected',
      connectedAt: now,
      expiresAt: now + 3_600_000,
      scope: 'tools:read tools:write',
    })
  })

  it('scopes that commas separate (GitHub, Slack) are told like others, and known as granted', async () => {
    const bureau = await openWith('standard', {
      async fetch(url, init) {
        const response = await fetch(url, init)
        if (!url.endsWith('/token')) return response
        return Response.json({ ...((await response.json()) as object), scope: 'tools:read,tools:write, , admin' })
      },
    })
    await connect(bureau)
    expect(await bureau.broker.list(alice)).toMatchObject([{ scope: 'tools:read tools:write admin' }])
    const challenge = (scope: string) => `Bearer error="insufficient_scope", scope="${scope}"`
    expect(await bureau.broker.stepUp(alice, SERVER, challenge('admin tools:read'))).toBeUndefined()
    expect(await bureau.broker.stepUp(alice, SERVER, challenge('gists'))).toEqual({
      scopes: ['tools:read', 'tools:write', 'admin', 'gists'],
      count: 1,
    })
  })

  it('G14 is its owner’s alone', async () => {
    const bureau = await openWith()
    await connect(bureau)
    expect(await bureau.broker.list(bob)).toEqual([])
    expect(await bureau.broker.tokens(bob, SERVER)).toEqual({ kind: 'none' })
    expect(await bureau.broker.disconnect(bob, SERVER)).toBe(false)
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ kind: 'tokens' })
  })

  it('ends here and upstream: both tokens are revoked', async () => {
    const bureau = await openWith()
    await connect(bureau)
    const { accessToken, refreshToken = '' } = bureau.provider.last
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(true)
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'revoked' })
    expect(await bureau.broker.list(alice)).toEqual([])
    const revoked = bureau.provider.asked.filter(({ path }) => path === '/revoke').map(({ parameters }) => parameters)
    expect(revoked).toEqual([
      { token: refreshToken, token_type_hint: 'refresh_token' },
      { token: accessToken, token_type_hint: 'access_token' },
    ])
    expect(bureau.provider.isGood(accessToken)).toBe(false)
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(false)
    expect(bureau.events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected', 'disconnected'])
  })

  it('and the second token may have ended with the first (Google)', async () => {
    const answers = [new Response('{}'), Response.json({ error: 'invalid_token' }, { status: 400 })]
    const bureau = await openWith('google', {
      fetch: async (url, init) => (url.endsWith('/revoke') ? (answers.shift() as Response) : fetch(url, init)),
    })
    await connect(bureau)
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(true)
    expect(answers).toEqual([])
    expect(bureau.events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected', 'disconnected'])
  })

  it("here only, with revocation: 'never'", async () => {
    const bureau = await openWith('standard', { auth: { revocation: 'never' } })
    await connect(bureau)
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(true)
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'revoked' })
    expect(bureau.provider.asked.filter(({ path }) => path === '/revoke')).toEqual([])
    expect(bureau.events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected', 'disconnected'])
  })

  it('here in any case, where the authorization server does not take it', async () => {
    const bureau = await openWith()
    await connect(bureau)
    bureau.provider.mode = 'fail'
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(true)
    expect(await bureau.broker.list(alice)).toEqual([])
    expect(bureau.events.at(-2)).toMatchObject({ kind: 'revocation_failed', server: SERVER, owner: alice })
    const { accessToken, refreshToken = '?' } = bureau.provider.last
    for (const secret of [accessToken, refreshToken]) expect(bureau.told()).not.toContain(secret)
  })

  it('can be made again afterwards', async () => {
    const bureau = await openWith()
    await connect(bureau)
    await bureau.broker.disconnect(alice, SERVER)
    await connect(bureau)
    expect(await bureau.broker.list(alice)).toMatchObject([{ state: 'connected' }])
  })

  it('one that can only be used for so long needs consent then', async () => {
    const bureau = await openWith('no refresh token')
    await connect(bureau)
    bureau.clock.advance(3_601)
    expect(await bureau.broker.list(alice)).toMatchObject([{ server: SERVER, state: 'reauth_required' }])
  })

  it('many, over several servers, in the order of their names', async () => {
    const provider = await openProvider()
    const ids = ['b/two', 'a/one', 'c/three']
    const bureau = await openBureau({ servers: ids.map((id) => serverOf(provider.auth, id)) })
    for (const server of ids) await connect(bureau, 'alice', { server })
    expect((await bureau.broker.list(alice)).map(({ server }) => server)).toEqual(['a/one', 'b/two', 'c/three'])
  })
})

describe('servers that share a client at an authorization server', () => {
  const OTHER = 'dev/other'
  const revocations = ({ asked }: QuirkyProvider) => asked.filter(({ path }) => path === '/revoke')

  it('the one that is ended is revoked, whatever else that ends: somebody has asked for it', async () => {
    const bureau = await openWith('standard')
    bureau.broker.setServers([bureau.server, serverOf(bureau.server.auth, OTHER)])
    await connect(bureau)
    await connect(bureau, 'alice', { server: OTHER })
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(true)
    expect(revocations(bureau.provider)).toHaveLength(2)
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'revoked' })
  })

  it.each([
    ['another server with the same client', 'alice', {}, 0],
    ["somebody else's connection", 'bob', {}, 2],
    ['another client', 'alice', { clientId: 'another' }, 2],
  ])('consent that cannot be stored, beside %s', async (_, who, auth, revoked) => {
    const memory = memoryStore()
    let fails = false
    const put: TokenStore['put'] = (key, ...rest) =>
      fails && key.space === 'connections' ? Promise.reject(new StoreError('full')) : memory.put(key, ...rest)
    const bureau = await openWith('standard', { store: sealed({ ...memory, put }, [generateKey()]) })
    bureau.broker.setServers([bureau.server, serverOf({ ...bureau.server.auth, ...auth }, OTHER)])
    await connect(bureau, who, { server: OTHER })
    fails = true
    expect((await connect(bureau)).status).toBe(503)
    expect(revocations(bureau.provider)).toHaveLength(revoked)
  })

  it('consent that cannot be stored revokes nothing where a connection stands, and everything where none does', async () => {
    const memory = memoryStore()
    let fails = true
    const put: TokenStore['put'] = (key, ...rest) =>
      fails && key.space === 'connections' ? Promise.reject(new StoreError('full')) : memory.put(key, ...rest)
    const bureau = await openWith('standard', { store: sealed({ ...memory, put }, [generateKey()]) })
    expect((await connect(bureau)).status).toBe(503)
    expect(revocations(bureau.provider)).toHaveLength(2)
    fails = false
    await connect(bureau)
    const { accessToken } = bureau.provider.last
    fails = true
    expect((await connect(bureau)).status).toBe(503)
    expect(revocations(bureau.provider)).toHaveLength(2)
    expect(bureau.events.at(-1)).toMatchObject({ kind: 'consent_failed' })
    expect(bureau.events.at(-1)?.detail).toMatch(/full.*left to run out/)
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ tokens: { accessToken } })
  })
})

describe('a record that cannot be read', () => {
  const KEY = { space: 'connections', owner: alice, id: SERVER }

  it.each([
    ['of a later version', '{"state":"suspended","connection":"c"}'],
    ['half written', '{"state":"conn'],
  ])('%s wants consent again, and hides no other', async (_, text) => {
    const bureau = await openWith()
    await connect(bureau, 'bob')
    await bureau.store.put(KEY, Buffer.from(text), { ifVersion: null })
    expect(await bureau.broker.list(alice)).toEqual([{ server: SERVER, state: 'reauth_required' }])
    const { connections } = await bureau.broker.all()
    expect(connections.map(({ owner, state }) => [owner, state])).toEqual(
      expect.arrayContaining([
        [alice, 'reauth_required'],
        [bob, 'connected'],
      ]),
    )
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'reauth_required' })
    expect(await bureau.broker.stepUp(alice, SERVER, 'Bearer error="insufficient_scope", scope="x"')).toBeUndefined()
    expect((await connect(bureau)).body).toContain('is connected')
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ kind: 'tokens' })
  })

  it('can be taken away', async () => {
    const bureau = await openWith()
    await bureau.store.put(KEY, Buffer.from('?'), { ifVersion: null })
    await bureau.broker.disconnectAll(alice)
    expect(await bureau.broker.list(alice)).toEqual([])
  })
})

describe('G9 refresh', () => {
  it('happens in the background before the token expires, and the person notices nothing', async () => {
    const bureau = await openWith()
    await connect(bureau)
    const first = bureau.provider.last.accessToken
    bureau.clock.advance(3_550)
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ tokens: { accessToken: first } })
    await expect.poll(() => bureau.events.map(({ kind }: ConnectionEvent) => kind)).toContain('refreshed')
    const second = bureau.provider.last.accessToken
    expect(second).not.toBe(first)
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ tokens: { accessToken: second } })
    expect(await bureau.broker.list(alice)).toMatchObject([{ connectedAt: bureau.clock.now() - 3_550_000 }])
  })

  it('many callers at once: one redemption', async () => {
    const bureau = await openWith()
    await connect(bureau)
    bureau.clock.advance(3_601)
    const found = await Promise.all(Array.from({ length: 20 }, () => bureau.broker.tokens(alice, SERVER)))
    for (const each of found) expect(each).toMatchObject({ tokens: { accessToken: bureau.provider.last.accessToken } })
    expect(bureau.provider.asked.filter(({ parameters }) => parameters.grant_type === 'refresh_token')).toHaveLength(1)
  })

  it('while the authorization server is down: 503 and not consent, and an event', async () => {
    const bureau = await openWith()
    await connect(bureau)
    bureau.clock.advance(3_601)
    bureau.provider.mode = 'fail'
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ kind: 'unavailable' })
    expect(bureau.events.at(-1)).toMatchObject({ kind: 'refresh_failed', reason: 'failed' })
    expect(await bureau.broker.list(alice)).toMatchObject([{ state: 'connected' }])
    bureau.provider.mode = 'ok'
    bureau.clock.advance(60)
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ kind: 'tokens' })
  })

  it.each(['google', 'standard'] as const)(
    'that is under way while the person connects again ends nothing (%s)',
    async (kind) => {
      let answer = (): void => {}
      const answered = new Promise<void>((resolve) => {
        answer = resolve
      })
      let begin = (): void => {}
      const begun = new Promise<void>((resolve) => {
        begin = resolve
      })
      const bureau = await openWith(kind, {
        async fetch(url, init) {
          const response = await fetch(url, init)
          if (!String(init.body).includes('grant_type=refresh_token')) return response
          begin()
          await answered
          return response
        },
      })
      await connect(bureau)
      bureau.clock.advance(86_400)
      const asking = bureau.broker.tokens(alice, SERVER)
      await begun
      expect((await connect(bureau)).body).toContain('is connected')
      answer()
      expect((await asking).kind).toBe('tokens')
      await expect.poll(() => bureau.events.at(-1)).toMatchObject({ kind: 'refresh_failed', reason: 'superseded' })
      expect(bureau.provider.asked.filter(({ path }) => path === '/revoke')).toEqual([])
    },
  )

  it('close() waits for a refresh that is under way', async () => {
    const bureau = await openWith()
    await connect(bureau)
    bureau.clock.advance(3_550)
    await bureau.broker.tokens(alice, SERVER)
    await bureau.broker.close()
    expect(bureau.events.at(-1)?.kind).toBe('refreshed')
    const other = await openBureau({ servers: [bureau.server], store: bureau.store, clock: bureau.clock })
    expect(await other.broker.tokens(alice, SERVER)).toMatchObject({
      tokens: { accessToken: bureau.provider.last.accessToken },
    })
  })
})

describe('a server that is configured anew', () => {
  it('with another authorization server or client: old tokens are sent to nobody, and consent is asked for', async () => {
    const bureau = await openWith()
    await connect(bureau)
    const evil = await openProvider()
    const { accessToken, refreshToken = '?' } = bureau.provider.last
    for (const auth of [
      evil.auth,
      { ...bureau.server.auth, clientId: 'another' },
      { ...bureau.server.auth, resource: 'https://other.example.com/' },
    ]) {
      bureau.broker.setServers([{ ...bureau.server, auth }])
      expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'reauth_required' })
      expect(await bureau.broker.tokens(alice, SERVER, { rejected: 'x' })).toEqual({ kind: 'reauth_required' })
      expect(await bureau.broker.list(alice)).toMatchObject([{ state: 'reauth_required' }])
    }
    bureau.clock.advance(7_200)
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'reauth_required' })
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(true)
    expect(bureau.events.at(-2)?.kind).toBe('revocation_failed')
    const sent = JSON.stringify([evil.asked, bureau.provider.asked.filter(({ path }) => path !== '/token')])
    for (const secret of [accessToken, refreshToken]) expect(sent).not.toContain(secret)
    expect(bureau.provider.asked.filter(({ path }) => path === '/token')).toHaveLength(1)
  })

  it('back as it was: the connection is there still', async () => {
    const bureau = await openWith()
    await connect(bureau)
    bureau.broker.setServers([])
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'none' })
    expect(await bureau.broker.list(alice)).toMatchObject([{ server: SERVER, state: 'reauth_required' }])
    bureau.broker.setServers([bureau.server])
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ kind: 'tokens' })
  })

  it('metadata and secrets of servers that stay are not looked up again', async () => {
    const looked: string[] = []
    const provider = await openProvider()
    const server = serverOf({ ...provider.auth, clientSecret: { secret: 'vault:x' } })
    const bureau = await openBureau({
      servers: [server],
      secrets(name) {
        looked.push(name)
        return String(provider.auth.clientSecret)
      },
    })
    await connect(bureau)
    bureau.broker.setServers([structuredClone(server)])
    await connect(bureau, 'bob')
    expect(looked).toEqual(['vault:x'])
    expect(provider.asked.filter(({ path }) => path.startsWith('/.well-known/oauth'))).toHaveLength(1)
  })

  it('a bad configuration changes nothing', async () => {
    const bureau = await openWith()
    const { issuer: _, ...auth } = bureau.server.auth
    const endpoints = { authorizationUrl: 'https://a.example.com/a', tokenUrl: 'https://a.example.com/t' }
    const shared = [
      { ...bureau.server, auth: { ...bureau.server.auth, callbackPath: '/back' } },
      { ...bureau.server, id: 'dev/other', auth: { ...auth, ...endpoints, callbackPath: '/back' } },
    ]
    expect(() => bureau.broker.setServers(shared)).toThrow(ConfigError)
    expect(bureau.broker.redirectUrls()).toHaveLength(1)
    await expect(openBureau({ servers: shared })).rejects.toThrow(/servers\["dev\/other"\]\.auth\.callbackPath/)
  })
})

describe('ready()', () => {
  it('finds secrets and endpoints', async () => {
    const bureau = await openWith()
    await expect(bureau.broker.ready()).resolves.toBeUndefined()
  })

  it('names all that is missing', async () => {
    const bureau = await openWith('standard', { auth: { clientSecret: { secret: 'env:NO_SUCH_SECRET' } } })
    await expect(bureau.broker.ready()).rejects.toThrow(SecretError)
    const nowhere = serverOf({ type: 'oauth2', clientId: 'x', issuer: 'http://127.0.0.1:1' }, 'dev/nowhere')
    bureau.broker.setServers([bureau.server, nowhere])
    const failing = bureau.broker.ready()
    await expect(failing).rejects.toThrow(FetchError)
    await expect(failing).rejects.toThrow(/NO_SUCH_SECRET.*127\.0\.0\.1:1|127\.0\.0\.1:1.*NO_SUCH_SECRET/)
  })
})

/** A store that writes connections and loses its answers, and then is away where `away`, while `lossy`. */
function lossyStore() {
  const memory = memoryStore()
  const state = { lossy: false, away: false, gone: false }
  const store: TokenStore = {
    ...memory,
    get: (key) => (state.gone ? Promise.reject(new StoreError('the store is away')) : memory.get(key)),
    async put(key, ...rest) {
      const written = await memory.put(key, ...rest)
      if (!state.lossy || key.space !== 'connections') return written
      state.gone = state.away
      throw new StoreError('the answer is lost')
    },
  }
  return { state, store: sealed(store, [generateKey()]) }
}

describe('the store loses an answer', () => {
  it('consent: what is stored is connected, and good', async () => {
    const { state, store } = lossyStore()
    const bureau = await openWith('standard', { store })
    state.lossy = true
    expect((await connect(bureau)).body).toContain('is connected')
    expect(bureau.provider.isGood(bureau.provider.last.accessToken)).toBe(true)
    expect(await bureau.broker.tokens(alice, SERVER)).toMatchObject({ kind: 'tokens' })
    expect(bureau.events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected'])
  })

  it.each([false, true])('disconnecting: ended here and upstream, and told; and is away: %s', async (away) => {
    const { state, store } = lossyStore()
    const bureau = await openWith('standard', { store })
    await connect(bureau)
    Object.assign(state, { lossy: true, away })
    const ended = bureau.broker.disconnect(alice, SERVER)
    if (away) await expect(ended).rejects.toThrow(StoreError)
    else expect(await ended).toBe(true)
    state.gone = false
    expect(bureau.provider.isGood(bureau.provider.last.accessToken)).toBe(false)
    expect(await bureau.broker.tokens(alice, SERVER)).toEqual({ kind: 'revoked' })
    expect(await bureau.broker.disconnect(alice, SERVER)).toBe(false)
    expect(bureau.events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected', 'disconnected'])
  })
})

describe('the store', () => {
  it('away: pages say so with 503, and nothing is used up', async () => {
    const bureau = await openWith()
    let away = false
    const { store } = bureau
    const flaky = new Proxy(store, {
      get(target, name: keyof typeof store) {
        const own = target[name]
        if (typeof own !== 'function') return own
        return (...args: never[]) => {
          if (away) return Promise.reject(Object.assign(new Error('the store is away'), { code: 'ERR_STORE' }))
          return (own as (...given: never[]) => unknown).apply(target, args)
        }
      },
    })
    const other = await openBureau({ servers: [bureau.server], store: flaky })
    const browser = other.browserOf('alice')
    const url = await other.broker.connectUrl(wish('alice'))
    const page = await browser.load(url)
    away = true
    for (const answer of [await browser.load(url), await browser.submit(page, {})]) {
      expect(answer.status).toBe(503)
      expect(answer.headers['retry-after']).toBe('10')
      expect(answer.body).not.toContain('is away')
    }
    away = false
    expect((await browser.submit(await browser.load(url), {})).body).toContain('is connected')
  })

  it('holds nothing in the clear', async () => {
    const { memoryStore } = await import('../../src/stores/memory.ts')
    const { sealed } = await import('../../src/store/sealed.ts')
    const { everyRecord } = await import('../../src/store/every-record.ts')
    const { generateKey } = await import('../../src/core/sealing.ts')
    const raw = memoryStore()
    const bureau = await openWith('standard', { store: sealed(raw, [generateKey()]) })
    const url = await bureau.broker.connectUrl(wish('alice', { returnTo: 'https://app.example.com/secret-place' }))
    await connect(bureau)
    const texts: string[] = []
    for (const space of ['connections', 'consent-links', 'open-consent-links', 'consent-flows']) {
      for await (const { key, value } of everyRecord((page) => raw.scan(space, page))) {
        texts.push(JSON.stringify(key), Buffer.from(value).toString('utf8'))
      }
    }
    expect(texts.length).toBeGreaterThan(4)
    const { accessToken, refreshToken = '?' } = bureau.provider.last
    for (const secret of [accessToken, refreshToken, url.slice(-43), 'secret-place'])
      expect(texts.join()).not.toContain(secret)
  })
})
