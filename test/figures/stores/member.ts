/** A worker process, as the harness sees it: takes orders, reports, can be stopped and killed. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { Actor } from './actor.ts'
import type { Answer, FromProcess, Report, Setup, ToProcess } from './protocol.ts'

/** See the top of the file. */
export interface Member extends Actor {
  readonly worker: string
  readonly alive: boolean
  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  /** Finishes what is under way and ends. */
  close(): Promise<void>
}

/** Starts a process, which ends when the harness does. Orders of one that dies are answered with `error`. */
export async function startMember(path: string, setup: Setup, report: (report: Report) => void): Promise<Member> {
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const child = fork(path, [JSON.stringify(setup)], { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const exited = once(child, 'exit')
  const pending = new Map<number, (answer: Answer) => void>()
  let ready = (): void => {}
  const started = new Promise<void>((resolve) => {
    ready = resolve
  })
  let alive = true
  let count = 0

  child.on('message', (message: FromProcess) => {
    if (message.kind === 'ready') ready()
    else if (message.kind === 'report') report(message.report)
    else {
      pending.get(message.id)?.(message.answer)
      pending.delete(message.id)
    }
  })
  // A message to one that dies just now.
  child.on('error', () => {})
  child.once('exit', () => {
    alive = false
    for (const answer of pending.values()) answer({ kind: 'error', message: 'the process has ended' })
    pending.clear()
  })
  await Promise.race([started, exited])

  function order(message: ToProcess['order']): Promise<Answer> {
    if (!alive) return Promise.resolve({ kind: 'error', message: 'the process has ended' })
    const id = count++
    return new Promise((resolve) => {
      pending.set(id, resolve)
      const toProcess: ToProcess = { id, order: message }
      child.send(toProcess, () => {})
    })
  }

  return {
    worker: setup.worker,
    get alive() {
      return alive
    },
    order,
    signal(signal) {
      if (signal === 'SIGKILL') alive = false
      child.kill(signal)
    },
    async close() {
      await order({ kind: 'close' })
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(timer)
    },
  }
}
