/** What the database servers that tests start have in common: a temp directory, a free port, an end in any case. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** A program that runs, with all that it has written. */
export interface Running {
  readonly process: ChildProcess
  output(): string
}

/** Programs that run, to be killed when this process ends however it ends. */
const alive = new Set<ChildProcess>()
const folders = new Set<string>()
let cleaning = false

function cleanAtExit(): void {
  if (cleaning) return
  cleaning = true
  process.on('exit', () => {
    for (const child of alive) child.kill('SIGKILL')
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })
}

/** A folder that is gone when this process ends, if not before. */
export function temporaryFolder(name: string): { path: string; remove(): void } {
  cleanAtExit()
  const path = mkdtempSync(join(tmpdir(), `sallyport-${name}-`))
  folders.add(path)
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true })
      folders.delete(path)
    },
  }
}

/** Linux can kill a program when the one that started it is killed. */
const SETPRIV = '/usr/bin/setpriv'

/** Starts a program that is killed when this process ends, if not before; as another user where `uid` says so. */
export function launch(
  program: string,
  args: readonly string[],
  { cwd, uid }: { cwd: string; uid?: { user: number; group: number } | undefined },
): Running {
  cleanAtExit()
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe']
  const user = uid === undefined ? [] : ['--reuid', `${uid.user}`, '--regid', `${uid.group}`, '--clear-groups']
  const child = existsSync(SETPRIV)
    ? spawn(SETPRIV, [...user, '--pdeathsig', 'KILL', program, ...args], { cwd, stdio })
    : spawn(program, args, { cwd, stdio, ...(uid === undefined ? {} : { uid: uid.user, gid: uid.group }) })
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-20_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  child.on('error', (error) => keep(Buffer.from(error.message)))
  alive.add(child)
  child.once('exit', () => alive.delete(child))
  return { process: child, output: () => output }
}

/** Whether it has ended. */
export function hasEnded({ process: child }: Running): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

/** Sends a signal and waits for the end; SIGKILL after ten seconds. */
export async function end(running: Running, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(running)) return
  const { process: child } = running
  const exited = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await exited
  clearTimeout(timer)
}

/**
 * Ports that no system gives away by itself, neither to who listens on any nor to who connects (there, a client whose server is
 * away can even get to itself); some for each process, so that another one does not take one before it is listened on.
 */
const PORTS = { first: 10_000 + (process.pid % 200) * 100, count: 100 }
let next = Math.floor(Math.random() * PORTS.count)

/** A port that nobody listens on, nor will. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < PORTS.count; tries++) {
    const port = PORTS.first + (next++ % PORTS.count)
    if (await isFree(port)) return port
  }
  throw new Error('no port')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Tries until it succeeds; fails when the program has ended or half a minute is over. */
export async function until<T>(running: Running, attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 30_000
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (hasEnded(running) || Date.now() > deadline) {
        throw new Error(`the server did not start: ${running.output()}`, { cause: error })
      }
      await pause(20)
    }
  }
}

/** Sends bytes over a new connection and resolves with the first that come back. */
export async function exchange(port: number, bytes: Uint8Array): Promise<Buffer> {
  const socket = connect(port, '127.0.0.1')
  try {
    socket.write(bytes)
    const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(2_000) })
    return chunk
  } finally {
    socket.destroy()
  }
}
