/**
 * What the guard adds to a request, without a network: a handler behind `sallyport(guard)` of `sallyport/node` against
 * the same handler bare. The bare one does not even look at the headers, so Node's parsing of them counts as added.
 */
import type { RequestListener } from 'node:http'
import type { Gate, GateRequest, Outcome } from 'sallyport'
import { sallyport } from 'sallyport/node'
import { contextFromParent, done } from '../../lib/child.ts'
import { median, type Summary, summarise } from '../../lib/stats.ts'
import { createSigner } from '../../lib/tokens.ts'
import { AUDIENCE, type Context, guardConfig } from '../context.ts'
import { type Exchange, gateRequests, makeExchange, type Template } from './exchange.ts'
import { mustPass, readyGuard, settle, tokenRequest, tokenTemplate } from './gate.ts'

/** Microseconds per request. */
export interface Added {
  /** Through the adapter, a token seen before; many requests in one turn of the event loop. */
  readonly warm: Summary
  /** The same, one request at a time, from start to handler. */
  readonly warmAlone: Summary
  /** `guard.handle` alone, a token seen before. */
  readonly warmHandle: Summary
  /** Through the adapter, a token never seen; one request at a time, from start to handler. */
  readonly cold: Summary
  readonly tokenBytes: number
}

const context = contextFromParent<Context>()
const sizes = context.quick
  ? { rounds: 50, requests: 500, coldRounds: 10, coldRequests: 50 }
  : { rounds: 200, requests: 1000, coldRounds: 30, coldRequests: 100 }

let handled = 0
let resume: (() => void) | undefined
const bare: RequestListener = () => {
  handled += 1
  resume?.()
}
const skip: Outcome = { kind: 'skip' }
const emptyGate: Gate = { handle: () => skip, ready: async () => {}, close: async () => {} }

const sign = createSigner(context.rs256, context.issuer, AUDIENCE)
const guard = await readyGuard(guardConfig(context))
const guarded = sallyport(guard)(bare)
const warmTokens = Array.from({ length: 64 }, () => sign())
const warmTemplates = warmTokens.map(tokenTemplate)
for (const token of warmTokens) mustPass(await guard.handle(tokenRequest(token)))

const added: Added = {
  warm: await warm(),
  warmAlone: await alone(sizes.rounds, (index) => warmTemplates[index % warmTemplates.length]!),
  warmHandle: await warmHandle(),
  cold: await alone(sizes.coldRounds, () => tokenTemplate(sign())),
  tokenBytes: warmTokens[0]!.length,
}
await guard.close()
done(added)

async function warm(): Promise<Summary> {
  const fresh = (): Exchange[] =>
    Array.from({ length: sizes.requests }, (_, index) => makeExchange(warmTemplates[index % warmTemplates.length]!))
  return differences(sizes.rounds, async (listener) => {
    const exchanges = fresh()
    settle()
    handled = 0
    const start = performance.now()
    for (const { req, res } of exchanges) listener(req, res)
    await new Promise((resolve) => setImmediate(resolve))
    const elapsed = performance.now() - start
    if (handled !== exchanges.length) throw new Error('a warm token was not answered in its turn')
    return (elapsed * 1000) / exchanges.length
  })
}

async function warmHandle(): Promise<Summary> {
  const time = async (gate: Gate): Promise<number> => {
    const requests = await gateRequests(
      Array.from({ length: sizes.requests }, (_, index) => makeExchange(warmTemplates[index % warmTemplates.length]!)),
    )
    settle()
    const start = performance.now()
    const passed = handleAll(gate, requests)
    const elapsed = performance.now() - start
    if (gate === guard && passed !== requests.length) throw new Error('a warm token was not let through at once')
    return (elapsed * 1000) / requests.length
  }
  const differences: number[] = []
  for (let round = 0; round < sizes.rounds; round++) differences.push(-(await time(emptyGate)) + (await time(guard)))
  return summarise(differences)
}

function handleAll(gate: Gate, requests: readonly GateRequest[]): number {
  let passed = 0
  for (const request of requests) {
    const outcome = gate.handle(request)
    if ('kind' in outcome && outcome.kind === 'pass') passed += 1
  }
  return passed
}

/** One request at a time. */
async function alone(rounds: number, templateAt: (index: number) => Template): Promise<Summary> {
  return differences(rounds, async (listener) => {
    const exchanges = Array.from({ length: sizes.coldRequests }, (_, index) => makeExchange(templateAt(index)))
    settle()
    handled = 0
    const start = performance.now()
    for (const { req, res } of exchanges) {
      await new Promise<void>((resolve) => {
        resume = resolve
        listener(req, res)
      })
    }
    const elapsed = performance.now() - start
    resume = undefined
    if (handled !== exchanges.length || exchanges.some(({ res }) => res.statusCode !== 200)) {
      throw new Error('a good token was refused')
    }
    return (elapsed * 1000) / exchanges.length
  })
}

async function differences(rounds: number, measure: (listener: RequestListener) => Promise<number>): Promise<Summary> {
  // The first rounds run in the interpreter.
  for (let round = 0; round < rounds / 10; round++) await measure(guarded)
  const bareTimes: number[] = []
  const guardedTimes: number[] = []
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) bareTimes.push(await measure(bare))
    guardedTimes.push(await measure(guarded))
    if (round % 2 === 1) bareTimes.push(await measure(bare))
  }
  const base = median(bareTimes)
  return summarise(guardedTimes.map((time) => time - base))
}
