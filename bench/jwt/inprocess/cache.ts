/** Very many distinct good tokens: what the verified-token cache keeps of them, and what that costs in memory. */
import type { Gate } from 'sallyport'
import { contextFromParent, done } from '../../lib/child.ts'
import { createSigner } from '../../lib/tokens.ts'
import { AUDIENCE, type Context, guardConfig } from '../context.ts'
import { bytesInUse, mustPass, readyGuard, tokenRequest } from './gate.ts'

export interface Cache {
  readonly tokens: number
  readonly tokenBytes: number
  /** One that is too small for all tokens, one that holds them. */
  readonly budgets: readonly Budget[]
}

export interface Budget {
  readonly bytesConfigured: number
  /** Heap and external memory with the guard and after all tokens, less without, both after full collections. */
  readonly bytesUsed: number
  readonly insideBytes: boolean
  /** Of the tokens, how many are let through at once afterwards, newest first. */
  readonly entriesKept: number
  readonly bytesPerEntry: number
}

const MIB = 1024 * 1024
const CONCURRENCY = 16
/** Brings a token with a short ES256 signature to 600 bytes. */
const CLAIMS = {
  name: 'Somebody With A. Name',
  email: 'somebody.with.a.name@engineering.example.com',
  groups: ['engineering', 'dev-orders', 'on-call'],
  tenant: '4f2b8c1e-9a7d-4c51-8d0e',
}

const context = contextFromParent<Context>()
const count = context.quick ? 10_000 : 100_000
const sign = createSigner(context.es256, context.issuer, AUDIENCE)
const store = signAll()
await tryBudget(count / 100, 200)
const cache: Cache = {
  tokens: count,
  tokenBytes: Math.round(store.ends[count]! / count),
  budgets: [await tryBudget((count * 64) / 100_000), await tryBudget((count * 256) / 100_000)],
}
done(cache)

/** All tokens in one buffer, outside the heap that is measured. */
function signAll(): { bytes: Buffer; ends: Uint32Array } {
  const bytes = Buffer.alloc(count * (sign({ claims: CLAIMS }).length + 24))
  const ends = new Uint32Array(count + 1)
  for (let index = 0, end = 0; index < count; index++) {
    end += bytes.write(sign({ claims: CLAIMS }), end, 'latin1')
    ends[index + 1] = end
  }
  return { bytes, ends }
}

function tokenAt(index: number): string {
  return store.bytes.toString('latin1', store.ends[index], store.ends[index + 1])
}

async function tryBudget(mebibytes: number, tokens = count): Promise<Budget> {
  const bytesConfigured = Math.round(mebibytes * MIB)
  const before = await bytesInUse()
  const tokenCache = { maxEntries: 2 * count, maxBytes: bytesConfigured }
  const guard = await readyGuard({ ...guardConfig(context), tokenCache })
  await verifyAll(guard, tokens)
  const bytesUsed = (await bytesInUse()) - before
  const entriesKept = countKept(guard, tokens)
  await guard.close()
  return {
    bytesConfigured,
    bytesUsed,
    insideBytes: bytesUsed <= bytesConfigured,
    entriesKept,
    bytesPerEntry: Math.round(bytesUsed / entriesKept),
  }
}

async function verifyAll(gate: Gate, tokens: number): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < tokens) mustPass(await gate.handle(tokenRequest(tokenAt(next++))))
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, worker))
}

/** A token in the cache is answered at once, any other by a promise. */
function countKept(gate: Gate, tokens: number): number {
  let kept = 0
  let missed = 0
  for (let index = tokens - 1; index >= 0 && missed < 100; index--) {
    const outcome = gate.handle(tokenRequest(tokenAt(index)))
    if ('kind' in outcome) kept += 1
    else missed += 1
  }
  return kept
}
