/** What all in-process figures do with a gate: build one, warm it, and insist on right answers. */
import { createGuard, type Gate, type GateRequest, type GuardConfig, type Outcome } from 'sallyport'
import { requestHeaders, TARGET } from '../context.ts'
import { bareRequest, type Template, template } from './exchange.ts'

export async function readyGuard(config: GuardConfig): Promise<Gate> {
  const guard = createGuard(config)
  await guard.ready()
  return guard
}

export function tokenTemplate(token: string): Template {
  return template(TARGET, requestHeaders(token))
}

export function tokenRequest(token: string): GateRequest {
  return bareRequest(tokenTemplate(token))
}

export function mustPass(outcome: Outcome): void {
  if (outcome.kind === 'pass') return
  const status = outcome.kind === 'reply' ? outcome.reply.status : outcome.kind
  throw new Error(`a good token was answered with ${status}`)
}

/** Young objects that are alive move out of the way, so that no timed loop pays for the set-up before it. */
export function settle(): void {
  const collect = globalThis.gc as ((options: { type: 'minor' }) => void) | undefined
  for (let times = 0; times < 3; times++) collect?.({ type: 'minor' })
}

/** Bytes in use after full collections: V8's heap and what hangs off it. */
export async function bytesInUse(): Promise<number> {
  for (let times = 0; times < 4; times++) {
    globalThis.gc?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
