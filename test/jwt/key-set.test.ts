/** The life of a key set, by itself: loads that end when told to, and a clock and timers that are moved by hand. */
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { JWK } from 'jose'
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  createKeySet,
  type KeySet,
  type KeySetEvent,
  type KeySetTimes,
  KeysUnavailable,
} from '../../src/jwt/key-set.ts'
import { createKey, createNamelessKey, renamed, type SigningKey } from '../support/keys.ts'

const TIMES: KeySetTimes = {
  refreshMs: 480_000,
  staleMs: 600_000,
  ceilingMs: 21_600_000,
  backoffMs: 1_000,
  maxBackoffMs: 60_000,
  lookMs: 1_000,
  maxLookMs: 10_000,
}

let one: SigningKey
let two: SigningKey
let nameless: SigningKey

beforeAll(async () => {
  one = await createKey('ES256', 'one')
  two = await createKey('ES256', 'two')
  nameless = await createNamelessKey()
})

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'], now: 1_800_000_000_000 })
})

afterEach(() => {
  vi.useRealTimers()
})

/** A provider in a few lines: what it publishes, or how it fails. */
function setUp(...published: JWK[]) {
  const provider = {
    keys: published as readonly unknown[],
    failure: undefined as Error | undefined,
    /** Sent in place of the keys. */
    garbage: undefined as { document: unknown } | undefined,
    /** Set to make loads wait for it. */
    gate: undefined as Promise<void> | undefined,
    loads: 0,
    running: 0,
    mostRunning: 0,
  }
  const events: KeySetEvent[] = []
  const load = async () => {
    provider.loads++
    provider.mostRunning = Math.max(provider.mostRunning, ++provider.running)
    try {
      await provider.gate
      if (provider.failure !== undefined) throw provider.failure
      return provider.garbage === undefined ? { keys: provider.keys } : provider.garbage.document
    } finally {
      provider.running--
    }
  }
  const keySet = createKeySet(load, { now: () => Date.now() }, TIMES, (event) => events.push(event))
  /** Waits until no load is under way. */
  const idle = () => until(() => events.length === provider.loads)
  return { provider, events, keySet, idle }
}

/** Lets everything happen that needs no more time. */
async function settleDown(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Waits for what threads of their own (the import of keys) bring about. */
async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000 && !condition(); turn++) await new Promise<void>((resolve) => setImmediate(resolve))
  expect(condition()).toBe(true)
}

function pass(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000)
}

/** Whether a request would be held up. */
function mustWait(keySet: KeySet): boolean {
  return !keySet.settled(Date.now())
}

function kids(keySet: KeySet): (string | undefined)[] {
  return keySet.find(undefined, 'ES256').map(({ kid }) => kid)
}

/** What becomes of a promise, without waiting for it. */
function watch(promise: Promise<unknown>): { state: unknown } {
  const watched: { state: unknown } = { state: 'pending' }
  promise.then(
    (value) => {
      watched.state = value
    },
    (error) => {
      watched.state = error
    },
  )
  return watched
}

/** A gate for {@link setUp}. */
function closedGate(): { closed: Promise<void>; open: () => void } {
  let open = () => {}
  const closed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { closed, open }
}

describe('A6 the first load', () => {
  it('happens when keys are needed, not before', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await settleDown()
    expect(provider.loads).toBe(0)
    expect(mustWait(keySet)).toBe(true)
    await keySet.settle()
    expect(mustWait(keySet)).toBe(false)
    expect(kids(keySet)).toEqual(['one'])
  })

  it('is one for a hundred that wait', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await Promise.all(Array.from({ length: 100 }, () => keySet.settle()))
    expect(provider.loads).toBe(1)
  })

  it('that fails: unavailable, and not tried again before the pause is over', async () => {
    const { provider, events, keySet } = setUp(one.jwk)
    provider.failure = new Error('connection refused')
    const error = await keySet.settle().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(KeysUnavailable)
    expect((error as KeysUnavailable).retryAfterMs).toBeGreaterThanOrEqual(1_000)
    expect(events).toEqual([{ kind: 'failed', reason: 'connection refused', retryInMs: expect.any(Number) }])
    await expect(keySet.settle()).rejects.toBeInstanceOf(KeysUnavailable)
    expect(provider.loads).toBe(1)
    pass(1.25)
    provider.failure = undefined
    await keySet.settle()
    expect(provider.loads).toBe(2)
    expect(kids(keySet)).toEqual(['one'])
  })

  it.each([
    ['not a set', {}],
    ['a list', []],
    ['text', '<html>'],
    ['null', null],
    ['keys that are no list', { keys: {} }],
  ])('of %s is a failure', async (_, document) => {
    const { provider, events, keySet } = setUp()
    provider.garbage = { document }
    await expect(keySet.settle()).rejects.toBeInstanceOf(KeysUnavailable)
    expect(events[0]).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/not a JWK set/) })
  })

  it('tells how many keys there are and which were left out', async () => {
    const { events, keySet } = setUp(one.jwk, { kty: 'oct', kid: 'secret', k: 'AAAA' })
    await keySet.settle()
    expect(events).toEqual([{ kind: 'loaded', keys: 1, refused: [{ kid: 'secret', reason: expect.any(String) }] }])
  })
})

describe('A6 renewal', () => {
  it('comes in the background before the keys are stale, and nobody waits for it', async () => {
    const { provider, keySet, idle } = setUp(one.jwk)
    await keySet.settle()
    pass(479.999)
    expect(mustWait(keySet)).toBe(false)
    expect(provider.loads).toBe(1)
    const gate = closedGate()
    provider.gate = gate.closed
    pass(0.001)
    expect(mustWait(keySet)).toBe(false)
    expect(provider.loads).toBe(2)
    expect(mustWait(keySet)).toBe(false)
    gate.open()
    await idle()
    pass(479)
    expect(mustWait(keySet)).toBe(false)
    expect(provider.loads).toBe(2)
  })

  it('is waited for when the keys are stale after a time without requests', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    provider.keys = [two.jwk]
    pass(600)
    expect(mustWait(keySet)).toBe(true)
    await keySet.settle()
    expect(kids(keySet)).toEqual(['two'])
    expect(provider.loads).toBe(2)
  })

  it('counts from the start of the fetch, since a slow answer is as old as its question', async () => {
    const { provider, keySet } = setUp(one.jwk)
    const gate = closedGate()
    provider.gate = gate.closed
    const settling = keySet.settle()
    pass(100)
    gate.open()
    await settling
    provider.gate = undefined
    pass(380)
    mustWait(keySet)
    expect(provider.loads).toBe(2)
  })

  it('is one at a time, whoever asks', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    pass(600)
    for (let round = 0; round < 100; round++) mustWait(keySet)
    await Promise.all(Array.from({ length: 100 }, () => keySet.settle()))
    expect(provider.loads).toBe(2)
    expect(provider.mostRunning).toBe(1)
  })
})

describe('A6 a provider that is down', () => {
  it('leaves the keys in use up to the ceiling, then they are gone', async () => {
    const { provider, keySet, idle } = setUp(one.jwk)
    await keySet.settle()
    provider.failure = new Error('down')
    const start = Date.now()
    while (Date.now() - start < 21_600_000 - 60_000) {
      pass(60)
      if (mustWait(keySet)) await keySet.settle()
      await idle()
      expect(kids(keySet)).toEqual(['one'])
    }
    pass(59.999)
    expect(mustWait(keySet)).toBe(false)
    pass(0.001)
    expect(mustWait(keySet)).toBe(true)
    await expect(keySet.settle()).rejects.toBeInstanceOf(KeysUnavailable)
    provider.failure = undefined
    pass(75)
    await keySet.settle()
    expect(mustWait(keySet)).toBe(false)
  })

  it('delays no request once it is known to be down', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    provider.failure = new Error('down')
    pass(600)
    expect(mustWait(keySet)).toBe(true)
    await keySet.settle()
    expect(mustWait(keySet)).toBe(false)
    provider.gate = closedGate().closed
    pass(10)
    expect(mustWait(keySet)).toBe(false)
    await settleDown()
    expect(provider.running).toBe(1)
    expect(mustWait(keySet)).toBe(false)
  })

  it('is asked less and less often, at least every 75 seconds', async () => {
    const { provider, events, keySet } = setUp()
    provider.failure = new Error('down')
    await keySet.settle().catch(() => {})
    for (let second = 0; second < 3600; second++) {
      pass(1)
      await keySet.settle().catch(() => {})
    }
    const pauses = events.map((event) => (event.kind === 'failed' ? event.retryInMs : 0))
    for (const [index, pause] of pauses.entries()) {
      const middle = Math.min(60_000, 1_000 * 2 ** index)
      expect(pause).toBeGreaterThanOrEqual(middle * 0.75)
      expect(pause).toBeLessThanOrEqual(middle * 1.25)
    }
    expect(provider.loads).toBeGreaterThan(3600 / 76)
    expect(provider.loads).toBeLessThan(6 + 3600 / 45 + 1)
  })

  it('starts with the short pause again after a success', async () => {
    const { provider, events, keySet } = setUp(one.jwk)
    provider.failure = new Error('down')
    for (let round = 0; round < 5; round++) {
      await keySet.settle().catch(() => {})
      pass(75)
    }
    provider.failure = undefined
    await keySet.settle()
    provider.failure = new Error('down again')
    pass(600)
    await keySet.settle()
    const last = events.at(-1)
    expect(last).toMatchObject({ kind: 'failed', reason: 'down again' })
    expect(last?.kind === 'failed' && last.retryInMs).toBeLessThanOrEqual(1_250)
  })

  it('that sends garbage takes away no key', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const [key] = keySet.find('one', 'ES256')
    provider.garbage = { document: { error: 'temporarily_unavailable' } }
    pass(600)
    await keySet.settle()
    expect(kids(keySet)).toEqual(['one'])
    expect(key?.removed).toBe(false)
  })
})

describe('A6 keys of the next fetch', () => {
  it('that are the same are the same objects, so that what they verified stays good', async () => {
    const { keySet } = setUp(one.jwk)
    await keySet.settle()
    const [before] = keySet.find('one', 'ES256')
    pass(600)
    await keySet.settle()
    expect(keySet.find('one', 'ES256')[0]).toBe(before)
    expect(before?.removed).toBe(false)
  })

  it('that are gone are marked, for ever', async () => {
    const { provider, keySet } = setUp(one.jwk, two.jwk)
    await keySet.settle()
    const [before] = keySet.find('one', 'ES256')
    provider.keys = [two.jwk]
    pass(600)
    await keySet.settle()
    expect(before?.removed).toBe(true)
    expect(kids(keySet)).toEqual(['two'])
    provider.keys = [one.jwk, two.jwk]
    pass(600)
    await keySet.settle()
    expect(before?.removed).toBe(true)
    expect(keySet.find('one', 'ES256')[0]).not.toBe(before)
  })

  it('with the old kid and new numbers are new keys', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const [before] = keySet.find('one', 'ES256')
    provider.keys = [renamed(two, 'one').jwk]
    pass(600)
    await keySet.settle()
    expect(before?.removed).toBe(true)
    expect(keySet.find('one', 'ES256')).toHaveLength(1)
  })

  it('an empty set takes all away: that is how a provider revokes', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    provider.keys = []
    pass(600)
    await keySet.settle()
    expect(mustWait(keySet)).toBe(false)
    expect(kids(keySet)).toEqual([])
  })
})

describe('A6 finding the keys for a token', () => {
  it('goes by kid where the token has one, and by algorithm', async () => {
    const { keySet } = setUp(one.jwk, renamed(two, 'one').jwk, nameless.jwk)
    await keySet.settle()
    expect(keySet.find('one', 'ES256')).toHaveLength(2)
    expect(keySet.find(undefined, 'ES256')).toHaveLength(3)
    expect(keySet.find('', 'ES256')).toHaveLength(0)
    expect(keySet.find('one', 'RS256')).toHaveLength(0)
    expect(keySet.find('ONE', 'ES256')).toHaveLength(0)
    expect(keySet.find('one', 'none')).toHaveLength(0)
  })
})

describe('A6 a key id that is not known', () => {
  it('leads to another fetch at once', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    provider.keys = [one.jwk, two.jwk]
    const looked = keySet.lookAgain('two')
    await vi.advanceTimersByTimeAsync(0)
    expect(await looked).toBe(true)
    expect(provider.loads).toBe(2)
    expect(keySet.find('two', 'ES256')).toHaveLength(1)
  })

  it('a token that names none leads to a look each time, after the pause: the next may have a new key', async () => {
    const { provider, keySet } = setUp(nameless.jwk)
    await keySet.settle()
    const bad = keySet.lookAgain(undefined)
    await vi.advanceTimersByTimeAsync(0)
    expect(await bad).toBe(true)
    provider.keys = [two.jwk]
    const good = keySet.lookAgain(undefined)
    const watched = watch(good)
    await vi.advanceTimersByTimeAsync(0)
    expect([watched.state, provider.loads]).toEqual(['pending', 2])
    pass(2)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(await good).toBe(true)
    expect([provider.loads, keySet.find(undefined, 'ES256').length]).toEqual([3, 1])
  })

  it('is not looked for again for five seconds', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const looked = keySet.lookAgain('x')
    await vi.advanceTimersByTimeAsync(0)
    expect(await looked).toBe(true)
    expect(await keySet.lookAgain('x')).toBe(false)
    pass(4.999)
    expect(await keySet.lookAgain('x')).toBe(false)
    expect(provider.loads).toBe(2)
    pass(0.001)
    const again = watch(keySet.lookAgain('x'))
    await vi.advanceTimersByTimeAsync(0)
    await until(() => again.state === true)
    expect(provider.loads).toBe(3)
  })

  it('is looked for at once after all when a new key has come in between', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const first = keySet.lookAgain('two')
    await vi.advanceTimersByTimeAsync(0)
    await first
    provider.keys = [one.jwk, two.jwk]
    const other = keySet.lookAgain('y')
    await vi.advanceTimersByTimeAsync(2_000)
    await other
    expect(keySet.find('two', 'ES256')).toHaveLength(1)
    const again = watch(keySet.lookAgain('z'))
    await vi.advanceTimersByTimeAsync(1_000)
    await until(() => again.state === true)
  })

  it('shares the fetch with all others', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const looks = Promise.all(Array.from({ length: 900 }, (_, index) => keySet.lookAgain(`made-up-${index}`)))
    await vi.advanceTimersByTimeAsync(0)
    expect(new Set(await looks)).toEqual(new Set([true]))
    expect(provider.loads).toBe(2)
  })

  it('leaves little behind, however long it is', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const { keySet } = setUp(one.jwk)
    await keySet.settle()
    collect()
    const before = process.memoryUsage().heapUsed
    const looks = Promise.all(Array.from({ length: 900 }, () => keySet.lookAgain(randomBytes(5_500).toString('hex'))))
    await vi.advanceTimersByTimeAsync(0)
    await looks
    collect()
    // The ids themselves are 10 MB.
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000)
  })

  it('waits for the end of a fetch that began before it was asked for, and fetches again', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const gate = closedGate()
    provider.gate = gate.closed
    pass(480)
    mustWait(keySet)
    const looked = watch(keySet.lookAgain('two'))
    await vi.advanceTimersByTimeAsync(0)
    await settleDown()
    expect(provider.loads).toBe(2)
    gate.open()
    provider.keys = [one.jwk, two.jwk]
    await until(() => looked.state === true)
    expect(provider.loads).toBe(3)
    expect(provider.mostRunning).toBe(1)
    expect(keySet.find('two', 'ES256')).toHaveLength(1)
  })

  it('that is asked for while such a fetch is under way gets the next one: this one may have begun too early', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const gate = closedGate()
    provider.gate = gate.closed
    const first = watch(keySet.lookAgain('x'))
    await vi.advanceTimersByTimeAsync(0)
    expect(provider.running).toBe(1)
    const later = watch(keySet.lookAgain('two'))
    gate.open()
    await until(() => first.state === true)
    expect(later.state).toBe('pending')
    provider.keys = [one.jwk, two.jwk]
    await vi.advanceTimersByTimeAsync(2_000)
    await until(() => later.state === true)
    expect(keySet.find('two', 'ES256')).toHaveLength(1)
    expect(provider.loads).toBe(3)
    expect(provider.mostRunning).toBe(1)
  })

  it('ten thousand made-up ones over ten minutes cost few fetches, and a real one in the middle is found', async () => {
    const { provider, keySet, idle } = setUp(one.jwk)
    await keySet.settle()
    const refused: unknown[] = []
    for (let count = 0; count < 10_000; count++) {
      keySet.lookAgain(`made-up-${count}`).catch((error: unknown) => refused.push(error))
      if (count % 50 !== 49) continue
      await vi.advanceTimersByTimeAsync(3_000)
      await idle()
      // Whoever has a known key never notices.
      expect(mustWait(keySet)).toBe(false)
      expect(keySet.find('one', 'ES256')).toHaveLength(1)
      if (count !== 4_999) continue
      provider.keys = [one.jwk, two.jwk]
      const real = watch(keySet.lookAgain('two'))
      await vi.advanceTimersByTimeAsync(10_000)
      await until(() => real.state === true)
      expect(keySet.find('two', 'ES256')).toHaveLength(1)
    }
    expect(refused).toEqual([])
    // 610 seconds: one at the start, one every ten seconds then, and the short pauses of two beginnings.
    expect(provider.loads).toBeLessThan(61 + 10)
  })

  it('more than a thousand at once: the rest are told to come back, and none of them is remembered', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const first = keySet.lookAgain('first')
    await vi.advanceTimersByTimeAsync(0)
    await first
    const looks = Array.from({ length: 10_000 }, (_, index) => watch(keySet.lookAgain(`made-up-${index}`)))
    await settleDown()
    expect(looks.filter(({ state }) => state instanceof KeysUnavailable)).toHaveLength(9_000)
    provider.keys = [one.jwk, two.jwk]
    await vi.advanceTimersByTimeAsync(2_000)
    await until(() => looks.filter(({ state }) => state === true).length === 1_000)
    expect(provider.loads).toBe(3)
    expect(keySet.find('two', 'ES256')).toHaveLength(1)
  })

  it('after a minute of quiet is looked for at once again', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    for (let round = 0; round < 6; round++) {
      const looked = keySet.lookAgain(`x${round}`)
      await vi.advanceTimersByTimeAsync(10_000)
      await looked
    }
    pass(61)
    const before = provider.loads
    const looked = watch(keySet.lookAgain('y'))
    await vi.advanceTimersByTimeAsync(0)
    await until(() => looked.state === true)
    expect(provider.loads).toBe(before + 1)
  })

  it('while the provider is down: unavailable, since nobody can tell whether the key exists', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    provider.failure = new Error('down')
    const looked = watch(keySet.lookAgain('two'))
    await vi.advanceTimersByTimeAsync(0)
    await until(() => looked.state instanceof KeysUnavailable)
    expect(kids(keySet)).toEqual(['one'])
    provider.failure = undefined
    provider.keys = [one.jwk, two.jwk]
    pass(2)
    const again = watch(keySet.lookAgain('two'))
    await vi.advanceTimersByTimeAsync(2_000)
    await until(() => again.state === true)
    expect(keySet.find('two', 'ES256')).toHaveLength(1)
  })

  it('does not get a provider that is down asked more often, and is answered at once', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    provider.failure = new Error('down')
    pass(600)
    for (let round = 0; round < 12; round++) {
      await keySet.settle()
      pass(75)
    }
    await keySet.settle()
    const before = provider.loads
    for (let count = 0; count < 30; count++) {
      const looked = watch(keySet.lookAgain(`made-up-${count}`))
      await vi.advanceTimersByTimeAsync(0)
      await until(() => looked.state instanceof KeysUnavailable)
      await vi.advanceTimersByTimeAsync(1_000)
    }
    expect(provider.loads).toBe(before)
  })
})

describe('A6 a clock that is set back', () => {
  it('makes no key live longer', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    pass(-86_400)
    mustWait(keySet)
    provider.failure = new Error('down')
    pass(21_600)
    expect(mustWait(keySet)).toBe(true)
    await expect(keySet.settle()).rejects.toBeInstanceOf(KeysUnavailable)
  })

  it('does not keep the keys from being renewed', async () => {
    const { provider, keySet, idle } = setUp(one.jwk)
    await keySet.settle()
    pass(-86_400)
    mustWait(keySet)
    provider.keys = [two.jwk]
    pass(600)
    if (mustWait(keySet)) await keySet.settle()
    await idle()
    expect(kids(keySet)).toEqual(['two'])
  })

  it('does not prolong the pause after a failure', async () => {
    const { provider, keySet } = setUp(one.jwk)
    provider.failure = new Error('down')
    await keySet.settle().catch(() => {})
    provider.failure = undefined
    pass(-86_400)
    pass(1.25)
    await keySet.settle()
    expect(kids(keySet)).toEqual(['one'])
  })

  it('does not prolong the pause between looks', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const first = keySet.lookAgain('two')
    await vi.advanceTimersByTimeAsync(0)
    await first
    pass(-86_400)
    provider.keys = [one.jwk, two.jwk]
    const again = watch(keySet.lookAgain('two'))
    await vi.advanceTimersByTimeAsync(10_000)
    await until(() => again.state === true)
    expect(keySet.find('two', 'ES256')).toHaveLength(1)
  })
})

describe('close', () => {
  it('ends the wait of those who look: unavailable, not unknown', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    const first = keySet.lookAgain('x')
    await vi.advanceTimersByTimeAsync(0)
    await first
    const looked = watch(keySet.lookAgain('y'))
    await settleDown()
    expect(looked.state).toBe('pending')
    keySet.close()
    await until(() => looked.state instanceof KeysUnavailable)
    expect(vi.getTimerCount()).toBe(0)
    expect(provider.loads).toBe(2)
  })

  it('fetches no more', async () => {
    const { provider, keySet } = setUp(one.jwk)
    await keySet.settle()
    keySet.close()
    pass(600)
    mustWait(keySet)
    await expect(keySet.settle()).rejects.toBeInstanceOf(KeysUnavailable)
    await expect(keySet.lookAgain('x')).rejects.toBeInstanceOf(KeysUnavailable)
    expect(provider.loads).toBe(1)
  })

  it('lets whoever waits for a fetch have its keys', async () => {
    const { provider, keySet } = setUp(one.jwk)
    const gate = closedGate()
    provider.gate = gate.closed
    const settling = keySet.settle()
    keySet.close()
    gate.open()
    await settling
    expect(kids(keySet)).toEqual(['one'])
  })
})
