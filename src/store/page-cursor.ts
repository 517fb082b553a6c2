/** Where a page ends, for stores that list by owner and id. */
import type { Key } from './token-store.ts'

/** The last record that a page has looked at. */
export type Cursor = Pick<Key, 'owner' | 'id'>

/** As `next` of a page. */
export function encodeCursor({ owner, id }: Cursor): string {
  return Buffer.from(JSON.stringify([owner, id])).toString('base64url')
}

/**
 * As `after` of the page behind; before everything when there is none.
 *
 * @throws TypeError for what is no `next` of a page.
 */
export function decodeCursor(after: string | undefined): Cursor {
  if (after === undefined) return { owner: '', id: '' }
  try {
    const parts: unknown = JSON.parse(Buffer.from(after, 'base64url').toString('utf8'))
    if (Array.isArray(parts) && parts.length === 2) {
      const [owner, id]: unknown[] = parts
      if (typeof owner === 'string' && typeof id === 'string') return { owner, id }
    }
  } catch {
    // Not JSON.
  }
  throw new TypeError('`after` must be the `next` of the page before')
}
