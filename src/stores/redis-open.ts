/** Finds the driver for what `redisStore` is given. */
import { importFunction, importInstalled, type PackageImporter } from '../core/optional-package.ts'
import type { RedisClient, RedisDriver } from './redis-driver.ts'
import { ioRedisAt, ioRedisDriver, isIoRedis } from './redis-ioredis.ts'
import { isNodeRedis, nodeRedisAt, nodeRedisDriver } from './redis-node-redis.ts'

/** @throws TypeError for what is no client that the store knows. */
export function assertClient(client: RedisClient): void {
  if (isIoRedis(client) || isNodeRedis(client)) return
  throw new TypeError('not a client of `redis` (createClient, createCluster) or `ioredis` (Redis, Cluster)')
}

/** The driver for a client. */
export function driverOf(client: RedisClient, timeoutMs: number): RedisDriver {
  if (isIoRedis(client)) return ioRedisDriver(client, timeoutMs)
  if (isNodeRedis(client)) return nodeRedisDriver(client)
  throw new TypeError('unreachable: the client was checked')
}

/**
 * The driver for a URL: of `redis`, or of `ioredis` where that is what is installed.
 *
 * @throws DependencyError (`ERR_DEPENDENCY`) naming both when neither is.
 */
export async function driverAt(
  url: string,
  timeoutMs: number,
  importPackage: PackageImporter = importInstalled,
): Promise<RedisDriver> {
  let imported = ''
  async function remember(name: string): Promise<unknown> {
    const found = await importPackage(name)
    imported = name
    return found
  }
  const need = 'a token store at a Redis URL needs a client'
  const createClient = await importFunction(['redis', 'ioredis'], 'createClient', need, remember)
  return imported === 'redis' ? nodeRedisAt(createClient, url, timeoutMs) : ioRedisAt(createClient, url, timeoutMs)
}
