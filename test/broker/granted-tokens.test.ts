/** Tokens that are kept in memory: when one is asked for, and when not. */
import { describe, expect, it } from 'vitest'
import type { Grant, GrantRequest } from '../../src/broker/granted/grants.ts'
import { createGrantedTokens, type FoundGrant } from '../../src/broker/granted/tokens.ts'
import { FetchError } from '../../src/core/errors.ts'
import { AuthorizationError } from '../../src/oauth/authorization-error.ts'
import { RedeemError } from '../../src/store/redeem-error.ts'
import { createTestClock } from '../support/keys.ts'

const HOUR = 3_600_000
const INSUFFICIENT = 'Bearer error="insufficient_scope", scope="read write"'

/** Tokens of an authorization server that does what the test says. */
function setUp({ widens = true, scopes = ['read'] }: { widens?: boolean; scopes?: string[] } = {}) {
  const clock = createTestClock(1_000_000)
  const requests: GrantRequest[] = []
  const site = {
    clock,
    requests,
    lifetime: 300 as number | undefined,
    fails: undefined as unknown,
    gate: undefined as Promise<void> | undefined,
  }
  const granter = {
    ready: async () => {},
    async grant(request: GrantRequest): Promise<Grant> {
      requests.push(request)
      const number = requests.length
      await site.gate
      if (site.fails !== undefined) throw site.fails
      const asked = [...scopes, ...request.more]
      return { token: `token-${number}`, expiresInSeconds: site.lifetime, scopes: undefined, asked }
    },
  }
  const tokens = createGrantedTokens({ server: 'core/orders', granter, widens, clock })
  const of = (token: string, expiresAt = clock.now() + HOUR) => ({ token, expiresAt })
  const alice = of('jwt-of-alice')
  return {
    ...site,
    site,
    /** By milliseconds. */
    advance: (ms: number) => clock.advance(ms / 1000),
    tokens,
    of,
    get: (subject: ReturnType<typeof of> | undefined = alice) => tokens.token({ subject }),
    renew: async (rejected: string, challenge?: string) => tokens.token({ subject: alice, rejected, challenge }),
  }
}

async function held(found: FoundGrant | Promise<FoundGrant>) {
  const grant = await found
  if (grant.kind !== 'token') throw new Error(`no token: ${JSON.stringify(grant)}`)
  return grant
}

describe('a token', () => {
  it('is asked for once, and then at hand until shortly before it ends', async () => {
    const { get, requests, advance } = setUp()
    const first = await held(get())
    expect(get()).toEqual(first)
    advance(269_999)
    expect(get()).toEqual(first)
    advance(1)
    expect(await held(get())).toMatchObject({ token: 'token-2' })
    expect(requests).toHaveLength(2)
  })

  it('that lives for a few seconds is kept for most of them', async () => {
    const { get, site, advance } = setUp()
    site.lifetime = 10
    await get()
    advance(8_999)
    expect(get()).toMatchObject({ token: 'token-1' })
    advance(1)
    expect(get()).toBeInstanceOf(Promise)
  })

  it('whose end nobody says is kept for five minutes at most', async () => {
    const { get, site, advance } = setUp()
    site.lifetime = undefined
    await get()
    advance(5 * 60_000)
    expect(get()).toBeInstanceOf(Promise)
  })

  it('is never kept for longer than what it was made from', async () => {
    const { get, of, advance, clock } = setUp()
    const short = of('short', clock.now() + 5_000)
    expect((await held(get(short))).token).toBe('token-1')
    advance(4_999)
    expect(get(short)).toMatchObject({ token: 'token-1' })
    advance(1)
    expect((await held(get(short))).token).toBe('token-2')
    // From then on each call asks: nothing of it is kept.
    expect((await held(get(short))).token).toBe('token-3')
  })

  it('is made once for all who wait for it, and each caller gets their own', async () => {
    const { get, of, site, requests } = setUp()
    let open = () => {}
    site.gate = new Promise((resolve) => {
      open = resolve
    })
    const waiting = [get(), get(), get(of('jwt-of-bob')), get()]
    open()
    const found = await Promise.all(waiting.map(held))
    expect(found.map(({ token }) => token)).toEqual(['token-1', 'token-1', 'token-2', 'token-1'])
    expect(requests.map(({ subject }) => subject)).toEqual(['jwt-of-alice', 'jwt-of-bob'])
  })

  it('of nobody in particular is one for all', async () => {
    const { tokens, requests } = setUp()
    const found = await Promise.all([1, 2, 3].map(() => held(tokens.token({ subject: undefined }))))
    expect(new Set(found.map(({ token }) => token)).size).toBe(1)
    expect(requests[0]?.subject).toBeUndefined()
  })

  it('is forgotten before the memory is full of them, and asked for again', async () => {
    const { get, of, requests } = setUp()
    await get()
    for (let each = 0; each < 5_000; each++) await get(of(`jwt-${each}`))
    expect(requests).toHaveLength(5_001)
    await get()
    expect(requests).toHaveLength(5_002)
  })
})

describe('what was refused', () => {
  const refusal = new RedeemError('dead', 'the token endpoint of https://as answered 400 invalid_grant', {
    error: 'invalid_grant',
  })

  it('is not asked for again at once, and may be had later', async () => {
    const { get, site, requests, advance } = setUp()
    site.fails = refusal
    const first = await get()
    expect(first).toMatchObject({ kind: 'refused', status: 403, reason: 'exchange_refused' })
    expect(get()).toBe(first)
    advance(30_000)
    site.fails = undefined
    expect((await held(get())).token).toBe('token-2')
    expect(requests).toHaveLength(2)
  })

  it('for one caller is not refused to another', async () => {
    const { get, of, site } = setUp()
    site.fails = refusal
    await get()
    site.fails = undefined
    expect((await held(get(of('jwt-of-bob')))).token).toBe('token-2')
    expect(get()).toMatchObject({ kind: 'refused' })
  })

  it.each([
    ['a request that is no good', new RedeemError('rejected', 'x', { error: 'invalid_request' }), 'refused'],
    ['a target that is not for them', new RedeemError('rejected', 'x', { error: 'invalid_target' }), 'refused'],
    ['a person who has to sign in', new RedeemError('rejected', 'x', { error: 'interaction_required' }), 'refused'],
    [
      'a client that may not do it',
      new RedeemError('rejected', 'x', { error: 'unauthorized_client' }),
      'misconfigured',
    ],
    ['a client with a wrong secret', new RedeemError('rejected', 'x', { error: 'invalid_client' }), 'misconfigured'],
    ['a scope that there is not', new RedeemError('rejected', 'x', { error: 'invalid_scope' }), 'misconfigured'],
    ['an answer without a word', new RedeemError('rejected', 'x'), 'misconfigured'],
    ['a server without assertions', new AuthorizationError('rejected', 'x'), 'misconfigured'],
    ['metadata that cannot be had', new AuthorizationError('unavailable', 'x'), 'unavailable'],
    ['a server that is down', new RedeemError('transient', 'x'), 'unavailable'],
    ['a document that cannot be had', new FetchError('x'), 'unavailable'],
    ['a mistake of ours', new TypeError('x'), 'unavailable'],
  ])('is told by who can mend it: %s', async (_, error, kind) => {
    const { get, site } = setUp()
    site.fails = error
    expect(await get()).toMatchObject({ kind })
  })

  it('to the gateway itself is nothing that a caller can do something about', async () => {
    const { tokens, site } = setUp()
    site.fails = refusal
    expect(await tokens.token({ subject: undefined })).toMatchObject({ kind: 'misconfigured' })
  })

  it.each([
    [undefined, 1_000],
    [5_000, 5_000],
    [86_400_000, 60_000],
  ])('for now is asked for again when the server says (%s ms), within reason', async (retryAfterMs, expected) => {
    const { get, site, requests, advance } = setUp()
    site.fails = new RedeemError('transient', 'busy', retryAfterMs === undefined ? {} : { retryAfterMs })
    expect(await get()).toMatchObject({ kind: 'unavailable', retryAfterMs: expected })
    advance(expected - 1)
    await get()
    expect(requests).toHaveLength(1)
    advance(1)
    await get()
    expect(requests).toHaveLength(2)
  })
})

describe('a token that the server does not take', () => {
  it('is replaced once, by one for all who come with it', async () => {
    const { get, renew, requests } = setUp()
    const { stamp } = await held(get())
    const found = await Promise.all([renew(stamp), renew(stamp), renew(stamp)].map(held))
    expect(new Set(found.map(({ token }) => token))).toEqual(new Set(['token-2']))
    // Late, with the one of before.
    expect((await held(renew(stamp))).token).toBe('token-2')
    expect(requests).toHaveLength(2)
  })

  it('is not replaced by each call of an agent that keeps trying', async () => {
    const { get, renew, requests, advance } = setUp()
    for (let calls = 0; calls < 20; calls++) {
      const first = await held(get())
      const second = await held(renew(first.stamp))
      if (calls > 0) expect(second.stamp).toBe(first.stamp)
      advance(1_000)
    }
    expect(requests).toHaveLength(2)
    advance(60_000)
    await renew((await held(get())).stamp)
    expect(requests).toHaveLength(3)
  })

  it('is gone where there is no other at present', async () => {
    const { get, renew, site, advance } = setUp()
    const { stamp } = await held(get())
    site.fails = new RedeemError('transient', 'down')
    expect(await renew(stamp)).toMatchObject({ kind: 'unavailable' })
    expect(get()).toMatchObject({ kind: 'unavailable' })
    site.fails = undefined
    advance(1_000)
    expect((await held(get())).token).toBe('token-3')
  })

  it('with a stamp that nobody knows is not asked for anew', async () => {
    const { get, renew, requests } = setUp()
    await get()
    expect((await held(renew('of another process'))).token).toBe('token-1')
    expect(requests).toHaveLength(1)
  })
})

describe('a token that is good for too little', () => {
  it('is replaced by one with the scopes that are wanted, and it stays so', async () => {
    const { get, renew, requests, advance } = setUp()
    const first = await held(get())
    const wider = await held(renew(first.stamp, INSUFFICIENT))
    expect(requests[1]?.more).toEqual(['write'])
    // What was asked for does not help: that is the server's last word.
    expect((await held(renew(wider.stamp, INSUFFICIENT))).stamp).toBe(wider.stamp)
    advance(HOUR / 2)
    await get()
    expect(requests.map(({ more }) => more)).toEqual([[], ['write'], ['write']])
  })

  it('stays as it is where scopes are configured', async () => {
    const { get, renew, requests } = setUp({ widens: false })
    const { stamp } = await held(get())
    expect((await held(renew(stamp, INSUFFICIENT))).stamp).toBe(stamp)
    expect(requests).toHaveLength(1)
  })

  it.each([
    ['does not give it', new RedeemError('rejected', 'x', { error: 'invalid_scope' })],
    ['is down', new RedeemError('transient', 'x')],
  ])('stays good for the rest where the authorization server %s', async (_, error) => {
    const { get, renew, site, requests } = setUp()
    const first = await held(get())
    site.fails = error
    const both = await Promise.all([renew(first.stamp, INSUFFICIENT), renew(first.stamp, INSUFFICIENT)].map(held))
    expect(both.map(({ stamp }) => stamp)).toEqual([first.stamp, first.stamp])
    expect(get()).toEqual(first)
    expect(requests).toHaveLength(2)
  })

  it('is not replaced for ever by a server that always wants something else', async () => {
    const { get, renew, requests } = setUp()
    for (let calls = 0; calls < 50; calls++) {
      await renew((await held(get())).stamp, `Bearer error="insufficient_scope", scope="scope-${calls}"`)
    }
    expect(requests).toHaveLength(6)
  })

  it('is not replaced for a challenge of a hundred scopes', async () => {
    const { get, renew, requests } = setUp()
    const scopes = Array.from({ length: 101 }, (_, index) => `s${index}`).join(' ')
    await renew((await held(get())).stamp, `Bearer error="insufficient_scope", scope="${scopes}"`)
    expect(requests.every(({ more }) => more.length <= 100)).toBe(true)
  })
})

describe('a clock that is set back', () => {
  it('does not prolong the pause after a failure', async () => {
    const { get, site, requests, advance } = setUp()
    site.fails = new RedeemError('transient', 'down')
    expect(await get()).toMatchObject({ kind: 'unavailable' })
    site.fails = undefined
    advance(-HOUR)
    expect((await held(get())).token).toBe('token-2')
    expect(requests).toHaveLength(2)
  })

  it('does not keep a token that the server refuses', async () => {
    const { get, renew, advance } = setUp()
    const second = await held(renew((await held(get())).stamp))
    advance(-2 * HOUR)
    expect((await held(renew(second.stamp))).token).toBe('token-3')
  })

  it('does not make a token of five minutes one of an hour', async () => {
    const { get, advance } = setUp()
    await get()
    advance(-HOUR)
    expect((await held(get())).token).toBe('token-2')
    // Once for each time that it is set back.
    expect(get()).toMatchObject({ token: 'token-2' })
  })
})
