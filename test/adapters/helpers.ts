/** What the files of the contract suite share. */
import { STATUS_CODES } from 'node:http'
import type { Readable } from 'node:stream'
import type { Gate, GateRequest, Outcome } from 'sallyport'
import { expect } from 'vitest'
import type { RawAnswer } from '../support/raw-client.ts'
import type { RunningApp, WhoAmI } from '../support/servers.ts'

/** A hand-written gate. */
export function gateOf(handle: (request: GateRequest) => Outcome | Promise<Outcome>): Gate {
  return { handle, ready: async () => {}, close: async () => {} }
}

/** A gate that lets everybody in. */
export const passing = gateOf(() => ({ kind: 'pass', auth: { type: 'none', route: 'everywhere' } }))

/** A gate that answers with `status` and the text `refused`. */
export const refusing = (status: number): Gate =>
  gateOf(() => ({ kind: 'reply', reply: { status, headers: { 'x-gate': 'refused' }, body: 'refused' } }))

/** Checks that `answer` is exactly the problem document that a gate makes of `status`. */
export function expectProblem(
  answer: RawAnswer,
  status: number,
  headers: Readonly<Record<string, unknown>> = {},
): void {
  const body = JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status })
  expect({ status: answer.status, body: answer.text() }).toEqual({ status, body })
  expect(answer.headers).toEqual({
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'content-length': String(body.length),
    date: expect.any(String),
    connection: 'keep-alive',
    'keep-alive': expect.any(String),
    ...headers,
  })
}

/** Checks that `answer` comes from the application's `whoami`. */
export function expectReached(answer: RawAnswer): WhoAmI {
  expect({ status: answer.status, app: answer.headers['x-app'] }).toEqual({ status: 200, app: 'reached' })
  return answer.json() as WhoAmI
}

/** Runs `body` and checks that no request reached the application meanwhile. */
export async function withoutReaching<Value>(app: RunningApp, body: () => Promise<Value>): Promise<Value> {
  const before = app.reached
  const value = await body()
  expect(app.reached, 'requests that reached the application').toBe(before)
  return value
}

/** A promise that is settled from outside. */
export function deferred<Value = void>() {
  let resolve!: (value: Value) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<Value>((fulfil, refuse) => {
    resolve = fulfil
    reject = refuse
  })
  return { promise, resolve, reject }
}

/** Resolves once a stream is closed, be it by an error. */
export function closeOf(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve)
  })
}
