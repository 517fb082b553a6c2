/**
 * Pages of a merged list, and the cursors between them. A cursor says where the next page begins and which list it is of: one of
 * a list that has changed is answered as one that is not good, since entries would be missed or come twice.
 */
import { createHash } from 'node:crypto'

/** One page. */
export interface MergedPage<Entry> {
  readonly entries: readonly Entry[]
  readonly nextCursor: string | undefined
}

const MAX_ENTRIES = 500
const MAX_BYTES = 2 * 1024 * 1024
const CURSOR = /^(\d{1,9})\.([\w-]{16})$/

/** The page that a cursor is for, the first without one; `undefined` for a cursor that is not good: -32602. */
export function pageOf<Entry extends { readonly name: string; readonly bytes: Uint8Array }>(
  all: readonly Entry[],
  cursor: unknown,
): MergedPage<Entry> | undefined {
  const print = all.length > MAX_ENTRIES || cursor !== undefined || bytesOf(all) > MAX_BYTES ? fingerprint(all) : ''
  let start = 0
  if (cursor !== undefined) {
    const [, offset, of] =
      (typeof cursor === 'string' ? CURSOR.exec(Buffer.from(cursor, 'base64url').toString()) : null) ?? []
    if (offset === undefined || of !== print || Number(offset) >= all.length) return undefined
    start = Number(offset)
  }
  let end = start
  let bytes = 0
  while (end < all.length && end - start < MAX_ENTRIES) {
    bytes += all[end]?.bytes.length ?? 0
    if (bytes > MAX_BYTES && end > start) break
    end++
  }
  const nextCursor = end < all.length ? Buffer.from(`${end}.${print}`).toString('base64url') : undefined
  return { entries: all.slice(start, end), nextCursor }
}

function bytesOf(all: readonly { readonly bytes: Uint8Array }[]): number {
  return all.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

function fingerprint(all: readonly { readonly name: string }[]): string {
  const names = JSON.stringify(all.map(({ name }) => name))
  return createHash('sha256').update(names).digest('base64url').slice(0, 16)
}
