/** Checks on stores that several tests make. */
import { expect } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import type { Key, TokenStore } from '../../src/store/token-store.ts'

/** All pages of a listing, one after another. */
export async function allOf(
  page: (after: string | undefined) => ReturnType<TokenStore['scan']>,
): Promise<Awaited<ReturnType<TokenStore['scan']>>['records'][number][]> {
  const records = []
  let after: string | undefined
  do {
    const found = await page(after)
    records.push(...found.records)
    after = found.next
  } while (after !== undefined)
  return records
}

/** All records of a space, `limit` on a page. */
export function scanAll(store: TokenStore, space: string, limit = 100) {
  return allOf((after) => store.scan(space, after === undefined ? { limit } : { limit, after }))
}

/** All records of an owner, `limit` on a page. */
export function listAll(store: TokenStore, space: string, owner: string, limit = 100) {
  return allOf((after) => store.list(space, owner, after === undefined ? { limit } : { limit, after }))
}

/** What is stored, as text. */
export async function textAt(store: TokenStore, key: Key): Promise<string | undefined> {
  const found = await store.get(key)
  return found && Buffer.from(found.value).toString()
}

/** What becomes of attempts to count up. */
export interface Count {
  written: number
  /** The store failed; it may have counted or not. */
  unknown: number
}

/**
 * Counts a record up through `store`, `times` times, reading again at every conflict. `count` has what is certain, as
 * it goes.
 */
export async function countUp(store: TokenStore, key: Key, times: number, count: Count): Promise<void> {
  for (let done = 0; done < times; ) {
    let writing = false
    try {
      const found = await store.get(key)
      const next = found === undefined ? 1 : Number(Buffer.from(found.value).toString()) + 1
      writing = true
      const version = await store.put(key, Buffer.from(String(next)), { ifVersion: found?.version ?? null })
      if (version === 'conflict') continue
      count.written++
      done++
    } catch (error) {
      if (!(error instanceof StoreError)) throw error
      if (writing) count.unknown++
      if (writing) done++
    }
  }
}

/** What a store answers: tried until it does, since it is away still, or the machine too busy for the store's short time. */
export async function answerOf<T>(ask: () => Promise<T>): Promise<T> {
  for (const deadline = Date.now() + 15_000; ; ) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof StoreError) || Date.now() > deadline) throw error
    }
  }
}

/** Writes a record that is not there, for whom `put` may fail all the same. */
export async function written(store: TokenStore, key: Key, text: string): Promise<void> {
  await answerOf(() => store.put(key, Buffer.from(text), { ifVersion: null }))
  expect(await answerOf(() => textAt(store, key))).toBe(text)
}

/** Far more than any of the stores of these tests is given, and far less than for ever. */
export const BOUNDED_MS = 10_000

/** The milliseconds that `work` takes to reject with a StoreError. */
export async function timeToFail(work: Promise<unknown>): Promise<number> {
  const began = performance.now()
  await expect(work).rejects.toThrow(StoreError)
  return performance.now() - began
}

/** What a listener of changes hears, to be waited for. */
export function hear(store: TokenStore): { heard: (Key | 'all')[]; next(wanted: Key | 'all'): Promise<void> } {
  const heard: (Key | 'all')[] = []
  const waiting = new Set<() => void>()
  store.changes?.((key) => {
    heard.push(key)
    for (const look of waiting) look()
  })
  return {
    heard,
    /** Resolves when it has been heard, counting from what was waited for before. */
    next(wanted) {
      return new Promise((resolve) => {
        const look = () => {
          const at = heard.findIndex((key) => JSON.stringify(key) === JSON.stringify(wanted))
          if (at < 0) return
          heard.splice(0, at + 1)
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      })
    },
  }
}

/** Keys that a store could confuse, or trip over. */
export function hostileKeys(): Key[] {
  const parts = [
    'a',
    'A',
    'a ',
    'a:b',
    'a}b',
    '{a}',
    '%7B',
    '{',
    'a/b',
    "a'; drop table records; --",
    '"',
    '\\',
    '\u0001\n\r\t\u007f',
    'é',
    'e\u0301',
    '日本',
    '😀',
    '$1',
    '*',
    '[x]',
    '\uffff',
    'x'.repeat(512),
    '語'.repeat(512),
    '😀'.repeat(256),
    '\u0001'.repeat(512),
    Array.from({ length: 512 }, (_, index) => String.fromCharCode(0x4e00 + ((index * 7919) % 20_000))).join(''),
  ]
  return parts.flatMap((owner) => [
    { space: 'hostile', owner, id: 'plain' },
    { space: 'hostile', owner: 'plain', id: owner },
    { space: 'hostile', owner, id: owner },
  ])
}
