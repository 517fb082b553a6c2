/**
 * Child processes: servers that stay up and answer questions about themselves, and jobs that answer once. Both sides of
 * the conversation are in this file, so that they cannot disagree.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ChildServer {
  readonly port: number
  readonly pid: number
  /** CPU time that all threads of the process have used so far, in microseconds. */
  cpuUs(): Promise<number>
  /** What the process holds after full collections. */
  memory(): Promise<Memory>
  /** One of the module's own questions. One question at a time. */
  ask<T>(question: string): Promise<T>
  stop(): Promise<void>
}

/** Bytes, as `process.memoryUsage()` has them. */
export interface Memory {
  readonly rss: number
  readonly heapUsed: number
  readonly external: number
}

/** Answers to questions, by question. */
export type Answers = Readonly<Record<string, () => unknown>>

/** Starts a module that calls {@link serve}. */
export async function startServer(module: URL, args: readonly string[], context: unknown): Promise<ChildServer> {
  const child = start(module, args, context)
  const { port } = await answer<{ port: number }>(child, module, args)
  const ask = async <T>(question: string): Promise<T> => {
    const reply = answer<{ found: T }>(child, module, args)
    child.send(question)
    return (await reply).found
  }
  return {
    port,
    pid: child.pid ?? 0,
    ask,
    cpuUs: () => ask('cpu'),
    memory: () => ask('memory'),
    stop: () =>
      new Promise((resolve) => {
        child.once('exit', () => resolve())
        child.disconnect()
      }),
  }
}

/** Runs a module that calls {@link done}, and returns what it found. */
export async function runJob<T>(module: URL, context: unknown): Promise<T> {
  const child = start(module, [], context)
  const found = await answer<{ found: T }>(child, module, [])
  child.disconnect()
  return found.found
}

/** In the child: what the parent passed as context. The child ends with the parent, and not before: timers may be unref'd. */
export function contextFromParent<T>(): T {
  process.on('disconnect', () => process.exit(0))
  return JSON.parse(process.env.BENCH_CONTEXT ?? 'null') as T
}

/**
 * In the child: listens on a free port and answers the parent's questions. `prepare` runs before the parent is told, for
 * servers that have to know their port.
 */
export function serve(server: Server, answers: Answers = {}, prepare?: (port: number) => Promise<void>): void {
  // Connections idle while other servers have their turn.
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1', async () => {
    const { port } = server.address() as AddressInfo
    await prepare?.(port)
    process.send?.({ port })
  })
  const all: Answers = { cpu, memory, ...answers }
  process.on('message', async (question: string) => {
    const find = all[question]
    if (find === undefined) throw new Error(`no answer to ${question}`)
    done(await find())
  })
}

/** In the child: reports. */
export function done(found: unknown): void {
  process.send?.({ found })
}

function cpu(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Collected several times with turns of the event loop between them: finalisers free more, and pages go back late. */
async function memory(): Promise<Memory> {
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  return { rss, heapUsed, external }
}

function start(module: URL, args: readonly string[], context: unknown): ChildProcess {
  return fork(module, args, {
    execArgv: ['--expose-gc'],
    env: { ...process.env, BENCH_CONTEXT: JSON.stringify(context) },
  })
}

function answer<T>(child: ChildProcess, module: URL, args: readonly string[]): Promise<T> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void =>
      reject(new Error(`${module.pathname} ${args.join(' ')} ended with exit code ${code}`))
    child.once('exit', gone)
    child.once('message', (message) => {
      child.off('exit', gone)
      resolve(message as T)
    })
  })
}
