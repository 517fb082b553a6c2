/** The store that is measured, by name. */
import type { TokenStore } from '../../../src/store/token-store.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { postgresStore } from '../../../src/stores/postgres.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import { sqliteStore } from '../../../src/stores/sqlite.ts'
import type { BackendName } from './protocol.ts'

/** Longer than a busy disk makes a server wait for it: nothing is judged by how long it took. */
export const PATIENT_MS = 20_000

/** Short enough that a server that is away is noticed. */
export const ALERT_MS = 2_000

/** Opens it; nothing is sealed. */
export function openStore(backend: BackendName, url: string, timeoutMs: number): TokenStore {
  switch (backend) {
    case 'memory':
      return memoryStore()
    case 'sqlite':
      return sqliteStore(url, { timeoutMs })
    case 'redis':
      return redisStore(url, { timeoutMs })
    case 'postgres':
      return postgresStore(url, { timeoutMs })
  }
}
