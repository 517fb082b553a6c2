/** Several processes and one refresh token: who may redeem it, and whose tokens stay. */
import type { TestTokens } from 'sallyport/testing'
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { encodeRecord } from '../../src/store/connection-record.ts'
import { RedeemError } from '../../src/store/redeem-error.ts'
import { type Bench, breakable, gate, HASTY, key, setUp } from './refresher-setup.ts'

const away = async () => Promise.reject(new StoreError('the store is away'))

/** The record of a process that is gone in the middle of its attempt. */
async function writeDeadAttempt(bench: Bench, inMs: number): Promise<TestTokens> {
  const tokens = bench.server.issue({ expiresInMs: 0 })
  const attempt = { id: 'of a dead process', deadline: bench.time + inMs }
  await bench.write({ state: 'refreshing', connection: 'c', tokens, attempt })
  return tokens
}

/** Lets time go by as the machine's does. */
function run(bench: Bench): void {
  const offset = bench.time - performance.now()
  Object.defineProperty(bench, 'time', { get: () => offset + performance.now() })
}

/** A refresh that has reached the authorization server and stands there. */
async function standing(bench: Bench, redeem: Bench['redeem'] = bench.server.redeem) {
  const [reached, answer] = [gate(), gate()]
  bench.redeem = async (tokens, signal) => {
    reached.open()
    await answer.passed
    return redeem(tokens, signal)
  }
  const refresher = bench.refresher()
  await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
  const asking = refresher.tokens(key)
  await reached.passed
  return {
    async goOn() {
      answer.open()
      const found = await asking
      await refresher.close()
      return found
    },
  }
}

describe('B1 refresher: attempts of the dead', () => {
  it('are waited for until their deadline, and then the token is redeemed once', async () => {
    const bench = setUp()
    run(bench)
    await writeDeadAttempt(bench, 400)
    const began = performance.now()
    const refreshers = [bench.refresher({ times: HASTY }), bench.refresher({ times: HASTY })]
    const found = await Promise.all(refreshers.map((refresher) => refresher.tokens(key)))
    expect(performance.now() - began).toBeGreaterThanOrEqual(300)
    for (const one of found) expect(one.kind === 'tokens' && bench.server.isGood(one.tokens)).toBe(true)
    expect([bench.server.redemptions(), bench.server.reuse()]).toEqual([1, 0])
    // Taken over twice where the process was stopped for longer than its lease.
    expect(new Set(bench.kinds())).toEqual(new Set(['taken_over', 'refreshed']))
  })

  it('hold nobody up for longer than a lease, whatever their clock said', async () => {
    const bench = setUp()
    run(bench)
    await writeDeadAttempt(bench, 24 * 3_600_000)
    expect(await bench.refresher({ times: HASTY }).tokens(key)).toMatchObject({ kind: 'tokens' })
    expect(bench.server.redemptions()).toBe(1)
  })

  it('turn out to be alive: their tokens are taken, and nothing is redeemed', async () => {
    const bench = setUp()
    run(bench)
    const tokens = await writeDeadAttempt(bench, 60_000)
    const asking = bench.refresher({ times: { ...HASTY, leaseMs: 90_000 } }).tokens(key)
    const redeemed = await bench.server.redeem(tokens)
    await bench.write({ state: 'connected', connection: 'c', tokens: redeemed })
    expect(await asking).toMatchObject({ tokens: redeemed })
    expect([bench.server.redemptions(), bench.server.reuse()]).toEqual([1, 0])
  })

  it('are left alone while their tokens are good', async () => {
    const bench = setUp()
    const tokens = bench.server.issue()
    const attempt = { id: 'of a dead process', deadline: bench.time + 60_000 }
    await bench.write({ state: 'refreshing', connection: 'c', tokens, attempt })
    expect(await bench.refresher().tokens(key)).toMatchObject({ tokens })
  })
})

describe('B1 refresher: late answers', () => {
  it("a late loser's invalid_grant does not end the winner's connection", async () => {
    const bench = setUp()
    const late = await standing(bench, async () => Promise.reject(new RedeemError('dead', 'invalid_grant')))
    const before = await bench.record()
    const tokens = bench.server.issue()
    await bench.write({ state: 'connected', connection: before?.connection ?? '', tokens })
    expect(await late.goOn()).toMatchObject({ tokens })
    expect(await bench.record()).toMatchObject({ state: 'connected', tokens })
    expect(bench.kinds()).toEqual([])
  })

  it('late tokens give way to those that another process has stored', async () => {
    const bench = setUp()
    const late = await standing(bench)
    const before = await bench.record()
    const tokens = bench.server.issue()
    await bench.write({ state: 'connected', connection: before?.connection ?? '', tokens })
    expect(await late.goOn()).toMatchObject({ tokens })
    expect(await bench.record()).toMatchObject({ state: 'connected', tokens })
    expect(bench.kinds()).toEqual(['superseded'])
    expect(bench.revoked).toEqual([])
  })

  it('late tokens land where a successor has only failed', async () => {
    const bench = setUp()
    const late = await standing(bench)
    const before = await bench.record()
    await bench.write({ state: 'reauth_required', connection: before?.connection ?? '' })
    const found = await late.goOn()
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect(bench.kinds()).toEqual(['refreshed'])
  })

  it.each([
    ['a successor has only failed, and cannot tell of what', { failures: 1, retryAt: Date.now() + 1_000 }],
    ['the store has lost the attempt', {}],
  ])('late tokens land where %s: those that were redeemed are still there', async (_, more) => {
    const bench = setUp()
    const late = await standing(bench)
    const { attempt: _attempt, ...before } = (await bench.record()) ?? { connection: '' }
    await bench.write({ ...before, state: 'connected', ...more })
    const found = await late.goOn()
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect(bench.kinds()).toEqual(['refreshed'])
    const record = await bench.record()
    expect(record).toMatchObject({ state: 'connected', connection: before.connection })
    // Nor does the successor's pause go on.
    expect(record).not.toHaveProperty('retryAt')
    expect(bench.server.reuse()).toBe(0)
  })

  it('late tokens never land in another consent, also where that has the tokens that were redeemed', async () => {
    const bench = setUp()
    const late = await standing(bench)
    const { attempt: _, ...before } = (await bench.record()) ?? { connection: '' }
    await bench.write({ ...before, state: 'connected', connection: 'another' })
    await late.goOn()
    expect(await bench.record()).toMatchObject({ connection: 'another' })
    expect((await bench.record())?.tokens).toEqual('tokens' in before ? before.tokens : undefined)
    expect(bench.kinds()).not.toContain('refreshed')
  })

  it('late tokens land after an outage here in which a successor was told 503', async () => {
    const bench = setUp()
    run(bench)
    const cut = breakable(bench.store, {
      get: away,
      put: away,
      lease: away,
    })
    let isDown = false
    bench.redeem = async (tokens) => {
      if (isDown) throw new RedeemError('transient', '503')
      const redeemed = await bench.server.redeem(tokens)
      cut.broken = true
      return redeemed
    }
    const first = bench.refresher({ store: cut.store, times: { ...HASTY, drainMs: 60_000 } })
    const second = bench.refresher({ times: HASTY })
    await first.connect(key, bench.server.issue({ expiresInMs: 0 }))
    expect(await first.tokens(key)).toMatchObject({ kind: 'tokens' })
    isDown = true
    expect(await second.tokens(key)).toMatchObject({ kind: 'unavailable' })
    cut.broken = false
    isDown = false
    await expect.poll(() => bench.kinds(), { timeout: 5_000 }).toContain('refreshed')
    const found = await second.tokens(key)
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect([bench.server.redemptions(), bench.server.reuse()]).toEqual([1, 0])
  })

  it('late tokens let a successor that is still at it decide first', async () => {
    const bench = setUp()
    run(bench)
    const late = await standing(bench)
    const before = await bench.record()
    const attempt = { id: 'of a successor', deadline: bench.time + 60_000 }
    await bench.write({ ...before, state: 'refreshing', connection: before?.connection ?? '', attempt })
    const going = late.goOn()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await bench.record()).toMatchObject({ attempt: { id: 'of a successor' } })
    const tokens = bench.server.issue()
    await bench.write({ state: 'connected', connection: before?.connection ?? '', tokens })
    expect(await going).toMatchObject({ tokens })
    expect(bench.kinds()).toEqual(['superseded'])
  })

  it('a record that was sealed anew meanwhile is still ours', async () => {
    const bench = setUp()
    const late = await standing(bench)
    const before = await bench.record()
    if (before === undefined) throw new Error('no record')
    await bench.write(before)
    const found = await late.goOn()
    expect(found.kind === 'tokens' && bench.server.isGood(found.tokens)).toBe(true)
    expect(bench.kinds()).toEqual(['refreshed'])
  })

  it('a failure is written also over a record that was sealed anew meanwhile', async () => {
    const bench = setUp()
    const late = await standing(bench, async () => Promise.reject(new RedeemError('dead', 'invalid_grant')))
    const before = await bench.record()
    if (before === undefined) throw new Error('no record')
    await bench.write(before)
    expect(await late.goOn()).toEqual({ kind: 'reauth_required' })
  })

  it('a slow redemption goes on when the record is sealed anew', async () => {
    const bench = setUp()
    run(bench)
    const [reached, resealed] = [gate(), gate()]
    bench.redeem = async (tokens, signal) => {
      reached.open()
      await resealed.passed
      // Until its deadline is another: without that it would have to be over.
      const deadline = async () => (await bench.record())?.attempt?.deadline
      const first = await deadline()
      await expect.poll(deadline).not.toBe(first)
      signal.throwIfAborted()
      return bench.server.redeem(tokens)
    }
    const refresher = bench.refresher({ times: { leaseMs: 6_000, marginMs: 500 } })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const asking = refresher.tokens(key)
    await reached.passed
    const found = await bench.store.get(key)
    await bench.store.put(key, found?.value ?? new Uint8Array(), { ifVersion: found?.version ?? null })
    resealed.open()
    expect(await asking).toMatchObject({ kind: 'tokens' })
  })
})

describe('B1 refresher: leases', () => {
  it('whoever does not get one waits for waitMs, and redeems nothing', async () => {
    const bench = setUp()
    const refresher = bench.refresher({ times: { waitMs: 100 } })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    await bench.store.lease(key, 60_000)
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'unavailable' })
    expect(bench.server.redemptions()).toBe(0)
  })

  it('a process that finds its time gone before it redeems does not redeem', async () => {
    const bench = setUp()
    let stopped = true
    const store: Bench['store'] = {
      ...bench.store,
      async put(...call) {
        const written = await bench.store.put(...call)
        if (stopped && Buffer.from(call[1]).includes('refreshing')) {
          stopped = false
          const until = performance.now() + 250
          while (performance.now() < until); // as a process that is stopped
        }
        return written
      },
    }
    const refresher = bench.refresher({ store, times: HASTY })
    const redeemed: number[] = []
    bench.redeem = (tokens) => {
      redeemed.push(performance.now())
      return bench.server.redeem(tokens)
    }
    run(bench)
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    const began = performance.now()
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
    expect(redeemed.length).toBe(1)
    expect((redeemed[0] ?? 0) - began).toBeGreaterThan(250)
    expect(bench.server.reuse()).toBe(0)
  })

  it('is released after a refresh, whatever came of it', async () => {
    const bench = setUp()
    const refresher = bench.refresher()
    for (const redeem of [bench.server.redeem, async () => Promise.reject(new Error('503'))]) {
      bench.redeem = redeem
      await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
      await refresher.tokens(key)
      const lease = await bench.store.lease(key, 1_000)
      expect(lease).toBeDefined()
      await lease?.release()
    }
  })

  it('a conflict before the redemption means looking again', async () => {
    const bench = setUp()
    let first = true
    const store: Bench['store'] = {
      ...bench.store,
      async put(where, value, options) {
        if (first && Buffer.from(value).includes('refreshing')) {
          first = false
          const found = await bench.record()
          await bench.store.put(where, encodeRecord(found ?? { state: 'revoked', connection: '' }), options)
        }
        return bench.store.put(where, value, options)
      },
    }
    const refresher = bench.refresher({ store })
    await refresher.connect(key, bench.server.issue({ expiresInMs: 0 }))
    expect(await refresher.tokens(key)).toMatchObject({ kind: 'tokens' })
    expect(bench.server.redemptions()).toBe(1)
  })
})
