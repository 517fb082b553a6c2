/** What the tests of API keys and callers share. */
import { expect } from 'vitest'
import type { KeyOwner } from '../../src/identity/key-owner.ts'
import type { Key, TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { scanAll } from '../support/store-checks.ts'

export const alice = { kind: 'person', id: 'id-of-alice' } as const satisfies KeyOwner
export const bob = { kind: 'person', id: 'id-of-bob' } as const satisfies KeyOwner
export const ci = { kind: 'virtual-account', name: 'ci', incarnation: 'first' } as const satisfies KeyOwner

/** The spaces that API keys are kept in. */
export const SPACES = ['api-keys', 'api-keys-by-owner', 'api-keys-last-use']

/** Everything that is kept of API keys, as text. */
export async function allRecords(store: TokenStore): Promise<string[]> {
  const pages = await Promise.all(SPACES.map((space) => scanAll(store, space)))
  return pages.flat().map(({ key, value }) => `${JSON.stringify(key)} ${Buffer.from(value).toString()}`)
}

/** Two handles on one store, each of which hears of what the other one writes, after it is done. */
export function twoHandles(): [TokenStore, TokenStore] {
  const inner = memoryStore()
  const listeners: [Set<(key: Key | 'all') => void>, Set<(key: Key | 'all') => void>] = [new Set(), new Set()]
  const handle = (own: 0 | 1): TokenStore => {
    const tell = (key: Key) => {
      for (const listener of listeners[own === 0 ? 1 : 0]) listener(key)
    }
    return {
      ...inner,
      async put(key, value, options) {
        const written = await inner.put(key, value, options)
        if (written !== 'conflict') tell(key)
        return written
      },
      async delete(key, options) {
        const gone = await inner.delete(key, options)
        if (gone) tell(key)
        return gone
      },
      changes(listener) {
        listeners[own].add(listener)
        return () => listeners[own].delete(listener)
      },
    }
  }
  return [handle(0), handle(1)]
}

/** What a call rejects with. */
export async function rejection(work: Promise<unknown>): Promise<Error & { code?: string; reason?: string }> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(Error)
  return error as Error & { code?: string; reason?: string }
}
