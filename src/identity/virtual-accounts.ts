/**
 * Virtual accounts: services with an identity of their own. Those of the configuration come first and are changed
 * there; others are made and deleted at runtime and live in the store. One whose record nobody can read may not be used, not
 * even by a configuration of its name, whose keys may be others; deleting it is the way out.
 */
import type { Clock } from '../core/clock.ts'
import { ConfigError, type ConfigProblem, StoreError } from '../core/errors.ts'
import { deepFreeze } from '../core/freeze.ts'
import { everyRecord } from '../store/every-record.ts'
import type { Key, PageRequest, TokenStore } from '../store/token-store.ts'
import { objectIn, readable, readReplaceable, unreadable, warnOnce } from '../store/unopened.ts'
import { newVersion } from '../store/version.ts'
import type { ApiKeys } from './api-keys.ts'
import { accountNameProblem, checkVirtualAccount } from './check-virtual-accounts.ts'
import { virtualAccountId } from './identity.ts'
import { VirtualAccountError } from './identity-errors.ts'
import type { KeyOwner } from './key-owner.ts'
import { createReadCache, forgetOnChange } from './read-cache.ts'
import type { VirtualAccount, VirtualAccountConfig } from './virtual-account.ts'

/** See the top of the file. Methods reject with a `StoreError` where the store fails. */
export interface VirtualAccounts {
  /**
   * Makes an account in the store. It has no connection that an account of its name had before.
   *
   * @throws ConfigError (`ERR_CONFIG`) with every problem of name and account.
   * @throws VirtualAccountError (`ERR_VIRTUAL_ACCOUNT`) for a name that is taken, also by a record that cannot be read.
   */
  create(name: string, account?: VirtualAccountConfig): Promise<VirtualAccount>
  /** The account, or `undefined`. Believed for `cacheMs`, or until the store tells of a change. Rejects where its record cannot be read. */
  get(name: string): Promise<VirtualAccount | undefined>
  /** All accounts by name, without those whose record cannot be read. */
  list(): Promise<VirtualAccount[]>
  /**
   * Deletes an account of the store: its keys are worthless at once, and are taken away then, as are its connections. `false`
   * where there is none. Done again after a failure, it finishes the work.
   *
   * @throws VirtualAccountError (`ERR_VIRTUAL_ACCOUNT`) for one in the configuration.
   */
  delete(name: string): Promise<boolean>
}

/** The same for whoever made them. */
export interface OwnVirtualAccounts extends VirtualAccounts {
  /** As `list`, believed as long as what `get` finds: every page of a person asks for it. */
  known(): Promise<readonly VirtualAccount[]>
  /** The account with this id. Rejects where its record cannot be read. */
  withId(id: string): Promise<VirtualAccount | undefined>
  /** Takes over accounts of a changed configuration, which have been checked. */
  reconfigure(configured: VirtualAccountSettings['configured'], integrations: readonly string[]): void
  /** No longer listens to the store. */
  close(): void
}

/** What virtual accounts need. */
export interface VirtualAccountSettings {
  readonly store: TokenStore
  readonly clock: Clock
  /** Loses the keys of deleted accounts. */
  readonly keys: Pick<ApiKeys, 'revokeAll'>
  /**
   * Ends all connections of an account, by its id, which is made of the name alone: an account that is made later must not find
   * somebody else's.
   */
  readonly disconnect: (id: string) => Promise<unknown>
  /** Those of the configuration, checked. */
  readonly configured: Readonly<Record<string, VirtualAccountConfig>>
  /** Names of the integrations that owners can be of. */
  readonly integrations: readonly string[]
  /** How long an account that was looked up is believed to be there; 5,000 by default. */
  readonly cacheMs?: number
}

/** The stored value. */
interface StoredAccount extends VirtualAccountConfig {
  readonly createdAt: number
  readonly incarnation: string
  /** From then on it is not there; what is left of it is being taken away. */
  readonly deleting?: true
}

const SPACE = 'virtual-accounts'
const MAX_TRIES = 20
/** The life of an account that has never been in the store. */
const CONFIGURED = 'configuration'

/** Virtual accounts of the configuration and in `settings.store`. */
export function createVirtualAccounts(settings: VirtualAccountSettings): OwnVirtualAccounts {
  const { store, clock, keys, disconnect, cacheMs = 5_000 } = settings
  let configured = new Map(Object.entries(settings.configured))
  let integrations = settings.integrations
  const cache = createReadCache(async (name) => {
    const found = await store.get(keyOf(name))
    const record = found && decode(found.value)
    if (found !== undefined && record === undefined) throw new StoreError(unreadable(keyOf(name)).message)
    return describe(name, record)
  }, cacheMs)
  const all = createReadCache(() => list(), cacheMs)
  const leftOut = warnOnce('virtual accounts are left out')
  const unsubscribe = forgetOnChange(store, SPACE, { forget, forgetAll })

  function forget(name: string): void {
    cache.forget(name)
    all.forgetAll()
  }

  function forgetAll(): void {
    cache.forgetAll()
    all.forgetAll()
  }

  /** The account by its configuration, which wins, and its record. Keys survive when an account moves into the configuration. */
  function describe(name: string, record: StoredAccount | undefined): VirtualAccount | undefined {
    const own = configured.get(name)
    const stored = record?.deleting === true ? undefined : record
    if (own === undefined && stored === undefined) return undefined
    const { description, owners, groups } = own ?? stored ?? {}
    return deepFreeze({
      name,
      id: virtualAccountId(name),
      source: own === undefined ? 'store' : 'configuration',
      ...(stored === undefined || own !== undefined ? {} : { createdAt: stored.createdAt }),
      ...(description === undefined ? {} : { description }),
      ...(owners === undefined ? {} : { owners: [...owners] }),
      ...(groups === undefined ? {} : { groups: [...groups] }),
      owner: { kind: 'virtual-account', name, incarnation: stored?.incarnation ?? CONFIGURED },
    })
  }

  function refuseConfigured(name: string, what: string): void {
    if (!configured.has(name)) return
    throw new VirtualAccountError('configured', `the virtual account "${name}" is in the configuration; ${what}`)
  }

  function ownerOf(name: string, { incarnation }: StoredAccount): KeyOwner {
    return { kind: 'virtual-account', name, incarnation }
  }

  /** Writes by version; the new one, where nobody else has written meanwhile. */
  async function write(name: string, record: StoredAccount, ifVersion: string | null): Promise<string | undefined> {
    try {
      const written = await store.put(keyOf(name), Buffer.from(JSON.stringify(record)), { ifVersion })
      return written === 'conflict' ? undefined : written
    } finally {
      forget(name)
    }
  }

  /** `lost` is told of those that are left out. */
  async function list(lost: (name: string) => void = () => {}): Promise<VirtualAccount[]> {
    const names = new Map<string, StoredAccount | undefined>([...configured.keys()].map((name) => [name, undefined]))
    const leave = (key: Key) => {
      names.delete(key.owner)
      lost(key.owner)
    }
    const scan = (page: PageRequest) =>
      readable(store.scan(SPACE, page), (problem) => {
        leftOut(problem)
        problem.keys.forEach(leave)
      })
    for await (const { key, value } of everyRecord(scan)) {
      const record = decode(value)
      if (record !== undefined) names.set(key.owner, record)
      else {
        leftOut(unreadable(key))
        leave(key)
      }
    }
    return [...names]
      .map(([name, record]) => describe(name, record))
      .filter((account) => account !== undefined)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  return {
    async create(name, account = {}) {
      const problems: ConfigProblem[] = []
      const message = accountNameProblem(name)
      if (message !== undefined) problems.push({ path: 'name', message })
      checkVirtualAccount(account, '', integrations, problems)
      if (problems.length > 0) throw new ConfigError(problems)
      refuseConfigured(name, 'nothing has to be made')
      const record = { ...structuredClone(account), createdAt: clock.now(), incarnation: newVersion() }
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const found = await readReplaceable(store, keyOf(name), decode)
        const before = found?.value
        if (found !== undefined && before === undefined) {
          const message = `there is a virtual account "${name}" already, and its record cannot be read: delete it first`
          throw new VirtualAccountError('exists', message)
        }
        if (before !== undefined && before.deleting !== true) break
        // Somebody has not finished deleting it.
        if (before !== undefined) await keys.revokeAll(ownerOf(name, before))
        // Also without a record: a configuration may have had one, and a consent may have ended after the account did.
        await disconnect(virtualAccountId(name))
        if ((await write(name, record, found?.version ?? null)) === undefined) continue
        return describe(name, record) as VirtualAccount
      }
      throw new VirtualAccountError('exists', `there is a virtual account "${name}" already`)
    },

    async get(name) {
      if (accountNameProblem(name) !== undefined) return undefined
      return cache.read(name)
    },

    list: () => list(),
    async withId(id) {
      const accounts = await list((name) => {
        if (virtualAccountId(name) === id) throw new StoreError(unreadable(keyOf(name)).message)
      })
      return accounts.find((account) => account.id === id)
    },
    known: async () => (await all.read('all')) ?? [],

    async delete(name) {
      refuseConfigured(name, 'delete it there')
      if (accountNameProblem(name) !== undefined) return false
      for (let tries = 0; tries < MAX_TRIES; tries++) {
        const found = await readReplaceable(store, keyOf(name), decode)
        if (found === undefined) return false
        // Keys of a life that nobody knows are good for nothing once the record is gone: another one has another.
        const record = found.value ?? { createdAt: clock.now(), incarnation: newVersion() }
        // First of all: no key of it is good from here on, whatever becomes of the rest.
        const version =
          record.deleting === true ? found.version : await write(name, { ...record, deleting: true }, found.version)
        if (version === undefined) continue
        await keys.revokeAll(ownerOf(name, record))
        await disconnect(virtualAccountId(name))
        await store.delete(keyOf(name), { ifVersion: version })
        return true
      }
      throw new StoreError(`the virtual account "${name}" keeps changing`)
    },

    reconfigure(changed, known) {
      configured = new Map(Object.entries(changed))
      integrations = known
      forgetAll()
    },
    close: unsubscribe,
  }
}

function keyOf(name: string): Key {
  return { space: SPACE, owner: name, id: 'account' }
}

/** What was written by `create`, or checked like it; nothing else has rights. */
function decode(value: Uint8Array): StoredAccount | undefined {
  const record = objectIn<StoredAccount>(value)
  const { incarnation, createdAt, description, owners, groups } = record ?? {}
  const isText = typeof incarnation === 'string' && ['string', 'undefined'].includes(typeof description)
  const isWhole = isText && typeof createdAt === 'number' && [owners, groups].every(isListOfTexts)
  return isWhole ? (record as StoredAccount) : undefined
}

function isListOfTexts(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.every((each) => typeof each === 'string'))
}
