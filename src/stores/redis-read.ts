/** Reading records whose ids are known. */
import type { Key, StoredRecord } from '../store/token-store.ts'
import type { RedisArgument } from './redis-driver.ts'
import type { RedisNames } from './redis-keys.ts'
import { bytes, list, READ, type RedisScript, text, VERSION_LENGTH } from './redis-scripts.ts'

/** What the parts of one operation work with. */
export interface RedisContext {
  readonly names: RedisNames
  run(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>
  /** Has the entry with this token taken out of the list of owners, some time later. */
  leave(token: string, owner: Pick<Key, 'space' | 'owner'>): void
}

/** Redis does nothing else while it runs a script. */
const RECORDS_AT_ONCE = 100

/** A record from its content in Redis. */
export function recordOf(content: unknown): StoredRecord {
  const all = bytes(content)
  return {
    // A copy: the buffer is perhaps a piece of a larger one.
    value: new Uint8Array(all.subarray(VERSION_LENGTH)),
    version: all.toString('latin1', 0, VERSION_LENGTH),
  }
}

/** The records of `ids` that are there. An owner who has none any more leaves the list of owners. */
export async function readRecords(
  { space, owner }: Pick<Key, 'space' | 'owner'>,
  ids: readonly string[],
  { names, run, leave }: RedisContext,
): Promise<(StoredRecord & { key: Key })[]> {
  const keys = names.owner({ space, owner })
  const records: (StoredRecord & { key: Key })[] = []
  for (let start = 0; start === 0 || start < ids.length; start += RECORDS_AT_ONCE) {
    const some = ids.slice(start, start + RECORDS_AT_ONCE)
    const [token, ...contents] = list(
      await run(READ, [keys.ids, keys.expiries, keys.place, ...some.map((id) => keys.record(id))], some),
    )
    if (text(token) !== '') leave(text(token), { space, owner })
    for (const [index, id] of some.entries()) {
      const content = contents[index] ?? null
      if (content !== null) records.push({ key: { space, owner, id }, ...recordOf(content) })
    }
  }
  return records
}
