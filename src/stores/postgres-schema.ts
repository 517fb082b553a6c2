/** The store's tables: made on first use, by one process, and brought up to date by later versions. */
import { createHash } from 'node:crypto'
import { StoreError } from '../core/errors.ts'
import { type PostgresClient, type PostgresPool, query, runStatement, withClient } from './postgres-client.ts'
import type { PostgresNames } from './postgres-statements.ts'

/** What each version adds; never changed once it was released. */
function migrations({ records, leases }: PostgresNames): readonly (readonly string[])[] {
  return [
    [
      `create table ${records} (
        space text collate "C" not null,
        owner_key bytea not null,
        id_key bytea not null,
        owner text not null,
        id text not null,
        version text not null,
        value bytea not null,
        expires_at timestamptz,
        primary key (space, owner_key, id_key)
      )`,
      `create index on ${records} (expires_at) where expires_at is not null`,
      `create table ${leases} (
        space text collate "C" not null,
        owner_key bytea not null,
        id_key bytea not null,
        token text not null,
        expires_at timestamptz not null,
        primary key (space, owner_key, id_key)
      )`,
      `create index on ${leases} (expires_at)`,
    ],
  ]
}

/**
 * Makes the tables what this version of the store needs. A user who may not create tables needs them to be there.
 *
 * @throws StoreError (`ERR_STORE`) for a database that is not in UTF-8, and for tables of a later version.
 */
export async function prepareSchema(pool: PostgresPool, names: PostgresNames, signal: AbortSignal): Promise<void> {
  const steps = migrations(names)
  const run = (text: string, values: readonly unknown[] = []) => runStatement(pool, { text, values }, signal)
  const [there] = await run(`select to_regclass($1)::text as name`, [names.migrations])
  const version = there?.name == null ? 0 : await versionOf(names, run)
  if (version === steps.length) return
  refuseLater(version, steps.length)
  await withClient(pool, signal, (client) => migrate(client, names, steps, signal))
}

/** In one transaction; a lock that ends with it keeps others out, through any pooler. */
async function migrate(
  client: PostgresClient,
  names: PostgresNames,
  steps: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<void> {
  const run = (text: string, values: readonly unknown[] = []) => query(client, { text, values }, signal)
  await run('begin isolation level read committed')
  try {
    await run('select pg_advisory_xact_lock($1::bigint)', [lockOf(names)])
    const [encoding] = await run('show server_encoding')
    if (encoding?.server_encoding !== 'UTF8') {
      throw new StoreError(`PostgreSQL: the database is in ${encoding?.server_encoding}; tokens need one in UTF8`)
    }
    // `if not exists` wants the right to create a schema also where it exists.
    const [schema] = await run('select to_regnamespace($1)::text as name', [`"${names.schema}"`])
    if (schema?.name == null) await run(`create schema "${names.schema}"`)
    await run(
      `create table if not exists ${names.migrations} (version int primary key, applied_at timestamptz not null)`,
    )
    const version = await versionOf(names, run)
    refuseLater(version, steps.length)
    for (const [index, statements] of steps.entries()) {
      if (index < version) continue
      for (const statement of statements) await run(statement)
      await run(`insert into ${names.migrations} values ($1, clock_timestamp())`, [index + 1])
    }
    await run('commit')
  } catch (error) {
    await run('rollback').catch(() => {}) // the connection is gone, and the transaction with it
    throw error
  }
}

async function versionOf(
  names: PostgresNames,
  run: (text: string) => Promise<readonly Readonly<Record<string, string | null>>[]>,
): Promise<number> {
  const [row] = await run(`select coalesce(max(version), 0)::text as version from ${names.migrations}`)
  return Number(row?.version)
}

function refuseLater(version: number, known: number): void {
  if (version <= known) return
  throw new StoreError(
    `PostgreSQL: the tables are of version ${version}, made by a later sallyport; this one knows ${known}`,
  )
}

/** A number for the advisory lock that nobody else is likely to use: the schema's, which stores of all prefixes make. */
function lockOf({ schema }: PostgresNames): string {
  return createHash('sha256').update(`sallyport migrations ${schema}`).digest().readBigInt64BE().toString()
}
