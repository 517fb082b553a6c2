/** A child process that runs a TypeScript file: says what it has to say in lines of JSON, and can be stopped and killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** See the top of the file. */
export interface WorkerProcess {
  /** The next line that it prints. */
  next(): Promise<Record<string, unknown>>
  send(message: unknown): void
  kill(signal: NodeJS.Signals): void
  /** Resolves when it has ended, with its exit code. */
  readonly ended: Promise<number | null>
}

/** Starts `file` (relative to the test folder) with the given arguments. */
export function startWorker(file: string, ...args: readonly string[]): WorkerProcess {
  const path = fileURLToPath(new URL(`../${file}`, import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = once(child, 'exit').then(([code]: (number | null)[]) => code ?? null)
  return {
    async next() {
      const { value, done } = await lines.next()
      if (done) throw new Error('the worker has ended')
      return JSON.parse(value)
    },
    send(message) {
      child.stdin.write(`${JSON.stringify(message)}\n`)
    },
    kill(signal) {
      child.kill(signal)
    },
    ended,
  }
}
