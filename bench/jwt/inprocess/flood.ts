/** A flood of bad tokens beside good ones: nothing may grow, the key set is hardly fetched, every good token passes. */
import { randomBytes } from 'node:crypto'
import { contextFromParent, done } from '../../lib/child.ts'
import { quantile } from '../../lib/stats.ts'
import { createSigner } from '../../lib/tokens.ts'
import { AUDIENCE, type Context, guardConfig } from '../context.ts'
import { bytesInUse, mustPass, readyGuard, tokenRequest } from './gate.ts'

export interface Flood {
  /** In each of two floods: a quarter each of wrong signatures, unknown key ids, expired tokens and garbage. */
  readonly badTokens: number
  /** What they were answered. 503 goes to unknown key ids while too many others wait for the next fetch of the key set. */
  readonly answers: { readonly 401: number; readonly 503: number }
  /** Bytes in use after the second flood, less before it: the first one has brought all code and buffers into being. */
  readonly growthBytes: number
  /** Key set fetches during both floods. */
  readonly jwksFetches: number
  /** Good tokens tried during the first flood; all were let through, else the suite fails. */
  readonly good: { readonly warm: number; readonly fresh: number }
  /** Milliseconds until a good token never seen before is through, one at a time. */
  readonly freshMs: { readonly calm: Latency; readonly flooded: Latency }
}

interface Latency {
  readonly p50: number
  readonly p99: number
}

const CONCURRENCY = 32
const KINDS: readonly (() => string)[] = [
  () => withoutSignature(sign()),
  () => withoutSignature(sign({ kid: randomBytes(8).toString('hex') })),
  () => sign({ lifetimeSeconds: -3600 }),
  () => randomBytes(300).toString('base64url'),
]
const UNKNOWN_KEY = 1

const context = contextFromParent<Context>()
const badTokens = context.quick ? 4000 : 20_000
const { es256, issuer } = context
const answers = { 401: 0, 503: 0 }
const sign = createSigner(es256, issuer, AUDIENCE)
const guard = await readyGuard(guardConfig(context))
const warmToken = sign()
mustPass(await guard.handle(tokenRequest(warmToken)))

let warm = 0
for (let index = 0; index < 100; index++) await tryGood()
const calm: number[] = []
for (let index = 0; index < 500; index++) calm.push(await tryGood())

const fetchesBefore = await jwksFetches()
const flooded: number[] = []
warm = 0
let raging = true
const first = flood(prepare()).finally(() => {
  raging = false
})
while (raging) {
  flooded.push(await tryGood())
  await new Promise((resolve) => setImmediate(resolve))
}
await (await first).held

const second = prepare()
const bytesBefore = await bytesInUse()
await (await flood(second)).held
const growthBytes = (await bytesInUse()) - bytesBefore

const found: Flood = {
  badTokens,
  answers,
  growthBytes,
  jwksFetches: (await jwksFetches()) - fetchesBefore,
  good: { warm, fresh: flooded.length },
  freshMs: { calm: latency(calm), flooded: latency(flooded) },
}
await guard.close()
done(found)

/** A warm token and one never seen before; the milliseconds that the latter took. */
async function tryGood(): Promise<number> {
  mustPass(await guard.handle(tokenRequest(warmToken)))
  warm += 1
  const request = tokenRequest(sign())
  const start = performance.now()
  mustPass(await guard.handle(request))
  return performance.now() - start
}

/**
 * Sends bad tokens, {@link CONCURRENCY} at a time. One with an unknown key id may be held until the key set is fetched
 * again; the flood does not wait for it, no more than an attacker with many connections would. Returns when all others
 * are answered, with a promise of the rest.
 */
async function flood(tokens: readonly Buffer[]): Promise<{ readonly held: Promise<unknown> }> {
  const held: Promise<void>[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < tokens.length) {
      const index = next++
      const answered = sendBad(tokens[index]!.toString('latin1'))
      if (index % KINDS.length === UNKNOWN_KEY) held.push(answered)
      else await answered
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
  return { held: Promise.all(held) }
}

async function sendBad(token: string): Promise<void> {
  const outcome = await guard.handle(tokenRequest(token))
  const status = outcome.kind === 'reply' ? outcome.reply.status : outcome.kind
  // 503: too many unknown key ids wait already.
  if (status !== 401 && status !== 503) throw new Error(`a bad token was answered with ${status}: ${token}`)
  answers[status] += 1
}

/** Bad tokens as bytes outside the heap. */
function prepare(): Buffer[] {
  return Array.from({ length: badTokens }, (_, index) => Buffer.from(KINDS[index % KINDS.length]!(), 'latin1'))
}

function withoutSignature(token: string): string {
  return `${token.slice(0, token.lastIndexOf('.'))}.${randomBytes(64).toString('base64url')}`
}

async function jwksFetches(): Promise<number> {
  return Number(await (await fetch(`${issuer}/fetches`)).text())
}

function latency(samples: readonly number[]): Latency {
  return { p50: quantile(samples, 0.5), p99: quantile(samples, 0.99) }
}
