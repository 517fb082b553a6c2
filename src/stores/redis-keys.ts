/**
 * Names in Redis. Everything of one owner in a space is in one hash slot, and the
 * list of a space's owners in another, so that scripts work on a cluster.
 */
import type { Key } from '../store/token-store.ts'

/** The keys about one owner in one space. */
export interface OwnerNames {
  /** Sorted set of the ids of the owner's records. */
  readonly ids: string
  /** Sorted set of those that expire, by when they do. */
  readonly expiries: string
  /** Where the owner is in the list of owners; see `redis-owners.ts`. */
  readonly place: string
  record(id: string): string
  lease(id: string): string
}

/** The keys about one space. */
export interface SpaceNames {
  /** Sorted set of owners with their places. */
  readonly owners: string
  /** Sorted set of the same, by when they can go. */
  readonly ends: string
}

/** See the top of the file. */
export interface RedisNames {
  /** The channel on which changes are told. */
  readonly channel: string
  owner(key: Pick<Key, 'space' | 'owner'>): OwnerNames
  space(space: string): SpaceNames
}

/** @throws TypeError for a prefix with a brace: the slot is found by the first pair of braces. */
export function redisNames(prefix: string): RedisNames {
  if (/[{}]/.test(prefix)) throw new TypeError('the prefix of keys in Redis must not contain braces')
  return {
    channel: `${prefix}changes`,
    owner({ space, owner }) {
      // A space has neither colon nor brace, and here an owner has no brace: no two can be confused.
      const slot = `${prefix}{${space}:${owner.replaceAll(/[%{}]/g, encodeURIComponent)}}`
      return {
        ids: `${slot}:ids`,
        expiries: `${slot}:expiries`,
        place: `${slot}:place`,
        record: (id) => `${slot}:r:${id}`,
        lease: (id) => `${slot}:l:${id}`,
      }
    },
    space: (space) => ({ owners: `${prefix}{${space}}:owners`, ends: `${prefix}{${space}}:ends` }),
  }
}
