/** Tokens that stay fresh: when they are refreshed, what callers get, and how old a look-up may be. */
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { Key, TokenStore } from '../../src/store/token-store.ts'
import { gate, HASTY, key, setUp } from './refresher-setup.ts'

const MINUTE = 60_000

describe('G9 B1 refresher: when tokens are refreshed', () => {
  it('there is nothing for nobody', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    expect(await refresher.tokens(key)).toEqual({ kind: 'none' })
    expect(await refresher.disconnect(key)).toBe(false)
  })

  it('tokens that are good for long are handed out as they are', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    const first = await refresher.tokens(key)
    expect(first).toMatchObject({ kind: 'tokens', tokens })
    expect(await refresher.tokens(key)).toEqual(first)
    expect(bench.server.redemptions()).toBe(0)
  })

  it('what is at hand is known at once, until it is due, ended or made anew', async () => {
    const bench = setUp()
    const refresher = bench.refresher({ times: { cacheMs: MINUTE } })
    const tokens = bench.server.issue()
    expect(refresher.known(key)).toBeUndefined()
    await refresher.connect(key, tokens)
    expect(refresher.known(key)).toBeUndefined()
    const found = await refresher.tokens(key)
    expect(refresher.known(key)).toEqual(found)
    expect(refresher.known({ ...key, owner: 'alic', id: 'egithub' })).toBeUndefined()
    expect(refresher.known({ ...key, owner: 'aliceg', id: 'ithub' })).toBeUndefined()

    const { time } = bench
    bench.time = tokens.expiresAt - 1
    expect(refresher.known(key)).toBeUndefined()
    bench.time = tokens.expiresAt
    expect(refresher.known(key)).toBeUndefined()
    bench.time = time
    expect(refresher.known(key)).toEqual(found)

    await refresher.connect(key, bench.server.issue())
    expect(refresher.known(key)).toBeUndefined()
    await refresher.tokens(key)
    expect(refresher.known(key)).toBeDefined()
    await refresher.disconnect(key)
    expect(refresher.known(key)).toBeUndefined()
    expect(await refresher.tokens(key)).toEqual({ kind: 'revoked' })
    expect(refresher.known(key)).toBeUndefined()
  })

  it('expired ones are refreshed first', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const found = await refresher.tokens(key)
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect(bench.kinds()).toEqual(['refreshed'])
  })

  it('soon before they expire, in the background: nobody waits', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const answer = gate()
    bench.redeem = async (tokens) => {
      await answer.passed
      return bench.server.redeem(tokens)
    }
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    bench.time = tokens.expiresAt - 70_000
    await refresher.tokens(key)
    bench.time = tokens.expiresAt - 50_000
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens', tokens })
    answer.open()
    await expect.poll(bench.kinds).toEqual(['refreshed'])
    const found = await refresher.tokens(key)
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect(bench.server.redemptions()).toBe(1)
  })

  it('tokens that are never good for long are not refreshed all the time', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const tokens = bench.server.issue({ expiresInMs: 30_000 })
    await refresher.connect(key, tokens)
    for (let index = 0; index < 5; index++) expect(await refresher.tokens(key)).toMatchObject({ tokens })
    bench.time += 20_000
    expect(await refresher.tokens(key)).toMatchObject({ tokens })
    expect(await bench.record()).toMatchObject({ state: 'connected' })
    expect(bench.server.redemptions()).toBe(0)
    bench.time += 8_000
    expect(await refresher.tokens(key), 'a fifth of the time is left').toMatchObject({ tokens })
    await expect.poll(bench.server.redemptions).toBe(1)
  })

  it('tokens that come expired cause one redemption for each question, not a storm', async () => {
    const bench = setUp()
    bench.redeem = async (tokens) => ({ ...(await bench.server.redeem(tokens)), expiresAt: 0 })
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    expect(await refresher.tokens(key)).toEqual({ kind: 'unavailable', retryAfterMs: 1_000 })
    expect(bench.server.redemptions()).toBe(1)
  })

  it('without an expiry they are good until they are refused', async () => {
    const bench = setUp()
    const refresher = bench.refresher({ expiresAt: () => undefined })
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    bench.time += 365 * 24 * 60 * MINUTE
    const found = await refresher.tokens(key)
    expect(found).toMatchObject({ kind: 'tokens', tokens })
    const after = await refresher.tokens(key, { rejected: found.kind === 'tokens' ? found.stamp : '' })
    expect(after.kind === 'tokens' && bench.server.isGood(after.tokens)).toBe(true)
    expect(bench.server.redemptions()).toBe(1)
  })

  it('without a refresh token they are good until they expire; then the person must consent again', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const tokens = { ...bench.server.issue(), refresh: '' }
    await refresher.connect(key, tokens)
    bench.time = tokens.expiresAt - 1
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens', tokens })
    bench.time = tokens.expiresAt
    expect(await refresher.tokens(key)).toEqual({ kind: 'reauth_required' })
    expect(bench.server.redemptions()).toBe(0)
  })

  it('a refresh takes the whole family along: what redeem returns is stored as it is', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const old = bench.server.issue({ expiresInMs: 0 })
    await refresher.connect(key, old)
    // The server sent no new refresh token: redeem keeps the old one.
    bench.redeem = async (tokens) => ({ ...tokens, access: 'new', expiresAt: bench.time + 60 * MINUTE })
    expect(await refresher.tokens(key)).toMatchObject({ tokens: { access: 'new', refresh: old.refresh } })
    expect(await bench.record()).toMatchObject({ state: 'connected', tokens: { refresh: old.refresh } })
  })
})

describe('G9 refresher: tokens that the resource refused', () => {
  it('are refreshed once, however many say so', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue())
    const before = await refresher.tokens(key)
    const rejected = before.kind === 'tokens' ? before.stamp : ''
    const found = await Promise.all(Array.from({ length: 20 }, () => refresher.tokens(key, { rejected })))
    for (const one of found) expect(one.kind === 'tokens' && bench.server.isGood(one.tokens)).toBe(true)
    const late = await refresher.tokens(key, { rejected })
    expect(late, 'somebody who is late gets the new ones').toEqual(found[0])
    expect(bench.server.redemptions()).toBe(1)
  })

  it('are not handed out again where they cannot be refreshed right now', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue())
    const before = await refresher.tokens(key)
    bench.redeem = async () => Promise.reject(new Error('503'))
    const rejected = before.kind === 'tokens' ? before.stamp : ''
    for (let index = 0; index < 2; index++) {
      expect(await refresher.tokens(key, { rejected })).toMatchObject({ kind: 'unavailable' })
    }
    expect(await refresher.tokens(key), 'others try with them').toMatchObject({ kind: 'tokens' })
  })

  it('may be only what is cached here: the store is asked first', async () => {
    const bench = setUp()
    const times = { cacheMs: 60 * MINUTE }
    const [here, there] = [bench.refresher({ times }), bench.refresher({ times })]
    const noRefresh = { ...bench.server.issue(), refresh: '' }
    await here.connect(key, noRefresh)
    const before = await here.tokens(key)
    const fresh = bench.server.issue()
    await there.connect(key, fresh)
    expect(await here.tokens(key), 'cached').toEqual(before)
    const rejected = before.kind === 'tokens' ? before.stamp : ''
    expect(await here.tokens(key, { rejected })).toMatchObject({ tokens: fresh })
    expect(bench.server.redemptions()).toBe(0)
  })

  it('a stamp says nothing about the tokens', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    const found = await refresher.tokens(key)
    expect(found).toMatchObject({ stamp: expect.stringMatching(/^[\w-]{22}$/) })
  })
})

describe('G13 G14 refresher: how old a look-up may be', () => {
  /** Counts what the store is asked. */
  function counting(store: TokenStore) {
    const count = { gets: 0, leases: 0 }
    const counted: TokenStore = {
      ...store,
      get(where) {
        count.gets++
        return store.get(where)
      },
      lease(where, ttlMs) {
        count.leases++
        return store.lease(where, ttlMs)
      },
    }
    return { count, counted }
  }

  it('cacheMs at most', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const bench = setUp()
    const { count, counted } = counting(bench.store)
    const here = bench.refresher({ store: counted, times: { cacheMs: 150 } })
    const there = bench.refresher()
    await here.connect(key, bench.server.issue())
    await here.tokens(key)
    const { gets } = count
    vi.advanceTimersByTime(149)
    for (let index = 0; index < 10; index++) await here.tokens(key)
    expect(count.gets).toBe(gets)
    await there.disconnect(key)
    expect(await here.tokens(key)).toMatchObject({ kind: 'tokens' })
    vi.advanceTimersByTime(1)
    expect(await here.tokens(key)).toEqual({ kind: 'revoked' })
  })

  it('no time at all where the store tells of changes', async () => {
    const bench = setUp()
    const listeners = new Set<(key: Key | 'all') => void>()
    const telling: TokenStore = {
      ...bench.store,
      changes(listener) {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
    }
    const here = bench.refresher({ store: telling, times: { cacheMs: 60 * MINUTE } })
    const there = bench.refresher()
    for (const told of [key, 'all'] as const) {
      await here.connect(key, bench.server.issue())
      expect(await here.tokens(key)).toMatchObject({ kind: 'tokens' })
      await there.disconnect(key)
      for (const listener of listeners) listener(told)
      expect(await here.tokens(key)).toEqual({ kind: 'revoked' })
    }
    await here.close()
    expect(listeners.size, 'close() stops listening').toBe(0)
  })

  it('no time at all for what this process has changed, also with a read under way', async () => {
    const bench = setUp()
    const slow = gate()
    let held = 0
    const store: TokenStore = {
      ...bench.store,
      async get(where) {
        const found = await bench.store.get(where)
        if (held-- > 0) await slow.passed
        return found
      },
    }
    const refresher = bench.refresher({ store, times: { cacheMs: 60 * MINUTE } })
    await refresher.connect(key, bench.server.issue())
    held = 1
    const before = refresher.tokens(key)
    await refresher.disconnect(key)
    slow.open()
    expect(await before, 'asked before').toMatchObject({ kind: 'tokens' })
    expect(await refresher.tokens(key), 'asked after').toEqual({ kind: 'revoked' })
  })

  it('a failed refresh costs the store little until the next may be tried', async () => {
    const bench = setUp()
    const { count, counted } = counting(bench.store)
    const refresher = bench.refresher({ store: counted, times: { cacheMs: 60 * MINUTE } })
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    bench.redeem = async () => Promise.reject(new Error('503'))
    bench.time = tokens.expiresAt - 10_000
    await refresher.tokens(key)
    await expect.poll(bench.kinds).toEqual(['failed'])
    await expect.poll(async () => (await bench.record())?.state).toBe('connected')
    await refresher.tokens(key)
    const { gets, leases } = count
    for (let index = 0; index < 20; index++) expect(await refresher.tokens(key)).toMatchObject({ tokens })
    expect(count).toEqual({ gets, leases })
  })
})

describe('G13 refresher: connections end and begin', () => {
  it('ended ones are revoked at the authorization server, and stay ended', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    expect(await refresher.disconnect(key)).toBe(true)
    expect(bench.revoked).toEqual([tokens])
    expect(await refresher.tokens(key)).toEqual({ kind: 'revoked' })
    expect(await refresher.disconnect(key)).toBe(false)
    expect(JSON.stringify(await bench.record())).not.toContain(tokens.access)
  })

  it('a revocation that fails is told, and the connection is ended all the same', async () => {
    const bench = setUp()
    const refresher = bench.refresher({ revoke: async () => Promise.reject(new Error('503')) })
    await refresher.connect(key, bench.server.issue())
    expect(await refresher.disconnect(key)).toBe(true)
    expect(bench.events).toEqual([{ key, kind: 'revocation_failed', detail: '503' }])
    expect(await refresher.tokens(key)).toEqual({ kind: 'revoked' })
  })

  it('an authorization server that hangs holds nobody up who ends a connection; it is told all the same', async () => {
    const bench = setUp()
    let giveUp = (): void => {}
    const hanging = new Promise<void>((_, reject) => {
      giveUp = () => reject(new Error('503'))
    })
    const refresher = bench.refresher({ revoke: () => hanging, times: { revokeWaitMs: 20 } })
    await refresher.connect(key, bench.server.issue())
    expect(await refresher.disconnect(key)).toBe(true)
    expect(await refresher.tokens(key)).toEqual({ kind: 'revoked' })
    const closing = refresher.close()
    expect(bench.events).toEqual([])
    giveUp()
    await closing
    expect(bench.events).toEqual([{ key, kind: 'revocation_failed', detail: '503' }])
  })

  it('an account that is connected again works, and for good', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue())
    await refresher.disconnect(key)
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    expect(await refresher.tokens(key)).toMatchObject({ tokens })
  })

  it.each([
    ['the same', false],
    ['a new one', true],
  ])('connected again while a refresh is under way, which brings %s refresh token', async (_, rotates) => {
    const bench = setUp()
    const [asked, answer] = [gate(), gate()]
    bench.redeem = async (tokens) => {
      asked.open()
      await answer.passed
      return { ...tokens, access: 'late', ...(rotates && { refresh: `${tokens.refresh}-2` }) }
    }
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const asking = refresher.tokens(key)
    await asked.passed
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    answer.open()
    expect(await asking).toMatchObject({ tokens })
    // Where people have one grant for each client, the new connection would end with a token of the one before.
    expect(bench.kinds()).toEqual(['superseded'])
    expect(bench.revoked).toEqual([])
  })

  it('ended while a refresh is under way: what it brings is revoked, whatever refresh token that is', async () => {
    const bench = setUp()
    const [asked, answer] = [gate(), gate()]
    bench.redeem = async (tokens) => {
      asked.open()
      await answer.passed
      return { ...tokens, access: 'late' }
    }
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const asking = refresher.tokens(key)
    await asked.passed
    await refresher.disconnect(key)
    answer.open()
    expect(await asking).toEqual({ kind: 'revoked' })
    expect(bench.kinds()).toEqual(['revoked_late'])
    expect(bench.revoked.at(-1)?.access).toBe('late')
  })

  it('what cannot be read any more is replaced or ended', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await bench.store.put(key, Buffer.from('nonsense'), { ifVersion: null })
    await expect(refresher.tokens(key)).rejects.toThrow(SyntaxError)
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    expect(await refresher.tokens(key)).toMatchObject({ tokens })
    await bench.store.put(key, Buffer.from('nonsense'), { ifVersion: (await bench.store.get(key))?.version ?? null })
    await refresher.disconnect(key)
    expect(await refresher.tokens(key)).toEqual({ kind: 'none' })
  })

  it('one with a time to live is gone after it, refreshed or not', async () => {
    const bench = setUp()
    const store = memoryStore({ clock: { now: () => bench.time } })
    const refresher = bench.refresher({ store })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 1_000 }), { ttlMs: 60_000 })
    bench.time += 2_000
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
    expect(bench.kinds()).toEqual(['refreshed'])
    bench.time += 57_000
    expect((await store.get(key)) !== undefined).toBe(true)
    bench.time += 2_000
    expect(await store.get(key)).toBeUndefined()
    expect(await refresher.tokens(key)).toEqual({ kind: 'none' })
  })

  it('nothing new is begun after close()', async () => {
    const bench = setUp()
    const refresher = bench.refresher({ times: HASTY })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    await refresher.close()
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'unavailable' })
    expect(bench.server.redemptions()).toBe(0)
  })
})
