/**
 * The list of a space's owners, for `scan`. It cannot be in the owners' hash slots,
 * so it is kept in steps of which any may be the last: an owner enters it before
 * its first record is written and leaves after its last is deleted, each time
 * under a new token. The token in the owner's slot says which entry counts; an
 * entry that is deleted late is then never the one that somebody has just made.
 */
import { type Cursor, encodeCursor } from '../store/page-cursor.ts'
import type { Key, Page } from '../store/token-store.ts'
import { type RedisContext, readRecords } from './redis-read.ts'
import { ENTER, EXIT, FORGET, IDS, list, OWNERS, text } from './redis-scripts.ts'

/** Owners looked at in one go. */
const OWNERS_AT_ONCE = 50
/** Owners looked at for one page: of those who have nothing any more there may be many. */
const OWNERS_ON_PAGE = 1_000

/** Enters an owner under a token until `end` (epoch milliseconds of the server, '0' for good), or makes it stay longer. */
export async function enter(token: string, end: string, key: Key, { names, run }: RedisContext): Promise<void> {
  const { owners, ends } = names.space(key.space)
  await run(ENTER, [owners, ends], [memberOf(key.owner, token), end])
}

/** Takes out an entry that no owner has any more. */
export async function exit(token: string, key: Pick<Key, 'space' | 'owner'>, context: RedisContext): Promise<void> {
  const { owners, ends } = context.names.space(key.space)
  await context.run(EXIT, [owners, ends], [memberOf(key.owner, token)])
}

/**
 * A page of all records of a space, in the order of owners and ids.
 *
 * @param after - the last entry and the last of its ids, '' for all of them; both are '' at the beginning
 */
export async function scanPage(space: string, after: Cursor, limit: number, context: RedisContext): Promise<Page> {
  const records: Page['records'][number][] = []
  let from: Cursor | undefined = after
  for (let seen = 0; from !== undefined && records.length < limit && seen < OWNERS_ON_PAGE; seen += OWNERS_AT_ONCE) {
    const part = await scanOwners(space, from, limit - records.length, context)
    records.push(...part.records)
    from = part.next
  }
  return from === undefined ? { records } : { records, next: encodeCursor(from) }
}

/** Records of the next owners. */
async function scanOwners(
  space: string,
  after: Cursor,
  limit: number,
  context: RedisContext,
): Promise<{ records: Page['records']; next: Cursor | undefined }> {
  const { names, run } = context
  const { owners, ends } = names.space(space)
  const from = after.owner === '' ? '-' : `${after.id === '' ? '(' : '['}${after.owner}`
  const members = list(await run(OWNERS, [owners], [from, String(OWNERS_AT_ONCE)])).map(text)

  const found = await Promise.all(
    members.map(async (member) => {
      const { owner, token } = partsOf(member)
      const keys = names.owner({ space, owner })
      const begin = after.owner === member && after.id !== '' ? `(${after.id}` : '-'
      const [held, ...ids] = list(await run(IDS, [keys.ids, keys.place], [begin, String(limit)])).map(text)
      return { member, owner, counts: held === token, fromStart: begin === '-', ids }
    }),
  )

  const wanted: { owner: string; ids: string[] }[] = []
  const last = members.at(-1)
  let next = last !== undefined && members.length === OWNERS_AT_ONCE ? { owner: last, id: '' } : undefined
  let room = limit
  for (const { member, owner, counts, fromStart, ids } of found) {
    if (!counts) {
      await run(FORGET, [owners, ends], [member])
      continue
    }
    const here = ids.slice(0, room)
    // An owner without records is read all the same, and leaves the list thereby.
    if (here.length > 0 || fromStart) wanted.push({ owner, ids: here })
    room -= here.length
    if (room > 0) continue
    next = { owner: member, id: here.at(-1) ?? '' }
    break
  }
  const read = await Promise.all(wanted.map(({ owner, ids }) => readRecords({ space, owner }, ids, context)))
  return { records: read.flat(), next }
}

/** No owner has a NUL. */
function memberOf(owner: string, token: string): string {
  return `${owner}\0${token}`
}

function partsOf(member: string): { owner: string; token: string } {
  const split = member.lastIndexOf('\0')
  return { owner: member.slice(0, split), token: member.slice(split + 1) }
}
