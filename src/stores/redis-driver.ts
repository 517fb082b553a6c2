/** What the store needs of a client of Redis; one driver for each of the two packages. */
import type { Subscription } from '../store/watch.ts'

/** What scripts take. */
export type RedisArgument = string | Buffer

/** See the top of the file. */
export interface RedisDriver {
  /** `EVALSHA` or `EVAL` on the master that has the keys. Texts in the answer are buffers. */
  evaluate(
    command: 'evalsha' | 'eval',
    script: string,
    keys: readonly string[],
    args: readonly RedisArgument[],
    signal: AbortSignal,
  ): Promise<unknown>
  /** `INFO memory` of every master. */
  memoryInfo(signal: AbortSignal): Promise<string[]>
  /** `SUBSCRIBE` on a connection of its own, which is not opened again when it is lost. */
  subscribe(channel: string, onMessage: (message: string) => void, signal: AbortSignal): Promise<Subscription>
  /** The last error of a connection that is not ready. */
  trouble(): string | undefined
  /** Closes what the driver has opened. */
  close(): void
}

/**
 * A client of `redis` (`createClient` or `createCluster`, version 5 or later) or of `ioredis` (`Redis` or `Cluster`,
 * version 5 or later), as far as the two are alike.
 */
export interface RedisClient {
  duplicate(...parameters: never): unknown
  on(event: string, listener: (...parameters: unknown[]) => void): unknown
}

/** How long to wait before the `attempt`th try to connect again. */
export function reconnectDelay(attempt: number): number {
  return Math.min(1_000, 50 * 2 ** Math.min(attempt, 10))
}
