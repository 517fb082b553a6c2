/** Redis servers of our own, on free ports, with their data in a temp directory that outlives a restart. */
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { part } from './parts.ts'
import { end, exchange, freePort, launch, type Running, temporaryFolder, until } from './temp-server.ts'

/** A server that runs, until it is stopped. */
export interface RedisServer {
  readonly port: number
  readonly url: string
  /** Ends the process; SIGTERM by default. Its data stays. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts it again, on the same port and data. */
  start(): Promise<void>
  /** SIGSTOP: it takes connections and does not answer. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  /** Runs a command with redis-cli. */
  cli(...args: string[]): string
  /** Ends the process and deletes the data. */
  dispose(): Promise<void>
}

/**
 * Starts a server that loses nothing, not even at a power cut (`appendfsync always`).
 *
 * @param settings - more settings, as on the command line: `['--maxmemory', '100mb']`
 */
export async function startRedis(settings: readonly string[] = []): Promise<RedisServer> {
  const folder = temporaryFolder('redis')
  const port = await freePort()
  const server = redisAt(folder.path, port, settings)
  await server.start()
  return {
    ...server,
    async dispose() {
      await server.dispose()
      folder.remove()
    },
  }
}

/** A cluster of masters. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  dispose(): Promise<void>
}

/** Starts a cluster of `size` masters (1, or 3 and more), which together have all slots. */
export async function startRedisCluster(size: number, settings: readonly string[] = []): Promise<RedisCluster> {
  const folder = temporaryFolder('redis-cluster')
  const nodes: RedisServer[] = []
  async function dispose(): Promise<void> {
    await Promise.all(nodes.map((node) => node.dispose()))
    folder.remove()
  }
  try {
    for (let index = 0; index < size; index++) {
      const path = join(folder.path, String(index))
      mkdirSync(path)
      const [port, bus] = [await freePort(), await freePort()]
      const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(bus), '--cluster-node-timeout', '2000']
      const node = redisAt(path, port, [...cluster, ...settings])
      nodes.push(node)
      await node.start()
    }
    const [first] = nodes
    if (size === 1) first?.cli('cluster', 'addslotsrange', '0', '16383')
    else {
      const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
      first?.cli('--cluster', 'create', ...addresses, '--cluster-replicas', '0', '--cluster-yes')
    }
    for (const node of nodes) {
      const deadline = Date.now() + 30_000
      while (!node.cli('cluster', 'info').includes('cluster_state:ok')) {
        if (Date.now() > deadline) throw new Error('the cluster did not form')
      }
    }
  } catch (error) {
    await dispose()
    throw error
  }
  return { nodes, dispose }
}

function redisAt(path: string, port: number, settings: readonly string[]): RedisServer {
  let running: Running | undefined
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    async start() {
      const program = part('redis')
      if (program === undefined) throw new Error('redis-server is not installed')
      const where = ['--port', String(port), '--bind', '127.0.0.1', '--dir', path]
      const keep = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always']
      running = launch(program, [...where, ...keep, ...settings], { cwd: path })
      await until(running, async () => {
        const answer = await exchange(port, Buffer.from('PING\r\n'))
        // While it loads its data it says -LOADING.
        if (!/^(\+PONG|-NOAUTH)/.test(answer.toString())) throw new Error(answer.toString())
      })
    },
    async stop(signal = 'SIGTERM') {
      if (running !== undefined) await end(running, signal)
    },
    freeze: () => void running?.process.kill('SIGSTOP'),
    thaw: () => void running?.process.kill('SIGCONT'),
    cli: (...args) =>
      execFileSync('redis-cli', ['-h', '127.0.0.1', '-p', String(port), ...args], { encoding: 'utf8', stdio: 'pipe' }),
    async dispose() {
      if (running !== undefined) await end(running, 'SIGKILL')
    },
  }
}
