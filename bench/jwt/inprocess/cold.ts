/**
 * Tokens never seen before, one after the other: the guard (routing, verification, claims, cache) against the
 * verification alone of jose and fast-jwt. All verify the same tokens, in rounds whose order rotates.
 */
import { createPublicKey } from 'node:crypto'
import { createVerifier } from 'fast-jwt'
import { createLocalJWKSet, createRemoteJWKSet, type JWTVerifyGetKey, jwtVerify } from 'jose'
import { contextFromParent, done } from '../../lib/child.ts'
import { type Summary, summarise } from '../../lib/stats.ts'
import { createSigner, publicJwk } from '../../lib/tokens.ts'
import { AUDIENCE, type Context, guardConfig } from '../context.ts'
import { mustPass, readyGuard, settle, tokenRequest } from './gate.ts'

export interface Cold {
  /** jose's time with a remote key set over ours: over 1 means that the guard is faster. */
  readonly vsJose: Summary
  /** The same against jose with a key set in memory. */
  readonly vsJoseLocal: Summary
  /** jose's time (remote key set) over fast-jwt's. */
  readonly fastJwtVsJose: Summary
  /** Median microseconds per token. */
  readonly us: Readonly<Record<Contender, number>>
}

type Contender = 'sallyport' | 'jose' | 'joseLocal' | 'fastJwt'

const context = contextFromParent<Context>()
const { rounds, tokensPerRound } = context.quick
  ? { rounds: 16, tokensPerRound: 50 }
  : { rounds: 48, tokensPerRound: 100 }
const { issuer, jwksUri, rs256, es256 } = context

const guard = await readyGuard(guardConfig(context))

const checks = { issuer, audience: AUDIENCE, algorithms: ['RS256'] }
const remote = createRemoteJWKSet(new URL(jwksUri))
const local = createLocalJWKSet({ keys: [publicJwk(rs256), publicJwk(es256)] as never })
const pem = createPublicKey({ key: publicJwk(rs256), format: 'jwk' }).export({ format: 'pem', type: 'spki' }) as string
const fastJwt = createVerifier({
  key: async () => pem,
  algorithms: ['RS256'],
  allowedIss: issuer,
  allowedAud: AUDIENCE,
  cache: false,
})

/** Prepares a round outside the clock and returns what is timed. */
const contenders: Readonly<Record<Contender, (tokens: readonly string[]) => () => Promise<void>>> = {
  sallyport: (tokens) => {
    const requests = tokens.map(tokenRequest)
    return async () => {
      for (const request of requests) mustPass(await guard.handle(request))
    }
  },
  jose: (tokens) => verifyAll(tokens, remote),
  joseLocal: (tokens) => verifyAll(tokens, local),
  fastJwt: (tokens) => async () => {
    for (const token of tokens) await fastJwt(token)
  },
}
const names = Object.keys(contenders) as Contender[]

const sign = createSigner(rs256, issuer, AUDIENCE)
const times: Record<Contender, number[]> = { sallyport: [], jose: [], joseLocal: [], fastJwt: [] }
/** The compiler takes its time: after 300 tokens half of what runs is still interpreted, after 3,000 next to nothing. */
const WARMUP_ROUNDS = 30
for (let round = -WARMUP_ROUNDS; round < rounds; round++) {
  const tokens = Array.from({ length: tokensPerRound }, () => sign())
  for (let turn = 0; turn < names.length; turn++) {
    const name = names[(turn + round + WARMUP_ROUNDS) % names.length]!
    const timed = contenders[name](tokens)
    settle()
    const start = performance.now()
    await timed()
    if (round >= 0) times[name].push(((performance.now() - start) * 1000) / tokensPerRound)
  }
}
await guard.close()

const over = (above: Contender, below: Contender): Summary =>
  summarise(times[above].map((time, round) => time / times[below][round]!))
const us = Object.fromEntries(names.map((name) => [name, summarise(times[name]).median])) as Record<Contender, number>
const cold: Cold = {
  vsJose: over('jose', 'sallyport'),
  vsJoseLocal: over('joseLocal', 'sallyport'),
  fastJwtVsJose: over('jose', 'fastJwt'),
  us,
}
done(cold)

function verifyAll(tokens: readonly string[], keys: JWTVerifyGetKey): () => Promise<void> {
  return async () => {
    for (const token of tokens) await jwtVerify(token, keys, checks)
  }
}
