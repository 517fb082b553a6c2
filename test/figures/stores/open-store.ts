/** The store that is measured, by name. */
import type { TokenStore } from '../../../src/store/token-store.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { postgresStore } from '../../../src/stores/postgres.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import type { BackendName } from './protocol.ts'

/** Short enough that a server that is away is noticed; long enough for a machine with much to do. */
const TIMEOUT_MS = 2_000

/** Opens it; nothing is sealed. */
export function openStore(backend: BackendName, url: string): TokenStore {
  switch (backend) {
    case 'memory':
      return memoryStore()
    case 'sqlite':
      return sqliteStore(url, { timeoutMs: 10_000 })
    case 'redis':
      return redisStore(url, { timeoutMs: TIMEOUT_MS })
    case 'postgres':
      return postgresStore(url, { timeoutMs: TIMEOUT_MS })
  }
}
