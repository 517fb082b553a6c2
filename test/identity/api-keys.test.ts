import { afterEach, describe, expect, it, vi } from 'vitest'
import { generateKey } from '../../src/core/sealing.ts'
import { type ApiKeySettings, type ApiKeys, createApiKeys } from '../../src/identity/api-keys.ts'
import type { KeyEvent } from '../../src/identity/key-event.ts'
import type { KeyRecord } from '../../src/identity/key-records.ts'
import { sealed } from '../../src/store/sealed.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { operatedStore } from '../../src/testing/failing-store.ts'
import { createTestClock } from '../support/keys.ts'
import { alice, allRecords, bob, ci, rejection, SPACES, twoHandles } from './setup.ts'

const DAY = 24 * 3600

function setUp(settings: Partial<ApiKeySettings> = {}) {
  const clock = createTestClock()
  const store = settings.store ?? memoryStore({ clock })
  const events: KeyEvent[] = []
  const keys = createApiKeys({ store, clock, on: (event) => events.push(event), ...settings })
  return { keys, store, clock, events }
}

/** What verification says, in a word. */
async function verdict(keys: ApiKeys, key: string): Promise<string> {
  return (await keys.verify(key)).kind
}

async function recordOf(keys: ApiKeys, key: string): Promise<KeyRecord> {
  const found = await keys.verify(key)
  if (found.kind !== 'found') throw new Error(found.kind)
  return found.record
}

afterEach(() => void vi.useRealTimers())

describe('G1 an API key', () => {
  it('is shown once, and found by its text', async () => {
    const { keys, clock } = setUp()
    const { key, ...known } = await keys.create({ owner: alice, name: 'laptop' })
    expect(known).toEqual({
      id: expect.stringMatching(/^[0-9A-Za-z]{17}$/),
      name: 'laptop',
      prefix: key.slice(0, 8),
      createdAt: clock.now(),
    })
    expect(await keys.list(alice)).toEqual([known])
    expect(await keys.verify(key)).toEqual({ kind: 'found', record: { ...known, owner: alice } })
  })

  it('is of a person or of a virtual account', async () => {
    const { keys } = setUp()
    expect((await keys.create({ owner: alice, name: 'x' })).key).toMatch(/^spp_/)
    const { key } = await keys.create({ owner: ci, name: 'x' })
    expect(key).toMatch(/^spv_/)
    expect((await recordOf(keys, key)).owner).toEqual(ci)
  })

  it('is kept as a hash: neither it nor its random part is in the store', async () => {
    const { keys, store } = setUp()
    const { key } = await keys.create({ owner: alice, name: 'laptop' })
    keys.noteUse(await recordOf(keys, key))
    await keys.close()
    const records = await allRecords(store)
    expect(records).toHaveLength(3)
    for (const text of records) {
      expect(text).not.toContain(key)
      expect(text).not.toContain(key.slice(4, -6))
    }
  })

  it('works over a store that seals', async () => {
    const store = sealed(memoryStore(), [generateKey()])
    const { keys } = setUp({ store })
    const { key, id } = await keys.create({ owner: alice, name: 'laptop' })
    expect(await verdict(keys, key)).toBe('found')
    expect(await keys.revoke(alice, id)).toBe(true)
    expect(await verdict(keys, key)).toBe('unknown')
  })

  it('that is mistyped is refused without asking the store; one that is not there is looked for', async () => {
    let asked = 0
    const store = operatedStore(memoryStore(), (_, operation) => {
      asked++
      return operation()
    })
    const { keys } = setUp({ store })
    const { key } = await keys.create({ owner: alice, name: 'laptop' })
    asked = 0
    const last = key.endsWith('0') ? '1' : '0'
    for (const wrong of [key.slice(0, -1) + last, key.slice(0, -1), `${key}x`, 'spp_', '', key.toUpperCase()]) {
      expect(await keys.verify(wrong)).toEqual({ kind: 'malformed' })
    }
    expect(asked).toBe(0)
    const { key: elsewhere } = await setUp().keys.create({ owner: alice, name: 'laptop' })
    expect(await keys.verify(elsewhere)).toEqual({ kind: 'unknown' })
    expect(asked).toBe(1)
  })

  it('is looked up once for many requests, also when they come at once', async () => {
    let asked = 0
    const store = operatedStore(memoryStore(), (_, operation) => {
      asked++
      return operation()
    })
    const { keys } = setUp({ store })
    const { key } = await keys.create({ owner: alice, name: 'laptop' })
    asked = 0
    await Promise.all(Array.from({ length: 20 }, () => keys.verify(key)))
    await keys.verify(key)
    expect(asked).toBe(1)
  })

  it('fails to be looked up where the store fails, and is not unknown then', async () => {
    const store = memoryStore()
    const { keys } = setUp({ store })
    const { key } = await keys.create({ owner: alice, name: 'laptop' })
    await store.close()
    expect(await rejection(keys.verify(key))).toMatchObject({ code: 'ERR_STORE' })
  })
})

describe('G1 the end of a key', () => {
  it.each<[string, (now: number) => object]>([
    ['expiresAt', (now) => ({ expiresAt: now + 60_000 })],
    ['ttlSeconds', () => ({ ttlSeconds: 60 })],
  ])('is to the millisecond, whatever is remembered: %s', async (_, end) => {
    const { keys, clock } = setUp()
    const { key, expiresAt } = await keys.create({ owner: alice, name: 'x', ...end(clock.now()) })
    expect(expiresAt).toBe(clock.now() + 60_000)
    clock.advance(59.999)
    expect(await verdict(keys, key)).toBe('found')
    clock.advance(0.001)
    expect(await verdict(keys, key)).toBe('expired')
  })

  it('is remembered for 30 days, and then nothing is left of it', async () => {
    const { keys, clock, store } = setUp({ cacheMs: 0 })
    const { key, id } = await keys.create({ owner: alice, name: 'x', ttlSeconds: 60 })
    clock.advance(60 + 30 * DAY - 1)
    expect(await verdict(keys, key)).toBe('expired')
    expect(await keys.list(alice)).toMatchObject([{ id }])
    clock.advance(1)
    expect(await verdict(keys, key)).toBe('unknown')
    expect(await keys.list(alice)).toEqual([])
    clock.advance(DAY)
    expect(await allRecords(store)).toEqual([])
  })

  it.each<[string, object]>([
    ['both ways at once', { expiresAt: 2e12, ttlSeconds: 5 }],
    ['the past', { expiresAt: 1_800_000_000_000 }],
    ['seconds in place of milliseconds', { expiresAt: 1_800_003_600 }],
    ['no time at all', { ttlSeconds: 0 }],
    ['less than that', { ttlSeconds: -1 }],
    ['for ever', { ttlSeconds: Number.POSITIVE_INFINITY }],
    ['a time beyond the calendar', { expiresAt: Number.MAX_SAFE_INTEGER }],
    ['so many seconds', { ttlSeconds: 1e13 }],
    ['nonsense', { expiresAt: Number.NaN }],
    ['a text', { expiresAt: 'tomorrow' }],
  ])('cannot be %s', async (_, end) => {
    const { keys, store } = setUp()
    const error = await rejection(keys.create({ owner: alice, name: 'x', ...end }))
    expect(error).toMatchObject({ code: 'ERR_API_KEY', reason: 'expiry' })
    expect(await allRecords(store)).toEqual([])
  })
})

describe('G1 an option of a key that there is none of', () => {
  it.each([
    [{ expiresIn: 60 }, 'unknown option "expiresIn"; did you mean "expiresAt"?'],
    [{ ttl: 60, ttlSeconds: 60 }, 'unknown option "ttl"'],
    [{ scopes: [] }, 'unknown option "scopes"'],
  ])('%j makes no key', async (options, message) => {
    const { keys } = setUp()
    const error = await rejection(keys.create({ owner: alice, name: 'x', ...options }))
    expect(error).toMatchObject({ code: 'ERR_API_KEY', reason: 'option', message })
    expect(await keys.list(alice)).toEqual([])
  })
})

describe('G1 the name of a key', () => {
  it.each(['x', ' laptop of Ann ', '日本', '😀'.repeat(100), 'a'.repeat(100), '<script>'])(
    'can be %j',
    async (name) => {
      const { keys } = setUp()
      await keys.create({ owner: alice, name })
      expect(await keys.list(alice)).toMatchObject([{ name }])
    },
  )

  it.each(['', ' ', 'a'.repeat(101), '😀'.repeat(101), 'a\nb', 'a\u0000', '\u001b[31m', 'a\u2028b', '\ud800', 7, null])(
    'cannot be %j',
    async (name) => {
      const { keys, store } = setUp()
      const error = await rejection(keys.create({ owner: alice, name: name as string }))
      expect(error).toMatchObject({ code: 'ERR_API_KEY', reason: 'name' })
      expect(await allRecords(store)).toEqual([])
    },
  )
})

describe('G1 a revoked key', () => {
  it('is refused at once, and nothing is left of it', async () => {
    const { keys, store } = setUp()
    const { key, id } = await keys.create({ owner: alice, name: 'x' })
    keys.noteUse(await recordOf(keys, key))
    await keys.close()
    expect(await keys.revoke(alice, id)).toBe(true)
    expect(await verdict(keys, key)).toBe('unknown')
    expect(await allRecords(store)).toEqual([])
    expect(await keys.revoke(alice, id)).toBe(false)
  })

  it("is never somebody else's", async () => {
    const { keys } = setUp()
    const { key, id } = await keys.create({ owner: alice, name: 'x' })
    for (const owner of [bob, ci, { kind: 'virtual-account', name: alice.id, incarnation: '' } as never]) {
      expect(await keys.revoke(owner, id)).toBe(false)
      expect(await keys.list(owner)).toEqual([])
    }
    expect(await verdict(keys, key)).toBe('found')
  })

  it.each(['', 'x'.repeat(65), 'a/b', '\0', '../x', 'é'])('an id such as %j is nobody’s', async (id) => {
    expect(await setUp().keys.revoke(alice, id)).toBe(false)
  })

  it('is one of all, when all of an owner are', async () => {
    const { keys, store } = setUp()
    const made = await Promise.all(['a', 'b', 'c'].map((name) => keys.create({ owner: alice, name })))
    const { key: other } = await keys.create({ owner: bob, name: 'x' })
    expect(await keys.revokeAll(alice)).toBe(3)
    for (const { key } of made) expect(await verdict(keys, key)).toBe('unknown')
    expect(await verdict(keys, other)).toBe('found')
    expect(await keys.list(alice)).toEqual([])
    expect(await allRecords(store)).toHaveLength(2)
  })

  it('was being looked up: what was found is not remembered', async () => {
    let hold: Promise<void> | undefined
    const inner = memoryStore()
    const store: TokenStore = {
      ...inner,
      async get(key) {
        const found = await inner.get(key)
        if (key.space === 'api-keys') await hold
        return found
      },
    }
    const { keys } = setUp({ store })
    const { key, id } = await keys.create({ owner: alice, name: 'x' })
    let release = () => {}
    hold = new Promise((resolve) => {
      release = resolve
    })
    const early = verdict(keys, key)
    await new Promise((resolve) => setImmediate(resolve))
    await keys.revoke(alice, id)
    const late = verdict(keys, key)
    release()
    // It came before.
    expect(await early).toBe('found')
    expect(await late).toBe('unknown')
    expect(await verdict(keys, key)).toBe('unknown')
  })

  it('is refused elsewhere within the bound, where the store tells nothing', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const { keys: here, store } = setUp()
    const { keys: there } = setUp({ store })
    const { key, id } = await here.create({ owner: alice, name: 'x' })
    expect(await verdict(there, key)).toBe('found')
    await here.revoke(alice, id)
    expect(await verdict(here, key)).toBe('unknown')
    vi.advanceTimersByTime(4_999)
    expect(await verdict(there, key)).toBe('found')
    vi.advanceTimersByTime(1)
    expect(await verdict(there, key)).toBe('unknown')
  })

  it('is refused elsewhere as soon as the store tells', async () => {
    const [one, other] = twoHandles()
    const { keys: here } = setUp({ store: one })
    const { keys: there } = setUp({ store: other })
    const { key, id } = await here.create({ owner: alice, name: 'x' })
    expect(await verdict(there, key)).toBe('found')
    await here.revoke(alice, id)
    expect(await verdict(there, key)).toBe('unknown')
  })

  it('is refused when the store has lost track of what has changed', async () => {
    let lost: (key: 'all') => void = () => {}
    const inner = memoryStore()
    const store: TokenStore = {
      ...inner,
      changes(listener) {
        lost = listener
        return () => {}
      },
    }
    const { keys: there } = setUp({ store })
    const { keys: here } = setUp({ store: inner })
    const { key, id } = await here.create({ owner: alice, name: 'x' })
    expect(await verdict(there, key)).toBe('found')
    await here.revoke(alice, id)
    lost('all')
    expect(await verdict(there, key)).toBe('unknown')
  })
})

describe('G1 the keys of an owner', () => {
  it('are listed in their order, over many pages', async () => {
    const { keys, clock } = setUp({ maxKeysPerOwner: 250 })
    const names = Array.from({ length: 230 }, (_, index) => `key ${index}`)
    for (const name of names) {
      await keys.create({ owner: alice, name })
      clock.advance(1)
    }
    expect((await keys.list(alice)).map(({ name }) => name)).toEqual(names)
  })

  it('are 50 at most, and a clear error says so', async () => {
    const { keys } = setUp()
    for (let count = 0; count < 50; count++) await keys.create({ owner: alice, name: 'x' })
    const error = await rejection(keys.create({ owner: alice, name: 'x' }))
    expect(error).toMatchObject({ name: 'ApiKeyError', code: 'ERR_API_KEY', reason: 'limit' })
    expect(error.message).toBe('there are 50 keys already, which is as many as there may be; revoke one first')
    await keys.create({ owner: bob, name: 'x' })
    const [first] = await keys.list(alice)
    await keys.revoke(alice, first?.id ?? '')
    await keys.create({ owner: alice, name: 'x' })
  })

  it('are fewer when some have expired', async () => {
    const { keys, clock } = setUp({ maxKeysPerOwner: 2 })
    await keys.create({ owner: alice, name: 'short', ttlSeconds: 60 })
    await keys.create({ owner: alice, name: 'long' })
    expect((await rejection(keys.create({ owner: alice, name: 'new' }))).reason).toBe('limit')
    clock.advance(60)
    await keys.create({ owner: alice, name: 'new' })
    expect((await keys.list(alice)).map(({ name }) => name)).toEqual(['long', 'new'])
  })

  it('that are made at once are all there', async () => {
    const { keys } = setUp()
    const made = await Promise.all(
      Array.from({ length: 10 }, (_, index) => keys.create({ owner: alice, name: `${index}` })),
    )
    expect(new Set(made.map(({ key }) => key)).size).toBe(10)
    expect((await keys.list(alice)).map(({ id }) => id).toSorted()).toEqual(made.map(({ id }) => id).toSorted())
    for (const { key } of made) expect(await verdict(keys, key)).toBe('found')
  })

  it('that are made at once, by two processes too, are never too many', async () => {
    for (let round = 0; round < 10; round++) {
      const { keys: one, store } = setUp({ maxKeysPerOwner: 3 })
      const { keys: other } = setUp({ maxKeysPerOwner: 3, store })
      const results = await Promise.allSettled(
        Array.from({ length: 6 }, (_, index) => (index % 2 === 0 ? one : other).create({ owner: alice, name: 'x' })),
      )
      const listed = await one.list(alice)
      expect(listed.length).toBeLessThanOrEqual(3)
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(listed.length)
      expect(await allRecords(store)).toHaveLength(listed.length * 2)
    }
  })

  it('of which the last is made by two at once, go to one of them', async () => {
    for (let round = 0; round < 10; round++) {
      const { keys } = setUp({ maxKeysPerOwner: 1 })
      const results = await Promise.allSettled([1, 2].map(() => keys.create({ owner: alice, name: 'x' })))
      expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    }
  })

  it('that are made while all are revoked are listed, or not there', async () => {
    for (let round = 0; round < 20; round++) {
      const { keys, store } = setUp()
      await keys.create({ owner: alice, name: 'old' })
      const making = keys.create({ owner: alice, name: 'new' })
      for (let turn = 0; turn < round; turn++) await undefined
      const [made] = await Promise.all([making, keys.revokeAll(alice)])
      const listed = await keys.list(alice)
      expect(await verdict(keys, made.key)).toBe(listed.length === 1 ? 'found' : 'unknown')
      expect(await allRecords(store)).toHaveLength(listed.length * 2)
    }
  })
})

describe('G1 a key that is made while all keys of its owner are revoked', () => {
  /** Revokes everything at once, when `create` comes to its operation number `turn`. */
  async function makeAndRevoke(turn: number, when: 'before' | 'after') {
    const store = memoryStore()
    const { keys: other } = setUp({ store })
    const shaken = operatedStore(store, async (at, operation) => {
      if (at === turn && when === 'before') await other.revokeAll(alice)
      const result = await operation()
      if (at === turn && when === 'after') await other.revokeAll(alice)
      return result
    })
    const made = await setUp({ store: shaken }).keys.create({ owner: alice, name: 'new' })
    return { store, other, made }
  }

  it.each(Array.from({ length: 5 }, (_, turn) => [turn, 'before', 'after'] as const))(
    'at step %i, is listed or not there',
    async (turn, ...whens) => {
      for (const when of whens) {
        const { store, other, made } = await makeAndRevoke(turn, when)
        const listed = await other.list(alice)
        expect(await verdict(other, made.key)).toBe(listed.length === 1 ? 'found' : 'unknown')
        expect(await allRecords(store)).toHaveLength(listed.length * 2)
      }
    },
  )
})

describe('G1 the last use of a key', () => {
  it('is listed, apart from its record', async () => {
    const { keys, clock, store } = setUp()
    const { key, id, createdAt } = await keys.create({ owner: alice, name: 'x' })
    const before = await store.get((await scanKeys(store, 'api-keys'))[0] as never)
    clock.advance(100)
    keys.noteUse(await recordOf(keys, key))
    await keys.close()
    expect(await keys.list(alice)).toEqual([
      { id, name: 'x', prefix: key.slice(0, 8), createdAt, lastUsedAt: clock.now() },
    ])
    expect(await store.get((await scanKeys(store, 'api-keys'))[0] as never)).toEqual(before)
  })

  it('is written once a minute, whatever the clock says', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const writes: number[] = []
    const inner = memoryStore()
    let second = 0
    const store: TokenStore = {
      ...inner,
      put(key, value, options) {
        if (key.space === 'api-keys-last-use') writes.push(second)
        return inner.put(key, value, options)
      },
    }
    const { keys, clock } = setUp({ store })
    const { key } = await keys.create({ owner: alice, name: 'x' })
    const record = await recordOf(keys, key)
    for (; second < 150; second++) {
      keys.noteUse(record)
      await keys.close()
      vi.advanceTimersByTime(1_000)
      clock.advance(second === 30 ? -3600 : 1)
    }
    expect(writes).toEqual([0, 60, 120])
    expect(await keys.list(alice)).toMatchObject([{ lastUsedAt: clock.now() - 30_000 }])
  })

  it.each<[string, Partial<TokenStore>]>([
    ['fails', { get: () => Promise.reject(new Error('away')) }],
    ['never answers', { get: () => new Promise(() => {}) }],
    [
      'throws',
      {
        get: () => {
          throw new Error('away')
        },
      },
    ],
  ])('is given up where the store %s, and nobody waits for it', async (_, broken) => {
    const inner = memoryStore()
    const { keys: good } = setUp({ store: inner })
    const { key } = await good.create({ owner: alice, name: 'x' })
    const record = await recordOf(good, key)
    const { keys } = setUp({ store: { ...inner, ...broken } })
    expect(keys.noteUse(record)).toBeUndefined()
    await new Promise((resolve) => setTimeout(resolve, 5))
  })

  it('is forgotten after 400 days, also when it was written after the key was revoked', async () => {
    const { keys, clock, store } = setUp()
    const { key, id } = await keys.create({ owner: alice, name: 'x' })
    const record = await recordOf(keys, key)
    await keys.revoke(alice, id)
    keys.noteUse(record)
    await keys.close()
    expect(await allRecords(store)).toHaveLength(1)
    clock.advance(400 * DAY)
    expect(await allRecords(store)).toEqual([])
  })
})

describe('G17 what is told of keys', () => {
  it('is that they were made and revoked, by whose they are; never a key', async () => {
    const { keys, events } = setUp()
    const person = await keys.create({ owner: alice, name: 'laptop' })
    const service = await keys.create({ owner: ci, name: 'nightly' })
    await keys.revoke(alice, person.id)
    await keys.revoke(alice, person.id)
    await keys.revokeAll(ci)
    await rejection(keys.create({ owner: alice, name: '' }))
    const none = { reason: null, detail: null }
    const first = {
      via: 'personal_token',
      keyId: person.id,
      name: 'laptop',
      id: alice.id,
      virtualAccount: null,
      ...none,
    }
    const second = { via: 'virtual_account_token', keyId: service.id, name: 'nightly', virtualAccount: 'ci', ...none }
    expect(events).toEqual([
      { kind: 'created', ...first },
      { kind: 'created', ...second, id: expect.stringMatching(/^[\w-]{43}$/) },
      { kind: 'revoked', ...first },
      { kind: 'revoked', ...second, id: expect.stringMatching(/^[\w-]{43}$/) },
    ])
    for (const { key } of [person, service]) expect(JSON.stringify(events)).not.toContain(key.slice(4, 20))
  })
})

async function scanKeys(store: TokenStore, space: string) {
  expect(SPACES).toContain(space)
  return (await store.scan(space)).records.map(({ key }) => key)
}
