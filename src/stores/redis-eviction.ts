/** Redis that is full throws away keys unless it is told not to; tokens must not be among them. */
import { messageOf, StoreError } from '../core/errors.ts'
import type { RedisDriver } from './redis-driver.ts'

/**
 * Refuses a server with another `maxmemory-policy` than `noeviction`, also while `maxmemory` is 0: that can be set at
 * any time, takes effect at once, and nobody would notice but the users.
 *
 * @throws StoreError (`ERR_STORE`) for such a server, and for one that does not tell.
 */
export async function refuseEviction(driver: RedisDriver, signal: AbortSignal): Promise<void> {
  for (const info of await askMemory(driver, signal)) {
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1]
    if (policy === 'noeviction') continue
    if (policy === undefined) throw new StoreError(`Redis does not tell its maxmemory-policy; ${WAY_OUT}`)
    throw new StoreError(
      `Redis has the maxmemory-policy ${policy}: it deletes tokens when its memory is full. ` +
        'Set `maxmemory-policy noeviction`, or give tokens a Redis of their own',
    )
  }
}

const WAY_OUT = "if you know that it is `noeviction`, say `evictionPolicy: 'unchecked'`"

async function askMemory(driver: RedisDriver, signal: AbortSignal): Promise<string[]> {
  try {
    return await driver.memoryInfo(signal)
  } catch (error) {
    const message = messageOf(error)
    // Forbidden to this user, or taken out of the server; anything else is a server that is away.
    if (!/^(NOPERM|ERR unknown command)/i.test(message)) throw error
    throw new StoreError(`Redis does not tell its maxmemory-policy (${message}); ${WAY_OUT}`, { cause: error })
  }
}
