/**
 * Child processes: servers that stay up and tell their CPU time, and jobs that answer once. Both sides of the
 * conversation are in this file, so that they cannot disagree.
 */
import { type ChildProcess, fork } from 'node:child_process'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ChildServer {
  readonly port: number
  /** CPU time that all threads of the process have used so far, in microseconds. */
  cpuUs(): Promise<number>
  stop(): Promise<void>
}

/** Starts a module that calls {@link serve}. */
export async function startServer(module: URL, args: readonly string[], context: unknown): Promise<ChildServer> {
  const child = start(module, args, context)
  const { port } = await answer<{ port: number }>(child, module, args)
  return {
    port,
    cpuUs: async () => {
      const reply = answer<{ cpuUs: number }>(child, module, args)
      child.send('cpu')
      return (await reply).cpuUs
    },
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

/** In the child: listens on a free port and answers the parent's questions. */
export function serve(server: Server): void {
  // Connections idle while other servers have their turn.
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }))
  process.on('message', (message) => {
    if (message !== 'cpu') return
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuUs: user + system })
  })
}

/** In the child: reports. */
export function done(found: unknown): void {
  process.send?.({ found })
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
