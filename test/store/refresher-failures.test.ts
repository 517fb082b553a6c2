/** Refreshes that fail: at the authorization server, in the store, and on the way out. */
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { RedeemError } from '../../src/store/redeem-error.ts'
import { breakable, gate, HASTY, key, setUp } from './refresher-setup.ts'

const down = async () => Promise.reject(new StoreError('the store is down'))

describe('B1 refresher: the authorization server fails', () => {
  it('a dead refresh token means that the person must consent again', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    bench.redeem = async () => Promise.reject(new RedeemError('dead', 'invalid_grant'))
    expect(await refresher.tokens(key)).toEqual({ kind: 'reauth_required' })
    expect(bench.events).toEqual([{ key, kind: 'reauth_required', detail: 'invalid_grant' }])
    expect(await bench.record()).toEqual({ state: 'reauth_required', connection: expect.any(String) })
    expect(await refresher.tokens(key)).toEqual({ kind: 'reauth_required' })
  })

  it.each([
    ['another refusal', new RedeemError('rejected', 'invalid_client')],
    ['no answer', new TypeError('fetch failed')],
    ['nonsense', new SyntaxError('Unexpected token')],
  ])('%s leaves the connection, and tries again later and later', async (_, error) => {
    const bench = setUp()
    const refresher = bench.refresher({ times: { backoffMs: 10_000, maxBackoffMs: 30_000 } })
    const tokens = bench.server.issue({ expiresInMs: 0 })
    await refresher.connect(key, tokens)
    let tries = 0
    bench.redeem = async () => {
      tries++
      throw error
    }
    const pauses: number[] = []
    for (let round = 1; round <= 5; round++) {
      const found = await refresher.tokens(key)
      expect(found).toMatchObject({ kind: 'unavailable', retryAfterMs: expect.any(Number) })
      expect(tries).toBe(round)
      const record = await bench.record()
      expect(record).toMatchObject({ state: 'connected', tokens, failures: round })
      expect(record?.attempt).toBeUndefined()
      const retryAt = record?.retryAt ?? 0
      pauses.push(retryAt - bench.time)
      expect(found.kind === 'unavailable' && found.retryAfterMs).toBe(retryAt - bench.time)
      bench.time = retryAt - 1
      await refresher.tokens(key)
      expect(tries, 'not before its time').toBe(round)
      bench.time = retryAt
    }
    for (const [index, least] of [7_500, 15_000, 22_500, 22_500, 22_500].entries()) {
      expect(pauses[index]).toBeGreaterThanOrEqual(least)
      expect(pauses[index]).toBeLessThanOrEqual((least / 0.75) * 1.25)
    }
    bench.redeem = bench.server.redeem
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
    expect((await bench.record())?.failures, 'all is forgotten').toBeUndefined()
  })

  describe('a refresh token that is refused in words that nobody knows', () => {
    const HOUR = 3_600_000
    const refused = new RedeemError('rejected', 'invalid_request', { error: 'invalid_request' })

    /** What is found, each time that many hours later. */
    async function foundAfter(hours: readonly number[], fail: (round: number) => Error, expiresInMs = 0) {
      const bench = setUp()
      const refresher = bench.refresher()
      await refresher.connect(key, bench.server.issue({ expiresInMs }))
      let round = 0
      bench.redeem = async () => Promise.reject(fail(round))
      const kinds: string[] = []
      for (const each of hours) {
        bench.time += each * HOUR
        kinds.push((await refresher.tokens(key)).kind)
        // With tokens that are still good nobody waits for a refresh.
        await expect.poll(() => bench.events.length).toBe(++round)
      }
      return { bench, kinds }
    }

    it('is dead at the third time, six hours after the first', async () => {
      const { bench, kinds } = await foundAfter([0, 1, 1, 3.9, 0.1], () => refused)
      expect(kinds).toEqual([...Array(4).fill('unavailable'), 'reauth_required'])
      expect(bench.kinds().at(-1)).toBe('reauth_required')
      expect(await bench.record()).toEqual({ state: 'reauth_required', connection: expect.any(String) })
    })

    it('is not dead at the second time, however late', async () => {
      expect((await foundAfter([0, 100], () => refused)).kinds).toEqual(['unavailable', 'unavailable'])
      expect((await foundAfter([0, 100, 1], () => refused)).kinds).toContain('reauth_required')
    })

    it('is not dead for answers that say nothing of it, not even after a year', async () => {
      const errors = [
        new RedeemError('rejected', 'invalid_client', { error: 'invalid_client' }),
        new RedeemError('rejected', 'answered 404 and no JSON'),
        new RedeemError('transient', 'answered 503'),
        new TypeError('fetch failed'),
      ]
      const { bench, kinds } = await foundAfter(Array(12).fill(30 * 24), (round) => errors[round % 4] ?? refused)
      expect(new Set(kinds)).toEqual(new Set(['unavailable']))
      expect((await bench.record())?.refused).toBeUndefined()
    })

    it('nor for them after refusals', async () => {
      const invalidClient = new RedeemError('rejected', 'invalid_client', { error: 'invalid_client' })
      const { bench, kinds } = await foundAfter([0, 1, 1, 10, 10], (round) => (round < 3 ? refused : invalidClient))
      expect(new Set(kinds)).toEqual(new Set(['unavailable']))
      expect((await bench.record())?.refused?.times, 'which are not forgotten either').toBe(3)
    })

    it('is not dead while the access token is good', async () => {
      const day = 24 * HOUR
      const times = { earlyMs: day }
      const bench = setUp()
      const refresher = bench.refresher({ times })
      const tokens = bench.server.issue({ expiresInMs: 5 * day })
      await refresher.connect(key, tokens)
      bench.redeem = async () => Promise.reject(refused)
      bench.time += 4.2 * day
      for (let round = 1; round <= 4; round++) {
        expect(await refresher.tokens(key)).toMatchObject({ tokens })
        await expect.poll(async () => (await bench.record())?.refused?.times).toBe(round)
        await expect.poll(async () => (await bench.record())?.state).toBe('connected')
        bench.time += 4 * HOUR
      }
      bench.time = tokens.expiresAt
      expect(await refresher.tokens(key)).toEqual({ kind: 'reauth_required' })
    })

    it('is dead too where the server never says when tokens expire, and the resource refuses them', async () => {
      const bench = setUp()
      const refresher = bench.refresher({ expiresAt: () => undefined })
      await refresher.connect(key, bench.server.issue())
      bench.redeem = async () => Promise.reject(refused)
      const found = await refresher.tokens(key)
      const rejected = found.kind === 'tokens' ? found.stamp : ''
      for (let round = 0; round < 2; round++) {
        expect(await refresher.tokens(key, { rejected })).toMatchObject({ kind: 'unavailable' })
        bench.time += 3 * HOUR
      }
      expect(await refresher.tokens(key, { rejected })).toEqual({ kind: 'reauth_required' })
    })

    it('a redemption that goes well forgets all of that', async () => {
      const { bench } = await foundAfter([0, 7], () => refused)
      bench.time += HOUR
      bench.redeem = bench.server.redeem
      expect(await bench.refresher().tokens(key)).toMatchObject({ kind: 'tokens' })
      expect((await bench.record())?.refused).toBeUndefined()
    })

    it('a time that a machine whose clock is ahead has written does not count', async () => {
      const bench = setUp()
      const tokens = bench.server.issue({ expiresInMs: 0 })
      const ahead = { times: 2, since: bench.time + HOUR }
      await bench.write({ state: 'connected', connection: 'one', tokens, refused: ahead })
      bench.redeem = async () => Promise.reject(refused)
      await bench.refresher().tokens(key)
      expect((await bench.record())?.refused).toEqual({ times: 1, since: Math.floor(bench.time) })
    })
  })

  it('waits as long as it is asked to', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    bench.redeem = async () => Promise.reject(new RedeemError('transient', '429', { retryAfterMs: 1_234_567 }))
    expect(await refresher.tokens(key)).toEqual({ kind: 'unavailable', retryAfterMs: 1_234_567 })
  })

  it('waits an hour at most, though it is asked to wait for decades', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    bench.redeem = async () => Promise.reject(new RedeemError('transient', '429', { retryAfterMs: 1_767_225_600_000 }))
    expect(await refresher.tokens(key)).toEqual({ kind: 'unavailable', retryAfterMs: 3_600_000 })
    bench.redeem = bench.server.redeem
    bench.time += 3_600_001
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
  })

  it('does not wait for a time that a machine whose clock is ahead has written', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const tokens = bench.server.issue({ expiresInMs: 0 })
    const ahead = bench.time + 3_600_001
    await bench.write({ state: 'connected', connection: 'one', tokens, failures: 1, retryAt: ahead })
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
    expect((await bench.record())?.retryAt).toBeUndefined()
  })

  it('tokens that are still good are handed out meanwhile', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    bench.redeem = async () => Promise.reject(new Error('503'))
    bench.time = tokens.expiresAt - 5_000
    for (let index = 0; index < 5; index++) expect(await refresher.tokens(key)).toMatchObject({ tokens })
    await expect.poll(bench.kinds).toEqual(['failed'])
  })

  it('another machine that has succeeded ends the pause here', async () => {
    const bench = setUp()
    const here = bench.refresher({ times: { cacheMs: 3_600_000 } })
    await here.connect(key, bench.server.issue({ expiresInMs: 0 }))
    bench.redeem = async () => Promise.reject(new Error('503'))
    expect(await here.tokens(key)).toMatchObject({ kind: 'unavailable' })
    const tokens = bench.server.issue()
    await bench.refresher().connect(key, tokens)
    expect(await here.tokens(key)).toMatchObject({ tokens })
  })

  it('one that takes its time is waited for: the lease is renewed', async () => {
    const bench = setUp()
    const renewed = gate()
    let renewals = 0
    const store = {
      ...bench.store,
      lease: async (...call: Parameters<typeof bench.store.lease>) => {
        const lease = await bench.store.lease(...call)
        return (
          lease && {
            ...lease,
            renew(ttlMs: number) {
              // Past the time that the first lease would have allowed.
              if (++renewals === 5) renewed.open()
              return lease.renew(ttlMs)
            },
          }
        )
      },
    }
    bench.redeem = async (tokens) => {
      await renewed.passed
      return bench.server.redeem(tokens)
    }
    const times = { leaseMs: 1_500, marginMs: 600 }
    const slow = bench.refresher({ store, times })
    const other = bench.refresher({ times })
    await slow.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const both = await Promise.all([slow.tokens(key), slow.tokens(key).then(() => other.tokens(key))])
    for (const found of both) expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect([bench.server.redemptions(), bench.server.reuse()]).toEqual([1, 0])
    expect(bench.kinds()).toEqual(['refreshed'])
  })

  it('one that never answers is given up, and the connection is left as it was', async () => {
    const bench = setUp()
    const refresher = bench.refresher({ times: { ...HASTY, maxRedeemMs: 400 } })
    const tokens = bench.server.issue({ expiresInMs: 0 })
    await refresher.connect(key, tokens)
    bench.redeem = (_, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'unavailable' })
    expect(bench.events).toMatchObject([{ kind: 'failed', detail: 'the authorization server took too long' }])
    expect(await bench.record()).toMatchObject({ state: 'connected', tokens })
  })

  it('a lease that cannot be renewed ends the redemption before it ends', async () => {
    const bench = setUp()
    const store = {
      ...bench.store,
      lease: async (...call: Parameters<typeof bench.store.lease>) => {
        const lease = await bench.store.lease(...call)
        return lease && { ...lease, renew: down }
      },
    }
    const refresher = bench.refresher({ store, times: { ...HASTY, leaseMs: 1_000, marginMs: 700 } })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    let stillHeld: unknown
    bench.redeem = (_, signal) =>
      new Promise((_resolve, reject) =>
        signal.addEventListener('abort', async () => {
          stillHeld = (await bench.store.lease(key, 1)) === undefined
          reject(signal.reason)
        }),
      )
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'unavailable' })
    expect(stillHeld).toBe(true)
  })
})

describe('B1 refresher: the store fails', () => {
  it('nothing is redeemed without a lease', async () => {
    const bench = setUp()
    const shaky = breakable(bench.store, { lease: down })
    const refresher = bench.refresher({ store: shaky.store })
    const tokens = bench.server.issue()
    await refresher.connect(key, tokens)
    shaky.broken = true
    bench.time = tokens.expiresAt - 5_000
    expect(await refresher.tokens(key), 'still good').toMatchObject({ tokens })
    await expect.poll(() => bench.events).toMatchObject([{ kind: 'failed', detail: 'the store is down' }])
    bench.time = tokens.expiresAt
    expect(await refresher.tokens(key)).toEqual({ kind: 'unavailable', retryAfterMs: 1_000 })
    expect(bench.server.redemptions()).toBe(0)
    shaky.broken = false
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
    expect([bench.server.redemptions(), bench.server.reuse()]).toEqual([1, 0])
  })

  it('what cannot be read is unavailable, not gone', async () => {
    const bench = setUp()
    const shaky = breakable(bench.store, { get: down })
    const refresher = bench.refresher({ store: shaky.store })
    await refresher.connect(key, bench.server.issue())
    shaky.broken = true
    expect(await refresher.tokens(key)).toEqual({ kind: 'unavailable', retryAfterMs: 1_000 })
    await expect(refresher.connect(key, bench.server.issue())).rejects.toThrow(StoreError)
    await expect(refresher.disconnect(key)).rejects.toThrow(StoreError)
  })

  it.each([
    ['a StoreError', down],
    ['whatever else a store throws', async () => Promise.reject(new Error('ECONNRESET'))],
  ])('down during the write (%s): served from memory, and written later', async (_, broken) => {
    const bench = setUp()
    const shaky = breakable(bench.store, { get: broken, put: broken, lease: broken })
    bench.redeem = async (tokens) => {
      shaky.broken = true
      return bench.server.redeem(tokens)
    }
    const here = bench.refresher({ store: shaky.store })
    const there = bench.refresher({ times: { ...HASTY, waitMs: 50 } })
    await here.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const found = await here.tokens(key)
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    for (let index = 0; index < 5; index++) expect(await here.tokens(key)).toEqual(found)
    expect(bench.kinds()).toEqual(['unwritten'])
    expect(await there.tokens(key), 'others have to wait').toMatchObject({ kind: 'unavailable' })
    shaky.broken = false
    await expect.poll(bench.kinds).toContain('refreshed')
    const { tokens } = found.kind === 'tokens' ? found : { tokens: undefined }
    expect(await bench.refresher().tokens(key)).toMatchObject({ tokens })
    expect([bench.server.redemptions(), bench.server.reuse()]).toEqual([1, 0])
  })

  it('down for longer than maxRedeemMs: not served from memory any more, since it may have been ended, and written later', async () => {
    const bench = setUp()
    const shaky = breakable(bench.store, { get: down, put: down, lease: down })
    bench.redeem = async (tokens) => {
      shaky.broken = true
      return bench.server.redeem(tokens)
    }
    const refresher = bench.refresher({ store: shaky.store })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const found = await refresher.tokens(key)
    bench.time += 60_000
    expect(await refresher.tokens(key)).toEqual(found)
    bench.time += 1
    expect(await refresher.tokens(key)).toEqual({ kind: 'unavailable', retryAfterMs: 1_000 })
    shaky.broken = false
    await expect.poll(bench.kinds).toEqual(['unwritten', 'refreshed'])
    expect(await refresher.tokens(key)).toEqual(found)
  })

  it('silent during the write: served from memory after a second', async () => {
    const bench = setUp()
    const silence = gate()
    const shaky = breakable(bench.store, {
      async put(...call) {
        await silence.passed
        return bench.store.put(...call)
      },
    })
    bench.redeem = async (tokens) => {
      shaky.broken = true
      return bench.server.redeem(tokens)
    }
    const refresher = bench.refresher({ store: shaky.store })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const found = await refresher.tokens(key)
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect(bench.kinds()).toEqual([])
    silence.open()
    await expect.poll(bench.kinds).toEqual(['refreshed'])
  })

  it('tokens in memory are not handed out once the connection was ended or made anew here', async () => {
    const bench = setUp()
    const shaky = breakable(bench.store, { put: down })
    bench.redeem = async (tokens) => {
      shaky.broken = true
      return bench.server.redeem(tokens)
    }
    for (const again of [true, false]) {
      const refresher = bench.refresher({ store: shaky.store })
      shaky.broken = false
      await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
      const held = await refresher.tokens(key)
      expect(held).toMatchObject({ kind: 'tokens' })
      shaky.broken = false
      const tokens = bench.server.issue()
      if (again) await refresher.connect(key, tokens)
      else await refresher.disconnect(key)
      expect(await refresher.tokens(key)).toMatchObject(again ? { tokens } : { kind: 'revoked' })
      await refresher.close()
      expect(await bench.record()).toMatchObject(again ? { tokens } : { state: 'revoked' })
      expect(bench.kinds().at(-1)).toBe(again ? 'superseded' : 'revoked_late')
      // The new connection may be of the same grant.
      expect(bench.revoked).toEqual(again || held.kind !== 'tokens' ? [] : [held.tokens])
    }
  })

  it('a report that throws is in nobody’s way', async () => {
    const bench = setUp()
    const warnings: Error[] = []
    const onWarning = (warning: Error) => warnings.push(warning)
    process.on('warning', onWarning)
    const refresher = bench.refresher({
      report() {
        throw new Error('out of paper')
      },
    })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
    expect(await bench.record()).toMatchObject({ state: 'connected' })
    await expect.poll(() => warnings).toMatchObject([{ message: expect.stringContaining('out of paper') }])
    process.off('warning', onWarning)
  })
})

describe('B1 refresher: close()', () => {
  it('waits for a redemption under way, and for its write', async () => {
    const bench = setUp()
    const [redeeming, answer] = [gate(), gate()]
    bench.redeem = async (tokens) => {
      redeeming.open()
      await answer.passed
      return bench.server.redeem(tokens)
    }
    const refresher = bench.refresher()
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const asking = refresher.tokens(key)
    await redeeming.passed
    let closed = false
    const closing = refresher.close().then(() => {
      closed = true
    })
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(closed, 'longer than drainMs: that is for the write').toBe(false)
    answer.open()
    await closing
    expect(await asking).toMatchObject({ kind: 'tokens' })
    const record = await bench.record()
    expect(record?.tokens !== undefined && bench.server.isGood(record.tokens)).toBe(true)
  })

  it('waits for the store to come back', async () => {
    const bench = setUp()
    const shaky = breakable(bench.store, { put: down })
    bench.redeem = async (tokens) => {
      shaky.broken = true
      return bench.server.redeem(tokens)
    }
    const refresher = bench.refresher({ store: shaky.store, times: { drainMs: 10_000 } })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    await refresher.tokens(key)
    const closing = refresher.close()
    shaky.broken = false
    await closing
    expect(bench.kinds()).toEqual(['unwritten', 'refreshed'])
  })

  it('gives up after drainMs, and says what is lost', async () => {
    const bench = setUp()
    const shaky = breakable(bench.store, { put: down })
    bench.redeem = async (tokens) => {
      shaky.broken = true
      return bench.server.redeem(tokens)
    }
    const refresher = bench.refresher({ store: shaky.store, times: { drainMs: 100 } })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    await refresher.tokens(key)
    await refresher.close()
    expect(bench.kinds()).toEqual(['unwritten', 'lost'])
  })

  it('does not wait for what others are doing', async () => {
    const bench = setUp()
    const refresher = bench.refresher({ times: { leaseMs: 60_000, waitMs: 60_000 } })
    await bench.write({
      state: 'refreshing',
      connection: 'c',
      tokens: bench.server.issue({ expiresInMs: 0 }),
      attempt: { id: 'of somebody else', deadline: bench.time + 50_000 },
    })
    const asking = refresher.tokens(key)
    await expect.poll(() => bench.store.lease(key, 1)).toBeUndefined()
    const began = performance.now()
    await refresher.close()
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(await asking).toMatchObject({ kind: 'unavailable' })
    expect(bench.server.redemptions()).toBe(0)
  })
})
