/** PostgreSQL servers of our own, on free ports, with their data in a temp directory that outlives a restart. */
import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { part } from './parts.ts'
import { end, exchange, freePort, hasEnded, launch, type Running, temporaryFolder, until } from './temp-server.ts'

/** A server that runs, until it is stopped. */
export interface PostgresServer {
  readonly port: number
  /** Of the superuser and the database `postgres`. */
  readonly url: string
  /** Ends the process, at once and without waiting for clients; SIGTERM by default, as a fast shutdown. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** Starts it again, on the same port and data. */
  start(): Promise<void>
  /** SIGSTOP to every process of the server: it takes connections and does not answer. */
  freeze(): void
  /** SIGCONT. */
  thaw(): void
  /** Runs SQL with psql; the rows, columns separated by `|`. */
  sql(text: string, database?: string): string
  /** Ends the process and deletes the data. */
  dispose(): Promise<void>
}

/**
 * Starts a server. It survives SIGKILL, but not a power cut: for that, and for honest figures, say `{ fsync: 'on' }`.
 *
 * @param settings - as in postgresql.conf: `{ max_connections: '20' }`
 */
export async function startPostgres(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
  const found = part('postgres')
  if (found === undefined) throw new Error('postgres is not installed')
  // Its siblings are beside it, not beside a link to it.
  const program = realpathSync(found)
  const folder = temporaryFolder('postgres')
  const data = join(folder.path, 'data')
  const port = await freePort()
  const uid = unprivileged()
  if (uid !== undefined) chownSync(folder.path, uid.user, uid.group)
  const options = { cwd: folder.path, uid }
  let running: Running | undefined

  const initialising = launch(
    join(dirname(program), 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale', 'C', '--no-sync'],
    options,
  )
  await new Promise<void>((resolve, reject) => {
    initialising.process.once('exit', (code) => {
      if (code === 0) resolve()
      else reject(new Error(`initdb: ${initialising.output()}`))
    })
  })

  async function start(): Promise<void> {
    const all = { listen_addresses: '127.0.0.1', unix_socket_directories: folder.path, fsync: 'off', ...settings }
    const flags = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    for (const deadline = Date.now() + 10_000; ; ) {
      running = launch(program, ['-D', data, '-p', String(port), ...flags], options)
      try {
        return await until(running, async () => {
          const answer = await exchange(port, STARTUP)
          // `R` asks for, or confirms, authentication; `E` is "the database system is starting up".
          if (answer.toString('latin1', 0, 1) !== 'R') throw new Error(answer.toString('latin1'))
        })
      } catch (error) {
        // Processes that were killed have not all gone yet.
        if (!running.output().includes('still in use') || Date.now() > deadline) throw error
      }
    }
  }

  async function stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    if (running === undefined) return
    if (signal === 'SIGTERM') return end(running, 'SIGINT') // postgres: a fast shutdown
    const [, ...others] = family()
    await end(running, 'SIGKILL')
    for (const pid of others) kill(pid, 'SIGKILL')
  }

  /** The server and all processes that it has made. */
  function family(): number[] {
    if (running === undefined || hasEnded(running)) return []
    const { pid } = running.process
    if (pid === undefined) return []
    const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
    return [pid, ...stdout.trim().split(/\s+/).filter(Boolean).map(Number)]
  }

  await start()
  return {
    port,
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    start,
    stop,
    freeze() {
      for (const pid of family()) kill(pid, 'SIGSTOP')
    },
    thaw() {
      for (const pid of family()) kill(pid, 'SIGCONT')
    },
    sql(text, database = 'postgres') {
      const psql = join(dirname(program), 'psql')
      const where = ['-h', '127.0.0.1', '-p', String(port), '-U', 'postgres', '-d', database]
      return execFileSync(psql, [...where, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', text], {
        encoding: 'utf8',
        stdio: 'pipe',
      }).trim()
    },
    async dispose() {
      for (const pid of family()) kill(pid, 'SIGCONT')
      if (running !== undefined) await end(running, 'SIGQUIT')
      folder.remove()
    },
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Gone by itself.
  }
}

/** A startup message, protocol 3.0, for the user and database `postgres`. */
const STARTUP = (() => {
  const body = Buffer.from('\0\x03\0\0user\0postgres\0database\0postgres\0\0', 'latin1')
  const length = Buffer.alloc(4)
  length.writeInt32BE(body.length + 4)
  return Buffer.concat([length, body])
})()

/** PostgreSQL does not run as root; Debian has a user for it. */
function unprivileged(): { user: number; group: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { user: id('-u'), group: id('-g') }
}

/** A pgbouncer before a server. */
export interface Pooler {
  readonly url: string
  dispose(): Promise<void>
}

/** Starts pgbouncer in transaction mode: a client has a connection only for as long as a transaction lasts. */
export async function startPooler(server: PostgresServer): Promise<Pooler> {
  const program = part('pgbouncer')
  if (program === undefined) throw new Error('pgbouncer is not installed')
  const folder = temporaryFolder('pgbouncer')
  const port = await freePort()
  const uid = unprivileged()
  const file = join(folder.path, 'pgbouncer.ini')
  writeFileSync(
    file,
    `[databases]
postgres = host=127.0.0.1 port=${server.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
`,
  )
  if (uid !== undefined) for (const path of [folder.path, file]) chownSync(path, uid.user, uid.group)
  const running = launch(program, [file], { cwd: folder.path, uid })
  await until(running, async () => {
    const answer = await exchange(port, STARTUP)
    if (answer.toString('latin1', 0, 1) !== 'R') throw new Error(answer.toString('latin1'))
  })
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async dispose() {
      await end(running, 'SIGKILL')
      folder.remove()
    },
  }
}
