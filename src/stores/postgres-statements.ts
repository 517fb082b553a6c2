/**
 * The store's SQL. Every operation is one statement, time is the server's, and a
 * record is found by digests of its owner and id: an index entry in PostgreSQL has
 * at most 2,704 bytes, and a key can have more.
 */
import { createHash } from 'node:crypto'
import type { Cursor } from '../store/page-cursor.ts'
import type { Key } from '../store/token-store.ts'
import type { Statement } from './postgres-client.ts'

/** The store's tables, quoted, and the channel on which changes are told. */
export interface PostgresNames {
  readonly schema: string
  readonly records: string
  readonly leases: string
  readonly migrations: string
  readonly channel: string
}

/** A name of a schema or the beginning of a table's name. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,39}$/

/** @throws TypeError for names that are no plain identifiers. */
export function postgresNames(schema: string, tablePrefix: string): PostgresNames {
  if (!NAME.test(schema)) throw new TypeError('the schema must be a plain identifier of up to 40 characters')
  if (tablePrefix !== '' && !NAME.test(tablePrefix)) {
    throw new TypeError('the prefix of tables must be a plain identifier of up to 40 characters')
  }
  const digest = createHash('sha256').update(`${schema}.${tablePrefix}`).digest('hex').slice(0, 16)
  const table = (name: string) => `"${schema}"."${tablePrefix}${name}"`
  return {
    schema,
    records: table('records'),
    leases: table('leases'),
    migrations: table('migrations'),
    channel: `sallyport_${digest}`,
  }
}

/** What to tell others about a change; `undefined` for nothing. */
export interface Notice {
  readonly channel: string
  readonly message: string
}

/** Expired rows that are deleted in one go. */
export const PURGED_AT_ONCE = 500

const LIVE = '(expires_at is null or expires_at > clock_timestamp())'
const AT_KEY = `space = $1 and owner_key = decode($2, 'hex') and id_key = decode($3, 'hex')`
const RECORD = `version, encode(value, 'base64') as value`

/** Builds statements. A parameter `for` is a number of milliseconds, or `null` for good. */
export function statementsFor({ records, leases }: PostgresNames) {
  /** `$1` to `$3`. */
  const at = ({ space, owner, id }: Key) => [space, digestOf(owner), digestOf(id)]
  const later = (parameter: string) => `clock_timestamp() + ${parameter}::float8 * interval '1 millisecond'`

  /** Tells others in the same transaction, if the change has happened. */
  function telling(change: string, values: readonly unknown[], columns: string, notice: Notice | undefined): Statement {
    const [channel, message] = [`$${values.length + 1}`, `$${values.length + 2}`]
    const tell = notice === undefined ? '' : `, pg_notify(${channel}::text, ${message}::text)::text`
    const text = `with changed as (${change}) select ${columns}${tell} from changed`
    return { text, values: notice === undefined ? values : [...values, notice.channel, notice.message] }
  }

  return {
    get: (key: Key): Statement => ({
      text: `select ${RECORD} from ${records} where ${AT_KEY} and ${LIVE}`,
      values: at(key),
    }),

    /** A row if the record was not there. An expired one that nobody has deleted yet counts as not there. */
    insert: (key: Key, value: string, version: string, forMs: number | null, notice: Notice | undefined) =>
      telling(
        `insert into ${records} as record (space, owner_key, id_key, owner, id, version, value, expires_at)
         values ($1, decode($2, 'hex'), decode($3, 'hex'), $4, $5, $6, decode($7, 'base64'), ${later('$8')})
         on conflict (space, owner_key, id_key) do update
         set version = excluded.version, value = excluded.value, expires_at = excluded.expires_at
         where record.expires_at <= clock_timestamp()
         returning version`,
        [...at(key), key.owner, key.id, version, value, forMs],
        'version',
        notice,
      ),

    /** A row if the record had the version `expected`. */
    update: (
      key: Key,
      value: string,
      version: string,
      expected: string,
      forMs: number | null | 'keep',
      notice: Notice | undefined,
    ) =>
      telling(
        `update ${records}
         set version = $5, value = decode($6, 'base64'),
           expires_at = case when $7::boolean then expires_at else ${later('$8')} end
         where ${AT_KEY} and version = $4 and ${LIVE}
         returning version`,
        [...at(key), expected, version, value, forMs === 'keep', forMs === 'keep' ? null : forMs],
        'version',
        notice,
      ),

    /** The row that was there. */
    take: (key: Key, notice: Notice | undefined) =>
      telling(
        `delete from ${records} where ${AT_KEY} and ${LIVE} returning ${RECORD}`,
        at(key),
        'version, value',
        notice,
      ),

    /** A row if the record had the version `expected`. */
    remove: (key: Key, expected: string, notice: Notice | undefined) =>
      telling(
        `delete from ${records} where ${AT_KEY} and version = $4 and ${LIVE} returning version`,
        [...at(key), expected],
        'version',
        notice,
      ),

    /** Rows in the order of the ids' digests, after that of `afterId`. */
    list: (space: string, owner: string, afterId: string, limit: number): Statement => ({
      text: `select owner, id, ${RECORD} from ${records}
         where space = $1 and owner_key = decode($2, 'hex') and id_key > decode($3, 'hex') and ${LIVE}
         order by id_key limit $4`,
      values: [space, digestOf(owner), digestOf(afterId), limit],
    }),

    /** Rows in the order of both digests, after those of `after`. */
    scan: (space: string, after: Cursor, limit: number): Statement => ({
      text: `select owner, id, ${RECORD} from ${records}
         where space = $1 and (owner_key, id_key) > (decode($2, 'hex'), decode($3, 'hex')) and ${LIVE}
         order by owner_key, id_key limit $4`,
      values: [space, digestOf(after.owner), digestOf(after.id), limit],
    }),

    /** A row if nobody has the lease. */
    lease: (key: Key, token: string, forMs: number): Statement => ({
      text: `insert into ${leases} as lease (space, owner_key, id_key, token, expires_at)
         values ($1, decode($2, 'hex'), decode($3, 'hex'), $4, ${later('$5')})
         on conflict (space, owner_key, id_key) do update
         set token = excluded.token, expires_at = excluded.expires_at
         where lease.expires_at <= clock_timestamp()
         returning token`,
      values: [...at(key), token, forMs],
    }),

    /** A row if the lease is still the one of `token`. */
    renew: (key: Key, token: string, forMs: number): Statement => ({
      text: `update ${leases} set expires_at = ${later('$5')}
         where ${AT_KEY} and token = $4 and ${LIVE} returning token`,
      values: [...at(key), token, forMs],
    }),

    release: (key: Key, token: string): Statement => ({
      text: `delete from ${leases} where ${AT_KEY} and token = $4`,
      values: [...at(key), token],
    }),

    /** Deletes what has expired, some of it, and says how much; rows that others work on are left to them. `now()` can use the index. */
    purge: (table: 'records' | 'leases'): Statement => {
      const name = table === 'records' ? records : leases
      return {
        text: `with expired as (
           select space, owner_key, id_key from ${name} where expires_at <= now()
           limit ${PURGED_AT_ONCE} for update skip locked),
         purged as (
           delete from ${name} as row using expired
           where row.space = expired.space and row.owner_key = expired.owner_key and row.id_key = expired.id_key
             and row.expires_at <= now()
           returning 1)
         select count(*)::text as count from purged`,
        values: [],
      }
    },
  }
}

/** What an owner or id is found and sorted by, in hex; for '', what comes before all others. */
function digestOf(part: string): string {
  return part === '' ? '' : createHash('sha256').update(part).digest('hex')
}
