/**
 * Verifies JWTs against integrations. jose checks signatures; what is decided here
 * is which token is looked at, with which keys, and when a good signature need not
 * be checked again.
 */
import { compactVerify, errors } from 'jose'
import type { Clock } from '../core/clock.ts'
import { deepFreeze } from '../core/freeze.ts'
import { type CompactJwt, type HeaderCache, type JwtHeader, parseCompactJwt } from './compact.ts'
import type { VerificationKey } from './jwk.ts'
import { type KeySet, KeysUnavailable } from './key-set.ts'
import {
  type Resource,
  signedProblem,
  type TokenExpectations,
  type TokenProblem,
  tokenProblem,
  withOwnTexts,
} from './registered-claims.ts'
import {
  isRefusedUnder,
  type KeySetRefusal,
  type SignatureCache,
  type SignedToken,
  signedUnder,
  type TokenIdentity,
  tailOf,
} from './signature-cache.ts'

/** An identity provider as the verifier sees it. */
export interface TokenIntegration {
  readonly name: string
  readonly keySet: KeySet
  readonly expected: TokenExpectations
  /** Who the claims speak of. Called while the signature is being checked, so it may take a few microseconds. */
  identify(claims: Readonly<Record<string, unknown>>): TokenIdentity
}

/** What verification found. */
export type Verification =
  | { readonly kind: 'good'; readonly signed: SignedToken; readonly integration: TokenIntegration }
  | { readonly kind: 'bad'; readonly problem: TokenProblem }
  /** The keys cannot be had at present: 503. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number; readonly integration: TokenIntegration }

/**
 * Verifies `token` against `integrations`, of which one must accept it. At once where the signature is known to be good.
 *
 * @param resource - what the token is used for, as an audience for integrations that take it (`takesResource`); judged on every call
 */
export type TokenVerifier = (
  token: string,
  integrations: readonly TokenIntegration[],
  resource?: Resource,
) => Verification | Promise<Verification>

/** A signature check under way. */
interface Check {
  readonly token: string
  readonly found: Promise<SignedToken | TokenProblem>
}

/** Keys tried for a token that names none. */
const MAX_KEYS_TRIED = 8

const HAND_OVER_TURNS = 8

const MALFORMED = {
  kind: 'bad',
  problem: { reason: 'malformed', detail: 'the token is not a JWT in compact form' },
} as const

/** A verifier with `cache`. */
export function createTokenVerifier(cache: SignatureCache, clock: Clock): TokenVerifier {
  const headers: HeaderCache = new Map()
  /** Signature checks under way by the end of the token, so that one that arrives ten times at once is checked once. */
  const underWay = new Map<KeySet, Map<string, Check>>()

  /** By the cache alone: `undefined` where that does not decide. */
  function verifyKnown(
    token: string,
    integrations: readonly TokenIntegration[],
    resource: Resource | undefined,
  ): Verification | undefined {
    const now = clock.now()
    const remembered = cache.find(token)
    if (remembered === undefined) return undefined
    let verification: Verification | undefined
    for (const integration of integrations) {
      const { keySet, expected } = integration
      const signed = signedUnder(keySet, remembered)
      if ((signed === undefined && !isRefusedUnder(keySet, remembered)) || !keySet.settled(now)) {
        // It may be this one's, and must not count as a later one's because that has met it before.
        if (tokenProblem(remembered.header, remembered.payload, expected, now, resource) === undefined) return undefined
        continue
      }
      if (signed === undefined) continue
      const problem = signedProblem(signed, expected, now, resource)
      if (problem === undefined) return { kind: 'good', signed, integration }
      if (problem.reason === 'expired') cache.delete(token)
      verification ??= { kind: 'bad', problem }
    }
    return integrations.length === 1 ? verification : undefined
  }

  function verifyUnknown(
    token: string,
    integrations: readonly TokenIntegration[],
    resource: Resource | undefined,
  ): Verification | Promise<Verification> {
    const jwt = parseCompactJwt(token, headers)
    if (jwt === undefined) return MALFORMED
    const [only] = integrations
    return only !== undefined && integrations.length === 1
      ? verifyAgainst(token, jwt, only, resource)
      : verifyAgainstSeveral(token, jwt, integrations, resource)
  }

  async function verifyAgainstSeveral(
    token: string,
    jwt: CompactJwt,
    integrations: readonly TokenIntegration[],
    resource: Resource | undefined,
  ): Promise<Verification> {
    let verification: Verification | undefined
    const refusals: KeySetRefusal[] = []
    for (const integration of integrations) {
      const { keySet } = integration
      // Before it is asked: keys that come meanwhile may not have been tried.
      const { version } = keySet
      const found = await verifyAgainst(token, jwt, integration, resource)
      if (found.kind === 'good') {
        if (refusals.length > 0) rememberRefusals(found.signed, refusals)
        return found
      }
      if (found.kind === 'bad' && isOfKeys(found.problem)) refusals.push({ keySet, version })
      if (verification === undefined || outranks(found, verification)) verification = found
    }
    return verification ?? MALFORMED
  }

  async function verifyAgainst(
    token: string,
    jwt: CompactJwt,
    integration: TokenIntegration,
    resource: Resource | undefined,
  ): Promise<Verification> {
    const { keySet, expected } = integration
    const { header } = jwt
    try {
      let check: Promise<SignedToken | TokenProblem> | undefined
      if (keySet.settled(clock.now()) && hasKeyFor(header, integration)) {
        // Nothing has to be fetched, so the costly part begins first, on another thread, and parsing goes on beside it.
        check = checkSignatureOnce(token, jwt, keySet)
        await handedOver(check)
      }
      if (jwt.body === undefined) return MALFORMED
      // No fetching and no waiting for a token that is turned away by what it says of itself.
      const early = tokenProblem(header, jwt.body.claims, expected, clock.now(), resource)
      if (early !== undefined) return { kind: 'bad', problem: early }
      const identity = integration.identify(jwt.body.claims)
      deepFreeze(withOwnTexts(jwt.body.claims, expected))
      if (check === undefined) {
        if (!keySet.settled(clock.now())) await keySet.settle()
        check = checkSignatureOnce(token, jwt, keySet)
      }
      const signed = await check
      if (!('token' in signed)) return { kind: 'bad', problem: signed }
      const problem = signedProblem(signed, expected, clock.now(), resource)
      if (problem !== undefined) return { kind: 'bad', problem }
      // Only what is good in all respects is remembered: tokens for others, or of yesterday, must not push it out.
      signed.identity ??= { by: integration, ...identity }
      return { kind: 'good', signed: cache.get(token, keySet) ?? cache.set(signed, jwt.body.bytes), integration }
    } catch (error) {
      if (error instanceof KeysUnavailable)
        return { kind: 'unavailable', retryAfterMs: error.retryAfterMs, integration }
      throw error
    }
  }

  function checkSignatureOnce(token: string, jwt: CompactJwt, keySet: KeySet): Promise<SignedToken | TokenProblem> {
    let checks = underWay.get(keySet)
    if (checks === undefined) {
      checks = new Map()
      underWay.set(keySet, checks)
    }
    const tail = tailOf(token)
    const before = checks.get(tail)
    if (before?.token === token) return before.found
    const found = checkSignature(token, jwt, keySet, checks)
    checks.set(tail, { token, found })
    return found
  }

  async function checkSignature(
    token: string,
    jwt: CompactJwt,
    keySet: KeySet,
    checks: Map<string, Check>,
  ): Promise<SignedToken | TokenProblem> {
    const { alg, kid } = jwt.header
    let keys = keySet.find(kid, alg)
    let key: VerificationKey | undefined
    try {
      key = await signingKey(token, alg, keys)
      // A key that nobody knows yet, or a provider that rotates without naming its keys.
      if (key === undefined && (keys.length === 0 || kid === undefined) && (await keySet.lookAgain(kid))) {
        keys = keySet.find(kid, alg)
        key = await signingKey(token, alg, keys)
      }
    } finally {
      // Another token may end alike, and its check have begun later.
      if (checks.get(tailOf(token))?.token === token) checks.delete(tailOf(token))
    }
    if (keys.length === 0) {
      return {
        reason: 'unknown_key',
        detail: `no ${alg} key ${kid === undefined ? 'at all' : JSON.stringify(kid.slice(0, 100))}`,
      }
    }
    if (key === undefined) return { reason: 'signature', detail: 'the signature does not fit' }
    const { header, body } = jwt
    if (body === undefined) return MALFORMED.problem
    return {
      token,
      header,
      payload: deepFreeze(body.claims),
      key,
      keySet,
      identity: undefined,
      derived: undefined,
      refusals: undefined,
    }
  }

  return (token, integrations, resource) =>
    verifyKnown(token, integrations, resource) ?? verifyUnknown(token, integrations, resource)
}

/** Beside those that other routes have met. */
function rememberRefusals(signed: SignedToken, refusals: readonly KeySetRefusal[]): void {
  const others = (signed.refusals ?? []).filter((known) => refusals.every(({ keySet }) => keySet !== known.keySet))
  signed.refusals = [...others, ...refusals]
}

/** Whether it is for its keys that a provider refuses a token, and not for what this says. */
function isOfKeys({ reason }: TokenProblem): boolean {
  return reason === 'unknown_key' || reason === 'signature'
}

function hasKeyFor({ alg, kid }: JwtHeader, { keySet, expected }: TokenIntegration): boolean {
  return kid !== undefined && expected.algorithms.has(alg) && keySet.find(kid, alg).length > 0
}

/**
 * Lets a signature check get as far as its thread. jose and WebCrypto take a few microtasks to hand over; should they
 * take more one day, parsing comes first again, and nothing else changes.
 */
async function handedOver(check: Promise<unknown>): Promise<void> {
  // Whether it fails is found out by whoever waits for it; nobody may.
  check.catch(() => {})
  for (let turn = 0; turn < HAND_OVER_TURNS; turn++) await undefined
}

/** The key among `keys` that made the token's signature. */
async function signingKey(
  token: string,
  alg: string,
  keys: readonly VerificationKey[],
): Promise<VerificationKey | undefined> {
  for (const key of keys.slice(0, MAX_KEYS_TRIED)) {
    try {
      await compactVerify(token, await key.cryptoKey(alg), { algorithms: [alg] })
      if (!key.removed) return key
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error
    }
  }
  return undefined
}

/** Of two refusals by two integrations, the one that says more: the token's own provider knows best what is wrong. */
function outranks(found: Verification, before: Verification): boolean {
  if (found.kind === 'unavailable') return before.kind !== 'unavailable'
  return before.kind === 'bad' && before.problem.reason === 'issuer'
}
