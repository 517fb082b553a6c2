/** The four stores with what they need, each empty: nothing, a file, a Redis, a PostgreSQL. */
import { join } from 'node:path'
import { type Part, part } from '../../support/parts.ts'
import { startPostgres } from '../../support/postgres.ts'
import { startRedis } from '../../support/redis.ts'
import { temporaryFolder } from '../../support/temp-server.ts'
import type { BackendName } from './protocol.ts'

/** See the top of the file. */
export interface Backend {
  readonly name: BackendName
  readonly url: string
  /** Absent where there is no server that could be away. */
  readonly server?: { stop(): Promise<void>; start(): Promise<void> }
  dispose(): Promise<void>
}

/** The program that is missing for a backend, if one is. */
export function missingPart(name: BackendName): Part | undefined {
  return (name === 'redis' || name === 'postgres') && part(name) === undefined ? name : undefined
}

/** Starts what the backend needs. */
export async function startBackend(name: BackendName): Promise<Backend> {
  switch (name) {
    case 'memory':
      return { name, url: '', dispose: async () => {} }
    case 'sqlite': {
      const folder = temporaryFolder('figures-sqlite')
      return { name, url: join(folder.path, 'tokens.db'), dispose: async () => folder.remove() }
    }
    case 'redis': {
      const server = await startRedis()
      return { name, url: server.url, server, dispose: server.dispose }
    }
    case 'postgres': {
      const server = await startPostgres({ max_connections: '200' })
      return { name, url: server.url, server, dispose: server.dispose }
    }
  }
}
