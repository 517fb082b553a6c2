/** A refresher over a memory store, with a clock that tests move and a server that they hold up. */
import { memoryStore } from 'sallyport/stores/memory'
import { type RotatingServer, rotatingServer, type TestTokens } from 'sallyport/testing'
import { onTestFinished } from 'vitest'
import { type ConnectionRecord, decodeRecord, encodeRecord } from '../../src/store/connection-record.ts'
import type { RefreshEvent, RefreshSettings, RefreshTimes } from '../../src/store/refresh-settings.ts'
import { createRefresher, type Refresher } from '../../src/store/refresher.ts'
import type { Key, TokenStore } from '../../src/store/token-store.ts'

export const key: Key = { space: 'connections', owner: 'alice', id: 'github' }

/** So short that whoever waits for a dead process does not wait long. */
export const HASTY: Partial<RefreshTimes> = { leaseMs: 300, marginMs: 100, graceMs: 20, waitMs: 15_000 }

export interface Bench {
  readonly store: TokenStore
  readonly server: RotatingServer
  /** What the refresher calls; replace it. */
  redeem: (tokens: TestTokens, signal: AbortSignal) => Promise<TestTokens>
  readonly revoked: TestTokens[]
  readonly events: RefreshEvent[]
  kinds(): string[]
  /** Epoch milliseconds of the refresher's clock; starts now. */
  time: number
  /** A refresher with its own handle, if one is given. */
  refresher(settings?: Partial<RefreshSettings<TestTokens>>): Refresher<TestTokens>
  record(): Promise<ConnectionRecord<TestTokens> | undefined>
  write(record: ConnectionRecord<TestTokens>): Promise<void>
}

export function setUp(): Bench {
  const store = memoryStore()
  const server = rotatingServer({ clock: { now: () => bench.time } })
  const refreshers: Refresher<TestTokens>[] = []
  onTestFinished(async () => {
    await Promise.all(refreshers.map((refresher) => refresher.close()))
  })
  const bench: Bench = {
    store,
    server,
    redeem: server.redeem,
    revoked: [],
    events: [],
    kinds: () => bench.events.map(({ kind }) => kind),
    time: Date.now(),
    refresher(settings = {}) {
      const refresher = createRefresher<TestTokens>({
        store,
        redeem: (tokens, signal) => bench.redeem(tokens, signal),
        async revoke(tokens) {
          bench.revoked.push(tokens)
          await server.revoke(tokens)
        },
        expiresAt: (tokens) => tokens.expiresAt,
        canRefresh: (tokens) => tokens.refresh !== '',
        clock: { now: () => bench.time },
        report: (event) => bench.events.push(event),
        ...settings,
        times: { waitMs: 5_000, cacheMs: 0, drainMs: 300, ...settings.times },
      })
      refreshers.push(refresher)
      return refresher
    },
    async record() {
      const found = await store.get(key)
      return found && decodeRecord<TestTokens>(found.value)
    },
    async write(record) {
      const version = (await store.get(key))?.version ?? null
      if ((await store.put(key, encodeRecord(record), { ifVersion: version })) === 'conflict')
        throw new Error('conflict')
    },
  }
  return bench
}

/** Something to wait for. */
export function gate<T = void>() {
  let open = (_: T): void => {}
  const passed = new Promise<T>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

/** `store` with some of its operations replaced, while `broken` says so. */
export function breakable(store: TokenStore, broken: Partial<TokenStore>) {
  const state = { broken: false, store }
  const choose = <Name extends keyof TokenStore>(name: Name) =>
    ((...call: never[]) => {
      const method = (state.broken ? broken[name] : undefined) ?? store[name]
      return (method as (...call: never[]) => unknown)(...call)
    }) as NonNullable<TokenStore[Name]>
  state.store = {
    get: choose('get'),
    put: choose('put'),
    take: choose('take'),
    delete: choose('delete'),
    list: choose('list'),
    scan: choose('scan'),
    lease: choose('lease'),
    close: choose('close'),
  }
  return state
}
