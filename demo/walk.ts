/** Walks through checks: each is one line, tried on every server, with a tick for each that gave the expected answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ask, connect, type Request, sketch } from './ask.ts'
import { say, styled, title } from './print.ts'
import type { Target } from './servers.ts'

/** The same for every server, or made for each. */
type PerServer<Value> = Value | ((server: { readonly name: string }) => Value)

/** Runs checks, prints them, and keeps count. */
export interface Walk {
  readonly passed: number
  /** What did not match, for people. */
  readonly failures: readonly string[]
  /** Begins a part of the walk. */
  chapter(name: string): void
  /** A request to each server, whose answer must be `expected` (see `ask.ts`). */
  everywhere(row: string, request: PerServer<Request>, expected: PerServer<string>): Promise<void>
  /** A WebSocket to each server. */
  upgrades(row: string, request: Request, expected: string): Promise<void>
  /** Something to do with each server; `find` says what came of it, which must be `expected`. */
  onEach(
    row: string,
    tried: string,
    expected: PerServer<string>,
    find: (target: Target) => Promise<string>,
  ): Promise<void>
  /** Waits until `time` (milliseconds since 1970). */
  waitUntil(time: number): Promise<void>
  /** Something that has nothing to do with the servers; `find` says what there is. */
  once(row: string, tried: string, expected: string, find: () => string | Promise<string>): Promise<void>
}

interface Finding {
  readonly where: string
  readonly expected: string
  readonly got: string
}

const ROW_WIDTH = 4
const TRIED_WIDTH = 71
/** What stands in a line for what differs from server to server. */
const ANY_SERVER = { name: '<server>' }

/** A walk over `targets`, which stops before the next check once `signal` is aborted. */
export function createWalk(targets: readonly Target[], signal: AbortSignal): Walk {
  const failures: string[] = []
  let passed = 0

  async function check(
    row: string,
    tried: string,
    expected: string,
    findings: readonly Promise<Finding>[],
  ): Promise<void> {
    const found = await Promise.all(findings)
    signal.throwIfAborted()
    const ticks = targets.map((_, index) => tick(found[index]))
    say(`  ${ticks.join(' ')}  ${row.padEnd(ROW_WIDTH)}${tried.padEnd(TRIED_WIDTH)}  ${expected}`)
    for (const { where, expected, got } of found) {
      if (got === expected) {
        passed++
        continue
      }
      failures.push(`${row} ${tried}, ${where}: expected ${expected}; got ${got}`)
      say(styled('red', `           ${where} gave ${got}`))
    }
  }

  function onEach(
    row: string,
    tried: string,
    expected: PerServer<string>,
    find: (target: Target) => Promise<string>,
  ): Promise<void> {
    const findings = targets.map(async (target) => ({
      where: target.name,
      expected: valueFor(target, expected),
      got: await find(target).catch(sayError),
    }))
    return check(row, tried, valueFor(ANY_SERVER, expected), findings)
  }

  function everyTarget(
    row: string,
    how: typeof ask,
    request: PerServer<Request>,
    expected: PerServer<string>,
    mark = '',
  ): Promise<void> {
    const tried = mark + sketch(valueFor(ANY_SERVER, request))
    return onEach(row, tried, expected, (target) => how(target, valueFor(target, request)))
  }

  return {
    get passed() {
      return passed
    },
    failures,
    chapter: (name) => {
      signal.throwIfAborted()
      title(name)
    },
    everywhere: (row, request, expected) => everyTarget(row, ask, request, expected),
    upgrades: (row, request, expected) => everyTarget(row, connect, request, expected, 'WebSocket '),
    onEach,
    waitUntil: (time) => sleep(Math.max(0, time - Date.now()), undefined, { signal }),
    once: (row, tried, expected, find) => {
      const got = Promise.resolve().then(find).catch(sayError)
      return check(row, tried, expected, [got.then((got) => ({ where: 'here', expected, got }))])
    },
  }
}

/** How to read the walk. */
export function explainWalk(targets: readonly Target[]): void {
  const names = targets.map(({ name }) => name).join(', ')
  say(`A line has a tick for each server (${names}) that gave the expected answer; the row of the contract;`)
  say('the request; and that answer: the status, then the route, the subject and the path as the application saw them,')
  say('or the challenge. Of a page: its status, its title, and where it is.')
}

function tick(finding: Finding | undefined): string {
  if (finding === undefined) return ' '
  return finding.got === finding.expected ? styled('green', '✓') : styled('red', '✗')
}

function valueFor<Value extends Request | string>(server: { readonly name: string }, value: PerServer<Value>): Value {
  return typeof value === 'function' ? value(server) : value
}

function sayError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
