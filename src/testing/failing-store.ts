/** Stores that fail at a chosen moment: as if their process had died, or the network had hiccups. */
import { StoreError } from '../core/errors.ts'
import type { Lease, TokenStore } from '../store/token-store.ts'

/** Whether what was asked for happens before it goes wrong. */
export type When = 'before' | 'after'

/** Runs every operation of a store, leases' included; `turn` counts from 0. */
export type Operate = <T>(turn: number, operation: () => Promise<T>) => Promise<T>

/** `store` with every operation run by `operate`. */
export function operatedStore(store: TokenStore, operate: Operate): TokenStore {
  let turns = 0
  const run = <T>(operation: () => Promise<T>) => operate(turns++, operation)
  const wrapLease = (lease: Lease): Lease => ({
    renew: (ttlMs) => run(() => lease.renew(ttlMs)),
    release: () => run(() => lease.release()),
  })
  return {
    get: (key) => run(() => store.get(key)),
    put: (key, value, options) => run(() => store.put(key, value, options)),
    take: (key) => run(() => store.take(key)),
    delete: (key, options) => run(() => store.delete(key, options)),
    list: (space, owner, page) => run(() => store.list(space, owner, page)),
    scan: (space, page) => run(() => store.scan(space, page)),
    lease: (key, ttlMs) =>
      run(async () => {
        const lease = await store.lease(key, ttlMs)
        return lease && wrapLease(lease)
      }),
    close: () => store.close(),
  }
}

/** A process that dies: from then on nothing of it is answered any more. */
export interface Mortal {
  readonly died: Promise<void>
  /** Dies now, and never returns. */
  die(): Promise<never>
  /** `store`, whose operation number `turn` is the last: not done, or done without anybody hearing of it. */
  store(store: TokenStore, turn: number, when: When): TokenStore
}

/** See {@link Mortal}. */
export function mortal(): Mortal {
  let dead = false
  let tell = (): void => {}
  const died = new Promise<void>((resolve) => {
    tell = resolve
  })
  function die(): Promise<never> {
    dead = true
    tell()
    return new Promise(() => {})
  }
  return {
    died,
    die,
    store: (store, last, when) =>
      operatedStore(store, async (turn, operation) => {
        if (dead || (turn === last && when === 'before')) return die()
        const result = await operation()
        return dead || turn === last ? die() : result
      }),
  }
}

/** `store`, whose operation number `failing` fails: not done, or done and the answer lost. */
export function hiccup(store: TokenStore, failing: number, when: When): TokenStore {
  return operatedStore(store, async (turn, operation) => {
    if (turn !== failing) return operation()
    if (when === 'after') await operation()
    throw new StoreError('a hiccup')
  })
}
