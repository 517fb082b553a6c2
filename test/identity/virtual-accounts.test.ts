import { describe, expect, it, vi } from 'vitest'
import { ConfigError, type ConfigProblem } from '../../src/core/errors.ts'
import { createApiKeys } from '../../src/identity/api-keys.ts'
import { checkVirtualAccounts } from '../../src/identity/check-virtual-accounts.ts'
import { identityId, virtualAccountId } from '../../src/identity/identity.ts'
import type { VirtualAccountConfig } from '../../src/identity/virtual-account.ts'
import { createVirtualAccounts } from '../../src/identity/virtual-accounts.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { hiccup, mortal, operatedStore, type When } from '../../src/testing/failing-store.ts'
import { createTestClock } from '../support/keys.ts'
import { scanAll } from '../support/store-checks.ts'
import { allRecords, rejection, twoHandles } from './setup.ts'

const nightly: VirtualAccountConfig = {
  description: 'nightly agent',
  owners: ['user:corp/alice@example.com'],
  groups: ['agents'],
}

function setUp(
  configured: Record<string, VirtualAccountConfig> = {},
  store: TokenStore = memoryStore(),
  cacheMs = 5_000,
) {
  const clock = createTestClock()
  const keys = createApiKeys({ store, clock, cacheMs: 0 })
  /** As the broker does it. */
  const disconnect = async (id: string) => {
    for (const { key } of (await store.list('connections', id)).records) await store.delete(key)
  }
  const accounts = createVirtualAccounts({
    store,
    clock,
    keys,
    disconnect,
    configured,
    integrations: ['corp'],
    cacheMs,
  })
  /** A key of the account, which must be there. */
  const keyOf = async (name: string) => {
    const account = await accounts.get(name)
    if (account === undefined) throw new Error(`no account ${name}`)
    return (await keys.create({ owner: account.owner, name: 'x' })).key
  }
  /** Whether a key is there, and the account that it was made for, too. */
  const works = async (key: string) => {
    const found = await keys.verify(key)
    if (found.kind !== 'found' || found.record.owner.kind === 'person') return false
    const { name, incarnation } = found.record.owner
    return (await accounts.get(name))?.owner.incarnation === incarnation
  }
  return { store, clock, keys, accounts, keyOf, works }
}

/** Leaves the account a connection. */
async function connect(store: TokenStore, name: string): Promise<void> {
  const key = { space: 'connections', owner: virtualAccountId(name), id: 'dev/code' }
  await store.put(key, Buffer.from('tokens'), { ifVersion: null })
}

describe('G2 a virtual account of the configuration', () => {
  it('is there, as it is configured', async () => {
    const { accounts } = setUp({ ci: nightly, bare: {} })
    const ci = { name: 'ci', id: identityId('virtual-account', 'ci'), source: 'configuration', ...nightly }
    expect(await accounts.get('ci')).toMatchObject(ci)
    expect(await accounts.get('bare')).not.toHaveProperty('owners')
    expect(await accounts.get('other')).toBeUndefined()
    expect((await accounts.list()).map(({ name }) => name)).toEqual(['bare', 'ci'])
  })

  it('cannot be made or deleted at runtime', async () => {
    const { accounts } = setUp({ ci: nightly })
    for (const work of [accounts.create('ci'), accounts.delete('ci')]) {
      const error = await rejection(work)
      expect(error).toMatchObject({ code: 'ERR_VIRTUAL_ACCOUNT', reason: 'configured' })
      expect(error.message).toContain('"ci" is in the configuration')
    }
  })

  it('wins over one in the store, whose keys go on working', async () => {
    const { accounts, keyOf, works, clock } = setUp()
    await accounts.create('ci', { description: 'by hand', groups: ['old'] })
    const key = await keyOf('ci')
    accounts.reconfigure({ ci: nightly }, ['corp'])
    expect(await accounts.get('ci')).toMatchObject({ source: 'configuration', ...nightly })
    expect(await accounts.get('ci')).not.toHaveProperty('createdAt')
    expect(await accounts.list()).toMatchObject([{ source: 'configuration', ...nightly }])
    expect(await works(key)).toBe(true)
    accounts.reconfigure({}, ['corp'])
    expect(await accounts.get('ci')).toMatchObject({ source: 'store', createdAt: clock.now(), groups: ['old'] })
  })

  it('has no working keys while it is out of the configuration, nor has somebody else of its name', async () => {
    const { accounts, keyOf, works } = setUp({ ci: nightly })
    const key = await keyOf('ci')
    expect(await works(key)).toBe(true)
    accounts.reconfigure({}, ['corp'])
    expect(await works(key)).toBe(false)
    await accounts.create('ci')
    expect(await works(key)).toBe(false)
    const other = await keyOf('ci')
    expect(await works(other)).toBe(true)
  })

  it('cannot be changed through what is handed out, nor through what was handed in', async () => {
    const groups = ['agents']
    const { accounts } = setUp({ ci: { groups } })
    const found = await accounts.get('ci')
    expect(Object.isFrozen(found)).toBe(true)
    expect(Object.isFrozen(found?.groups)).toBe(true)
    groups.push('admins')
    expect((await accounts.get('ci'))?.groups).toEqual(['agents'])
  })

  it('is read from the store now and then only', async () => {
    let asked = 0
    const store = operatedStore(memoryStore(), (_, operation) => {
      asked++
      return operation()
    })
    const { accounts } = setUp({ ci: nightly }, store)
    for (let count = 0; count < 5; count++) await accounts.get('ci')
    expect(asked).toBe(1)
  })
})

describe('G2 a virtual account made at runtime', () => {
  it('is there until it is deleted', async () => {
    const { accounts, clock } = setUp({ first: {} })
    expect(await accounts.get('ci')).toBeUndefined()
    const made = await accounts.create('ci', nightly)
    expect(made).toMatchObject({ name: 'ci', source: 'store', createdAt: clock.now(), ...nightly })
    expect(await accounts.get('ci')).toEqual(made)
    expect((await accounts.list()).map(({ name }) => name)).toEqual(['ci', 'first'])
    expect(await accounts.delete('ci')).toBe(true)
    expect(await accounts.get('ci')).toBeUndefined()
    expect(await accounts.delete('ci')).toBe(false)
  })

  it('is not made twice, also not by two at once', async () => {
    const { accounts } = setUp()
    const results = await Promise.allSettled([accounts.create('ci'), accounts.create('ci')])
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(await rejection(accounts.create('ci'))).toMatchObject({ code: 'ERR_VIRTUAL_ACCOUNT', reason: 'exists' })
  })

  it.each(['a', '0', 'ci.nightly_2-b', 'x'.repeat(64)])('can be called %j', async (name) => {
    const { accounts } = setUp()
    await accounts.create(name)
    expect(await accounts.get(name)).toMatchObject({ name })
  })

  it.each(['', 'A', 'é', '-a', '.a', 'a/b', 'a:b', 'a b', 'a*', 'x'.repeat(65), '__proto__', 'a\n', '\0'])(
    'cannot be called %j',
    async (name) => {
      const { accounts, store } = setUp()
      const error = await rejection(accounts.create(name))
      expect(error).toBeInstanceOf(ConfigError)
      expect((error as ConfigError).problems).toMatchObject([{ path: 'name' }])
      expect(await accounts.get(name)).toBeUndefined()
      expect(await accounts.delete(name)).toBe(false)
      expect(await scanAll(store, 'virtual-accounts')).toEqual([])
    },
  )

  it('is checked as one of the configuration is, all problems at once', async () => {
    const { accounts } = setUp()
    const wrong = { owners: ['user:crop/alice', 'alice'], group: ['x'] } as never
    const { problems } = (await rejection(accounts.create('CI', wrong))) as ConfigError
    expect(problems.map(({ path }) => path)).toEqual(['name', ''])
    const owners = (await rejection(accounts.create('ci', { owners: ['user:crop/alice', 'alice'] }))) as ConfigError
    expect(owners.problems.map(({ path }) => path)).toEqual(['owners[0]', 'owners[1]'])
  })

  it('that is deleted has no keys any more, and neither has one made anew under its name', async () => {
    const { accounts, keyOf, works, store } = setUp()
    await accounts.create('ci')
    const key = await keyOf('ci')
    expect(await works(key)).toBe(true)
    await accounts.delete('ci')
    expect(await works(key)).toBe(false)
    expect(await allRecords(store)).toEqual([])
    await accounts.create('ci')
    expect(await works(key)).toBe(false)
    expect(await works(await keyOf('ci'))).toBe(true)
  })

  it('has no connection of another one that had its name, however that came to its end', async () => {
    const { accounts, store } = setUp({ configured: {} })
    await accounts.create('ci', nightly)
    await connect(store, 'ci')
    await connect(store, 'other')
    await accounts.delete('ci')
    expect((await scanAll(store, 'connections')).map(({ key }) => key.owner)).toEqual([virtualAccountId('other')])
    // A consent that ended after the account did.
    await connect(store, 'ci')
    await accounts.create('ci')
    // One of a configuration that has it no longer.
    await connect(store, 'configured')
    accounts.reconfigure({}, ['corp'])
    await accounts.create('configured')
    expect((await scanAll(store, 'connections')).map(({ key }) => key.owner)).toEqual([virtualAccountId('other')])
  })

  it('keeps its connections where somebody tries to make it again', async () => {
    const { accounts, store } = setUp()
    await accounts.create('ci')
    await connect(store, 'ci')
    await expect(accounts.create('ci')).rejects.toMatchObject({ reason: 'exists' })
    expect(await scanAll(store, 'connections')).toHaveLength(1)
  })

  it('that was deleted while a key of it was made has left a key that is worthless', async () => {
    const { accounts, keys, works } = setUp()
    const { owner } = await accounts.create('ci')
    await accounts.delete('ci')
    const { key } = await keys.create({ owner, name: 'late' })
    await accounts.create('ci')
    expect(await works(key)).toBe(false)
  })

  it('that is deleted elsewhere is gone within the bound, or as soon as the store tells', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const { accounts: here, store } = setUp()
      const { accounts: there } = setUp({}, store)
      await here.create('ci')
      expect(await there.get('ci')).toBeDefined()
      await here.delete('ci')
      vi.advanceTimersByTime(5_000)
      expect(await there.get('ci')).toBeUndefined()
    } finally {
      vi.useRealTimers()
    }
    const [one, other] = twoHandles()
    const { accounts: here } = setUp({}, one)
    const { accounts: there } = setUp({}, other)
    await here.create('ci')
    expect(await there.get('ci')).toBeDefined()
    await here.delete('ci')
    expect(await there.get('ci')).toBeUndefined()
    there.close()
  })
})

describe('G2 all accounts, as they are known', () => {
  const namesOf = async ({ known }: { known(): Promise<readonly { readonly name: string }[]> }) =>
    (await known()).map(({ name }) => name)

  it('are read from the store now and then only, and anew after a change', async () => {
    let scans = 0
    const store = memoryStore()
    const counting: TokenStore = {
      ...store,
      scan(space, page) {
        scans++
        return store.scan(space, page)
      },
    }
    const { accounts } = setUp({ bare: {} }, counting)
    for (let count = 0; count < 5; count++) expect(await namesOf(accounts)).toEqual(['bare'])
    expect(scans).toBe(1)
    await accounts.create('ci')
    expect(await namesOf(accounts)).toEqual(['bare', 'ci'])
    await accounts.delete('ci')
    expect(await namesOf(accounts)).toEqual(['bare'])
    accounts.reconfigure({}, ['corp'])
    expect(await namesOf(accounts)).toEqual([])
  })

  it('lose one that is deleted elsewhere within the bound, or as soon as the store tells', async () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    try {
      const { accounts: here, store } = setUp()
      const { accounts: there } = setUp({}, store)
      await here.create('ci')
      expect(await namesOf(there)).toEqual(['ci'])
      await here.delete('ci')
      expect(await namesOf(there)).toEqual(['ci'])
      vi.advanceTimersByTime(5_000)
      expect(await namesOf(there)).toEqual([])
    } finally {
      vi.useRealTimers()
    }
    const [one, other] = twoHandles()
    const { accounts: here } = setUp({}, one)
    const { accounts: there } = setUp({}, other)
    await here.create('ci')
    expect(await namesOf(there)).toEqual(['ci'])
    await here.delete('ci')
    expect(await namesOf(there)).toEqual([])
    there.close()
  })

  it('are not what was read while one was made', async () => {
    const store = memoryStore()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let reading = () => {}
    const begun = new Promise<void>((resolve) => {
      reading = resolve
    })
    const slow: TokenStore = {
      ...store,
      async scan(space, page) {
        const found = await store.scan(space, page)
        reading()
        await held
        return found
      },
    }
    const { accounts } = setUp({}, slow)
    const early = namesOf(accounts)
    await begun
    await accounts.create('ci')
    release()
    expect(await early).toEqual([])
    expect(await namesOf(accounts)).toEqual(['ci'])
  })

  it('are none where the store fails, and are asked for again', async () => {
    const store = memoryStore()
    let down = true
    const failing: TokenStore = {
      ...store,
      scan: (space, page) => (down ? Promise.reject(new Error('the store is down')) : store.scan(space, page)),
    }
    const { accounts } = setUp({ bare: {} }, failing)
    await expect(accounts.known()).rejects.toThrow('the store is down')
    down = false
    expect(await namesOf(accounts)).toEqual(['bare'])
  })
})

describe('G2 deleting an account', async () => {
  async function withKey() {
    const made = setUp({}, memoryStore(), 0)
    await made.accounts.create('ci')
    await connect(made.store, 'ci')
    return { ...made, key: await made.keyOf('ci') }
  }
  let steps = 0
  const counted = await withKey()
  await setUp(
    {},
    operatedStore(counted.store, (turn, operation) => {
      steps = turn + 1
      return operation()
    }),
  ).accounts.delete('ci')
  const failures = Array.from({ length: steps }, (_, turn) =>
    (['before', 'after'] as const).flatMap((when) => [[turn, when, 'dies'] as const, [turn, when, 'fails'] as const]),
  ).flat()

  it.each<readonly [number, When, 'dies' | 'fails']>(failures)('at step %i, %s it, %s', async (turn, when, how) => {
    const { store, accounts, works, key, keyOf } = await withKey()
    if (how === 'fails')
      await setUp({}, hiccup(store, turn, when))
        .accounts.delete('ci')
        .catch(() => {})
    else {
      const process = mortal()
      await Promise.race([process.died, setUp({}, process.store(store, turn, when)).accounts.delete('ci')])
    }
    // It is there with its key, or neither is.
    expect(await works(key)).toBe((await accounts.get('ci')) !== undefined)

    if (turn % 2 === 0) {
      // Done again, it is finished.
      await accounts.delete('ci')
      expect(await allRecords(store)).toEqual([])
      expect(await scanAll(store, 'virtual-accounts')).toEqual([])
      expect(await scanAll(store, 'connections')).toEqual([])
    } else if (await accounts.create('ci').catch(() => undefined)) {
      // Made anew, it has nothing of the old one.
      expect(await works(key)).toBe(false)
      expect(await allRecords(store)).toEqual([])
      expect(await scanAll(store, 'connections')).toEqual([])
      expect(await works(await keyOf('ci'))).toBe(true)
    }
  })
})

describe('G2 virtual accounts of a configuration', () => {
  function problemsOf(accounts: unknown): ConfigProblem[] {
    const problems: ConfigProblem[] = []
    checkVirtualAccounts(accounts, 'virtualAccounts', ['corp', 'acme'], problems)
    return problems
  }

  it('that are sound', () => {
    expect(problemsOf(undefined)).toEqual([])
    expect(problemsOf({})).toEqual([])
    expect(problemsOf({ ci: nightly, 'a.b': {}, c: { owners: ['user:acme/0a-7/x', 'user:acme/a%40b%25'] } })).toEqual(
      [],
    )
    expect(problemsOf({ ci: { owners: ['user:corp/50%@example.com'], groups: ['batch'] } })).toEqual([])
  })

  it.each<[unknown, string, string]>([
    [[], 'virtualAccounts', 'expected object, got a list'],
    [{ CI: {} }, 'virtualAccounts.CI', 'a name has 1 to 64 lower-case letters'],
    [{ ci: 7 }, 'virtualAccounts.ci', 'expected object, got number'],
    [{ ci: { owner: [] } }, 'virtualAccounts.ci', 'unknown key "owner"; did you mean "owners"?'],
    [{ ci: { owners: 'x' } }, 'virtualAccounts.ci.owners', 'expected array, got string'],
    [{ ci: { owners: ['alice'] } }, 'virtualAccounts.ci.owners[0]', '"alice" is not one person'],
    [{ ci: { owners: ['user:corp/*'] } }, 'virtualAccounts.ci.owners[0]', '"user:corp/*" is not one person'],
    [{ ci: { owners: ['user:*/a'] } }, 'virtualAccounts.ci.owners[0]', 'is not one person'],
    [{ ci: { owners: ['group:corp/a'] } }, 'virtualAccounts.ci.owners[0]', 'is not one person'],
    [{ ci: { owners: ['anonymous'] } }, 'virtualAccounts.ci.owners[0]', 'is not one person'],
    [{ ci: { owners: ['user:corp/'] } }, 'virtualAccounts.ci.owners[0]', 'is not one person'],
    [
      { ci: { owners: ['user:crop/a'] } },
      'virtualAccounts.ci.owners[0]',
      'no integration named "crop"; did you mean "corp"?',
    ],
    [{ ci: { owners: ['subject:corp/a'] } }, 'virtualAccounts.ci.owners[0]', 'is not one person'],
    [{ ci: { owners: ['user:corp/a%zz'] } }, 'virtualAccounts.ci.owners[0]', '"%" is written "%25"'],
    [{ ci: { groups: ['group:virtual-account/a'] } }, 'virtualAccounts.ci.groups[0]', 'expected the name alone'],
    [{ ci: { groups: [7] } }, 'virtualAccounts.ci.groups[0]', 'expected string, got number'],
    [{ ci: { description: 'x'.repeat(501) } }, 'virtualAccounts.ci.description', 'at most 500 characters'],
    [JSON.parse('{"__proto__":{"owners":["x"]}}'), 'virtualAccounts.__proto__', 'a name has 1 to 64'],
  ])('%j', (accounts, path, message) => {
    const [problem] = problemsOf(accounts)
    expect(problem?.path).toBe(path)
    expect(problem?.message).toContain(message)
  })
})
