/**
 * The driver for `ioredis`. That package sends commands again after it has
 * reconnected, and sends late what nobody waits for any more; so the driver uses
 * duplicates of the given client that do neither.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { messageOf } from '../core/errors.ts'
import type { PackageFunction } from '../core/optional-package.ts'
import { orAborted } from '../store/operations.ts'
import type { Subscription } from '../store/watch.ts'
import { type RedisArgument, type RedisDriver, reconnectDelay } from './redis-driver.ts'
import { createSilence } from './redis-silence.ts'
import { createTrouble } from './redis-trouble.ts'

/** What `Redis` and `Cluster` have in common. */
interface Connection {
  readonly status: string
  evalshaBuffer(script: string, count: number, ...rest: RedisArgument[]): Promise<unknown>
  evalBuffer(script: string, count: number, ...rest: RedisArgument[]): Promise<unknown>
  disconnect(): void
  on(event: string, listener: (...parameters: unknown[]) => void): unknown
}

interface IoRedis extends Connection {
  readonly isCluster?: false
  readonly stream?: { destroy(): void }
  duplicate(overrides: object): IoRedis
  connect(): Promise<void>
  info(section: string): Promise<string>
  subscribe(channel: string): Promise<unknown>
  ping(): Promise<unknown>
}

interface IoCluster extends Connection {
  readonly isCluster: true
  readonly options?: { readonly redisOptions?: object }
  duplicate(nodes: readonly never[], overrides: object): IoCluster
  nodes(role: 'master'): IoRedis[]
}

/** Whether it is a client of `ioredis`, alone, behind sentinels or of a cluster. */
export function isIoRedis(client: object): client is IoRedis | IoCluster {
  return typeof Reflect.get(client, 'evalshaBuffer') === 'function' && 'status' in client
}

/** Settings under which a command is sent at most once, and only while somebody waits for it. */
const AT_MOST_ONCE = {
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  retryStrategy: reconnectDelay,
  // A master that has become a replica: reconnecting finds the new one. `true` does not send the command again.
  reconnectOnError: (error: Error) => error.message.includes('READONLY'),
}

/** What the client says of a command that it could not even queue. */
const NOT_SENT = /^Stream isn't writeable and enableOfflineQueue/

/** The driver over duplicates of a client that the user has made and closes. */
export function ioRedisDriver(client: IoRedis | IoCluster, timeoutMs: number): RedisDriver {
  const connection = client.isCluster
    ? client.duplicate([], {
        lazyConnect: false,
        enableAutoPipelining: false,
        clusterRetryStrategy: reconnectDelay,
        clusterNodeRetryStrategy: null,
        // Commands of a node that is lost are not sent to another.
        retryDelayOnFailover: 0,
        scaleReads: 'master',
        // Which node a command waits for, the cluster alone knows.
        redisOptions: { ...client.options?.redisOptions, socketTimeout: timeoutMs },
      })
    : client.duplicate({ ...AT_MOST_ONCE, enableOfflineQueue: false, lazyConnect: false })
  return driverOver(connection, timeoutMs)
}

/** The driver over a client of its own. */
export function ioRedisAt(createClient: PackageFunction, url: string, timeoutMs: number): RedisDriver {
  return driverOver(createClient(url, { ...AT_MOST_ONCE, enableOfflineQueue: false }) as IoRedis, timeoutMs)
}

function driverOver(connection: IoRedis | IoCluster, timeoutMs: number): RedisDriver {
  const waiting = new Set<() => void>()
  const unanswered = new Set<(error: Error) => void>()
  let closed = false
  const silence = createSilence(timeoutMs, () => {
    // The state before `connect` ends by the client's `connectTimeout`.
    if (connection.isCluster || !['connect', 'ready'].includes(connection.status)) return
    // `disconnect()` would wait for the other side.
    connection.stream?.destroy()
  })
  const trouble = createTrouble()
  connection.on('error', trouble.remember)
  connection.on('connect', silence.heard)
  connection.on('ready', () => {
    silence.heard()
    trouble.forget()
    for (const go of waiting) go()
    waiting.clear()
  })
  // Not sent again, and so never answered.
  connection.on('close', () => {
    for (const fail of unanswered) fail(new Error('the connection was lost'))
    unanswered.clear()
  })

  async function whenReady(signal: AbortSignal): Promise<void> {
    if (closed || connection.status === 'end') throw new Error('the connection is closed')
    if (connection.status === 'ready') return
    let go = (): void => {}
    const ready = new Promise<void>((resolve) => {
      go = resolve
      waiting.add(go)
    })
    try {
      await orAborted(ready, signal)
    } finally {
      waiting.delete(go)
    }
  }

  function send<T>(command: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return silence.over(sendWhenReady(command, signal), signal)
  }

  async function sendWhenReady<T>(command: () => Promise<T>, signal: AbortSignal): Promise<T> {
    for (;;) {
      await whenReady(signal)
      try {
        return await sendNow(command)
      } catch (error) {
        if (!NOT_SENT.test(messageOf(error)) || signal.aborted) throw error
        // The client learns in its next turn that the connection is lost.
        await turn()
      }
    }
  }

  async function sendNow<T>(command: () => Promise<T>): Promise<T> {
    let fail = (_: Error): void => {}
    const lost = new Promise<never>((_, reject) => {
      fail = reject
      unanswered.add(fail)
    })
    try {
      return await Promise.race([command(), lost])
    } catch (error) {
      // An error of a reply holds the command with its arguments, and those are secrets.
      throw new Error(messageOf(error))
    } finally {
      unanswered.delete(fail)
    }
  }

  function masters(): IoRedis[] {
    return connection.isCluster ? connection.nodes('master') : [connection]
  }

  return {
    evaluate: (command, script, keys, args, signal) =>
      send(
        () =>
          command === 'eval'
            ? connection.evalBuffer(script, keys.length, ...keys, ...args)
            : connection.evalshaBuffer(script, keys.length, ...keys, ...args),
        signal,
      ),
    memoryInfo: (signal) => send(() => Promise.all(masters().map((node) => node.info('memory'))), signal),
    async subscribe(channel, onMessage, signal): Promise<Subscription> {
      await whenReady(signal)
      const nodes = masters()
      const node = nodes[Math.floor(Math.random() * nodes.length)]
      if (node === undefined) throw new Error('the cluster is not connected')
      const subscriber = node.duplicate({
        lazyConnect: true,
        enableOfflineQueue: true,
        retryStrategy: null,
        autoResubscribe: false,
        readOnly: false,
      })
      subscriber.on('error', ignore)
      const ended = new Promise<void>((resolve) => subscriber.on('end', () => resolve()))
      subscriber.on('message', (_, message) => onMessage(String(message)))
      try {
        await orAborted(subscriber.connect(), signal)
        await orAborted(subscriber.subscribe(channel), signal)
      } catch (error) {
        subscriber.disconnect()
        throw error
      }
      return { ended, ping: () => subscriber.ping(), close: () => subscriber.disconnect() }
    },
    trouble: trouble.last,
    close() {
      closed = true
      silence.close()
      connection.disconnect()
    },
  }
}

function ignore(): void {}
