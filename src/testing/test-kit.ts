/** What a test of the kit works with. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Key, Page, PageRequest, TokenStore } from '../store/token-store.ts'
import { createLeftovers } from './leftovers.ts'

/** How long a test waits for what is to happen at some time: far more than a busy machine needs. */
const PATIENCE_MS = 10_000

/** See the top of the file. */
export interface TestKit {
  readonly oneHandle: boolean
  /** Another handle onto the storage. */
  open(): Promise<TokenStore>
  /** So many of them. */
  openAll(count: number): Promise<TokenStore[]>
  /** Deletes what was written, and closes the handles. */
  end(): Promise<void>
}

/** A test, before it is known of which store. */
export interface KitTest {
  readonly name: string
  run(kit: TestKit): Promise<void>
}

/** A test that needs one handle. */
export function storeTest(name: string, run: (store: TokenStore) => Promise<void>): KitTest {
  return { name, run: async (kit) => run(await kit.open()) }
}

/** A test that needs several: `run` gets as many as it takes. */
export function handlesTest(
  name: string,
  count: number,
  run: (handles: readonly TokenStore[], first: TokenStore) => Promise<void>,
): KitTest {
  return {
    name,
    async run(kit) {
      const handles = await kit.openAll(count)
      await run(handles, at(handles, 0))
    },
  }
}

/** Opens handles with `makeStore`. */
export function createTestKit(makeStore: () => TokenStore | Promise<TokenStore>, oneHandle: boolean): TestKit {
  const handles: TokenStore[] = []
  const closed = new Set<TokenStore>()
  const leftovers = createLeftovers()
  const kit: TestKit = {
    oneHandle,
    async open() {
      const before = handles[0]
      if (oneHandle && before !== undefined) return before
      const watched = leftovers.watch(await makeStore())
      const handle: TokenStore = {
        ...watched,
        close() {
          closed.add(handle)
          return watched.close()
        },
      }
      handles.push(handle)
      return handle
    },
    async openAll(count) {
      const opened: TokenStore[] = []
      while (opened.length < count) opened.push(await kit.open())
      return opened
    },
    async end() {
      if (leftovers.any()) await leftovers.remove(handles.find((handle) => !closed.has(handle)) ?? (await kit.open()))
      await Promise.all(handles.map((handle) => handle.close()))
    },
  }
  return kit
}

/** A space that nobody else uses. */
export function newSpace(): string {
  return `kit-${randomUUID()}`
}

/** A key that nobody else uses. */
export function newKey(parts: Partial<Key> = {}): Key {
  return { space: 'kit', owner: `owner-${randomUUID()}`, id: 'record', ...parts }
}

/** The element at `index`, which is there. */
export function at<T>(list: readonly T[], index: number): T {
  const found = list[index]
  assert.ok(index < list.length && found !== undefined, `nothing at ${index} of ${list.length}`)
  return found
}

/** The bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Writes a record that is not there yet; its version. */
export async function create(store: TokenStore, key: Key, text: string, ttlMs?: number): Promise<string> {
  const version = await store.put(key, bytes(text), { ifVersion: null, ...(ttlMs === undefined ? {} : { ttlMs }) })
  assert.notEqual(version, 'conflict', 'put with ifVersion null writes a record that is not there')
  return version
}

/** The record's value as a text, or `undefined` where it is not there. */
export async function textOf(store: TokenStore, key: Key): Promise<string | undefined> {
  const found = await store.get(key)
  return found && new TextDecoder().decode(found.value)
}

/** Time that passes by every clock before the next statement. */
export async function pass(ms: number): Promise<void> {
  const until = performance.now() + ms + 30
  for (let left = ms + 30; left > 0; left = until - performance.now()) await pause(left)
}

/**
 * Does `work` in less than a time that it is told, and resolves with that time, in milliseconds: where a busy machine has
 * taken longer, whatever came of it, it is done again with more.
 */
export async function inTime(work: (ms: number) => Promise<void>): Promise<number> {
  for (let ms = 400; ; ms *= 4) {
    const began = performance.now()
    const failure = await work(ms).then(
      () => undefined,
      (error: unknown) => ({ error }),
    )
    const isLate = performance.now() - began >= ms
    if (failure === undefined && !isLate) return ms
    if (failure !== undefined && (!isLate || ms > PATIENCE_MS)) throw failure.error
  }
}

/** A record of a listing. */
export type Listed = Page['records'][number]

/** Every record of a listing, page by page; `limit` is left to the store where it is not said. */
export async function readAll(
  page: (request: PageRequest) => Promise<Page>,
  limit?: number,
  between: (pages: number) => Promise<void> = async () => {},
): Promise<Listed[]> {
  const most = limit ?? 100
  const records: Listed[] = []
  const seen = new Set<string>()
  let after: string | undefined
  let pages = 0
  do {
    const part = await page({ ...(limit === undefined ? {} : { limit }), ...(after === undefined ? {} : { after }) })
    assert.ok(part.records.length <= most, `a page has at most ${most} records, not ${part.records.length}`)
    for (const { key, version } of part.records) {
      const name = JSON.stringify([key.owner, key.id, version])
      assert.ok(!seen.has(name), 'what is there all the time is listed once')
      seen.add(name)
    }
    records.push(...part.records)
    after = part.next
    assert.ok(++pages < 10_000, 'a listing comes to its end')
    if (after !== undefined) await between(pages)
  } while (after !== undefined)
  return records
}

/** Every record of an owner. */
export function listAll(store: TokenStore, space: string, owner: string): Promise<Listed[]> {
  return readAll((page) => store.list(space, owner, page))
}

/** Every record of a space. */
export function scanAll(store: TokenStore, space: string): Promise<Listed[]> {
  return readAll((page) => store.scan(space, page))
}

/** Calls `attempt` until it gives something. */
export async function eventually<T>(what: string, attempt: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const until = performance.now() + PATIENCE_MS
  for (;;) {
    const found = await attempt()
    if (found !== undefined) return found
    assert.ok(performance.now() < until, `${what}: not within ${PATIENCE_MS} ms`)
    await pause(10)
  }
}

/** Runs `work` so many times at once, over the handles in turn. */
export function everywhere<T>(
  handles: readonly TokenStore[],
  times: number,
  work: (store: TokenStore, turn: number) => Promise<T>,
): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, turn) => work(at(handles, turn % handles.length), turn)))
}
