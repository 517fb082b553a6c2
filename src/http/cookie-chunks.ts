/**
 * A value that is too long for one cookie, in several. Browsers drop and replace cookies one at a time, so a set of
 * chunks says how many they are and has a digest of the whole: what is truncated, swapped, or left over from another
 * set never passes for whole. That finds accidents; forgery is kept out by what the value is sealed with.
 */
import { createHash } from 'node:crypto'

/** A cookie, as far as it matters here. */
export interface CookieChunk {
  readonly name: string
  readonly value: string
}

/** The count must be one digit. More would be over the limits of every server in any case. */
const MAX_CHUNKS = 9
/** What is left of a chunk when its name is taken off; the first has the count and the digest as well. */
const MIN_ROOM = 32
/** In front of the value: how many chunks, and the digest. All are cookie octets (RFC 6265 §4.1.1). */
const HEAD = /^([2-9])~([\w-]{16})~/

/**
 * Splits `value` over as many cookies as it needs: `name` alone if it fits, else `name.0`, `name.1` and so on.
 *
 * A request carries them all. Node refuses requests with more than 16 KB of header fields (`--max-http-header-size`) and
 * nginx lines of more than 8 KB (`large_client_header_buffers`), both before anybody can clear a cookie.
 *
 * @param value - cookie octets (RFC 6265 §4.1.1), as base64url is
 * @param chunkBytes - name and value of one cookie together; the default leaves room for attributes within 4,096
 * @param maxChunks - 1 to 9
 * @throws RangeError when the value needs more than `maxChunks`, or the limits make no sense.
 */
export function chunkCookie(name: string, value: string, chunkBytes = 3800, maxChunks = 5): CookieChunk[] {
  if (!Number.isInteger(maxChunks) || maxChunks < 1 || maxChunks > MAX_CHUNKS) {
    throw new RangeError(`maxChunks must be 1 to ${MAX_CHUNKS}, not ${maxChunks}`)
  }
  const room = chunkBytes - name.length - '.0'.length
  if (!Number.isInteger(room) || room < MIN_ROOM) {
    throw new RangeError(`chunkBytes must be at least ${MIN_ROOM} more than the name takes, not ${chunkBytes}`)
  }
  if (name.length + value.length <= chunkBytes) return [{ name, value }]

  const rest = `~${digest(value)}~${value}`
  const count = Math.ceil((1 + rest.length) / room)
  if (count > maxChunks) {
    throw new RangeError(
      `the cookie "${name}" has ${value.length} bytes, which are ${count} cookies of ${chunkBytes} bytes; ` +
        `${maxChunks} at most may be, since browsers and servers limit header fields`,
    )
  }
  const text = `${count}${rest}`
  return Array.from({ length: count }, (_, index) => ({
    name: `${name}.${index}`,
    value: text.slice(index * room, (index + 1) * room),
  }))
}

/**
 * The value that {@link chunkCookie} split.
 *
 * @param read - the value of a cookie of the request
 * @returns `undefined` when a chunk is missing or the chunks are not of one set, and also when there is a value in one
 *   piece beside a first chunk: nothing tells which of them is newer.
 */
export function joinChunks(name: string, read: (name: string) => string | undefined): string | undefined {
  const single = read(name)
  const first = read(`${name}.0`)
  if (first === undefined || single !== undefined) return first === undefined ? single : undefined

  const [head = '', count, expected] = HEAD.exec(first) ?? []
  if (count === undefined) return undefined
  let value = first.slice(head.length)
  for (let index = 1; index < Number(count); index++) {
    const chunk = read(`${name}.${index}`)
    if (chunk === undefined) return undefined
    value += chunk
  }
  return digest(value) === expected ? value : undefined
}

/**
 * The cookies to clear: those in `presentNames` that belong to `name` (it itself, or `name.<number>`) and are not in
 * `usedNames`. They are left over when a session shrinks or ends, or goes from one piece to several or back.
 *
 * ```ts
 * staleChunks('id', ['id.0', 'id.1', 'other'], ['id'])   // ['id.0', 'id.1']
 * ```
 *
 * A browser that starts two logins at once can get one piece from one answer and chunks from the other; neither
 * request carried what the other set. Whoever wants to be safe from that adds `name` and `name.0` to `presentNames`,
 * and so always clears the other kind.
 */
export function staleChunks(name: string, presentNames: readonly string[], usedNames: readonly string[]): string[] {
  return presentNames.filter((present) => belongs(present, name) && !usedNames.includes(present))
}

function belongs(present: string, name: string): boolean {
  return present === name || (present.startsWith(`${name}.`) && /^(?:0|[1-9]\d*)$/.test(present.slice(name.length + 1)))
}

/** 96 bits of it. */
function digest(value: string): string {
  return createHash('sha256').update(value).digest('base64url').slice(0, 16)
}
