/**
 * The driver for `redis` (node-redis). It uses the given client for commands, which
 * that package sends at most once, and takes them back where they have not been
 * sent when an operation's time is over.
 */
import { messageOf } from '../core/errors.ts'
import type { PackageFunction } from '../core/optional-package.ts'
import { orAborted } from '../store/operations.ts'
import type { Subscription } from '../store/watch.ts'
import { type RedisArgument, type RedisDriver, reconnectDelay } from './redis-driver.ts'
import { createSilence } from './redis-silence.ts'
import { createTrouble, type Trouble } from './redis-trouble.ts'

interface SendOptions {
  readonly abortSignal: AbortSignal
  /** What a type of reply becomes; number keys are the first bytes of RESP's types. */
  readonly typeMapping: Readonly<Record<number, unknown>>
  /** Instead of the client's own. */
  readonly timeout: undefined
}

/** What `createClient()` returns. */
interface NodeClient {
  readonly options?: { readonly socket?: object } | undefined
  sendCommand(args: readonly RedisArgument[], options: SendOptions): Promise<unknown>
  duplicate(overrides: object): NodeClient
  connect(): Promise<unknown>
  destroy(): void
  subscribe(channel: string, listener: (message: string) => void): Promise<unknown>
  ping(): Promise<unknown>
  on(event: string, listener: (error: unknown) => void): unknown
}

/** What `createCluster()` returns. */
interface NodeCluster extends Pick<NodeClient, 'on'> {
  readonly masters: readonly object[]
  nodeClient(node: object): NodeClient | Promise<NodeClient>
  sendCommand(
    firstKey: string | undefined,
    readonly: boolean,
    args: readonly RedisArgument[],
    options: SendOptions,
  ): Promise<unknown>
}

/** `$`, RESP's bulk string: values are not text. */
const BULK_STRING = 36

/** Whether it is a client of `redis`, alone or of a cluster. Its sentinel client and its pool are not supported. */
export function isNodeRedis(client: object): client is NodeClient | NodeCluster {
  const has = (name: string) => typeof Reflect.get(client, name) === 'function'
  // Commands of the sentinel client are sent in another way, though everything else is there.
  if (has('getSentinelNode')) return false
  return has('sendCommand') && has('duplicate') && (isCluster(client) || (has('subscribe') && has('ping')))
}

function isCluster(client: object): client is NodeCluster {
  return 'masters' in client && 'nodeClient' in client
}

/** The driver over a client that the user has made, connects and closes. */
export function nodeRedisDriver(client: NodeClient | NodeCluster): RedisDriver {
  const driver = driverOver(client)
  return {
    ...driver,
    async evaluate(...parameters) {
      try {
        return await driver.evaluate(...parameters)
      } catch (error) {
        if (!isReadOnly(error)) throw error
        const cause = 'the client is connected to a replica; after a failover it must be connected anew'
        throw new Error(`${messageOf(error)} (${cause})`, { cause: error })
      }
    },
  }
}

/** Whether it says that the server is a replica; where a script wrote, older servers say that at the end. */
function isReadOnly(error: unknown): boolean {
  return messageOf(error).includes('READONLY')
}

/** One for each client: several stores can have the same, which warns of more than ten listeners. */
const troubles = new WeakMap<object, Trouble>()

function troubleWith(client: NodeClient | NodeCluster): Trouble {
  const known = troubles.get(client)
  if (known !== undefined) return known
  const trouble = createTrouble()
  troubles.set(client, trouble)
  // Without a listener, a lost connection is an uncaught exception. It stays, for other stores.
  client.on('error', trouble.remember)
  client.on('ready', trouble.forget)
  return trouble
}

function driverOver(client: NodeClient | NodeCluster): RedisDriver {
  const trouble = troubleWith(client)

  async function anyNode(): Promise<NodeClient> {
    if (!isCluster(client)) return client
    const node = client.masters[Math.floor(Math.random() * client.masters.length)]
    if (node === undefined) throw new Error('the cluster is not connected')
    return client.nodeClient(node)
  }

  return {
    evaluate(command, script, keys, args, signal) {
      const all = [command.toUpperCase(), script, String(keys.length), ...keys, ...args]
      const options: SendOptions = { abortSignal: signal, typeMapping: { [BULK_STRING]: Buffer }, timeout: undefined }
      // Never a replica, also where the client reads from replicas: what it knows may be old.
      return isCluster(client) ? client.sendCommand(keys[0], false, all, options) : client.sendCommand(all, options)
    },
    async memoryInfo(signal) {
      const options: SendOptions = { abortSignal: signal, typeMapping: {}, timeout: undefined }
      const nodes = isCluster(client)
        ? await Promise.all(client.masters.map((node) => client.nodeClient(node)))
        : [client]
      if (nodes.length === 0) throw new Error('the cluster is not connected')
      const answers = await Promise.all(nodes.map((node) => node.sendCommand(['INFO', 'memory'], options)))
      return answers.map(String)
    },
    async subscribe(channel, onMessage, signal): Promise<Subscription> {
      const node = await anyNode()
      const connection = node.duplicate({ socket: { ...node.options?.socket, reconnectStrategy: false } })
      const ended = new Promise<void>((resolve) => {
        for (const event of ['error', 'end']) connection.on(event, () => resolve())
      })
      const close = () => destroy(connection)
      const connecting = connection.connect()
      try {
        await orAborted(connecting, signal)
        await orAborted(connection.subscribe(channel, onMessage), signal)
      } catch (error) {
        close()
        // A connection that comes after all is closed then.
        connecting.then(close, ignore)
        throw error
      }
      return { ended, ping: () => connection.ping(), close }
    },
    trouble: trouble.last,
    // The client is not the driver's to close.
    close: ignore,
  }
}

/** The driver over clients of its own, one after another: what is silent, or a replica now, is given up. */
export function nodeRedisAt(createClient: PackageFunction, url: string, timeoutMs: number): RedisDriver {
  let client: NodeClient
  let driver: RedisDriver
  // Until it is, the client itself gives up, by its `connectTimeout`.
  let connected = false
  const silence = createSilence(timeoutMs, () => {
    if (connected) renew()
  })

  function open(): void {
    const opened = createClient({ url, socket: { reconnectStrategy: reconnectDelay } }) as NodeClient
    client = opened
    connected = false
    driver = driverOver(opened)
    const follow = (event: string, state: boolean) =>
      opened.on(event, () => {
        if (opened !== client) return
        connected = state
        if (state) silence.heard()
      })
    follow('connect', true)
    follow('ready', true)
    follow('reconnecting', false)
    // Commands wait for it, each as long as its operation may take.
    opened.connect().catch(ignore)
  }

  function renew(): void {
    const old = client
    // Not the same client again: one that is at connecting would do so twice.
    open()
    discard(old)
  }

  async function ask<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
    const asked = client
    try {
      return await silence.over(answer, signal)
    } catch (error) {
      // A master that has become a replica, behind a name that leads to the new one.
      if (asked === client && isReadOnly(error)) renew()
      throw error
    }
  }

  open()
  return {
    evaluate: (command, script, keys, args, signal) =>
      ask(driver.evaluate(command, script, keys, args, signal), signal),
    memoryInfo: (signal) => ask(driver.memoryInfo(signal), signal),
    subscribe: (channel, onMessage, signal) => driver.subscribe(channel, onMessage, signal),
    trouble: () => driver.trouble(),
    close() {
      silence.close()
      discard(client)
    },
  }
}

/** Ends a client of the store's own. One that is just connecting keeps the connection that comes, so it is told again. */
function discard(client: NodeClient): void {
  client.on('connect', () => destroy(client))
  destroy(client)
}

function destroy(client: NodeClient): void {
  try {
    client.destroy()
  } catch {
    // Version 5 objects where it is closed already.
  }
}

function ignore(): void {}
