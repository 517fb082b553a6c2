/**
 * Remembers that a token's signature was good, and which key made it: the costly
 * part of verification. Everything else (time, issuer, audience, claim rules) is
 * judged again on every request, and so is whether the key is still published.
 *
 * Tokens are found by the end of their signature, which is quicker to hash than
 * 600 characters, and accepted only when they are equal as a whole.
 */
import { LRUCache } from 'lru-cache'
import type { JwtHeader } from './compact.ts'
import type { VerificationKey } from './jwk.ts'
import type { KeySet } from './key-set.ts'

/** Whom a token's claims speak of. */
export interface TokenIdentity {
  readonly subject: string | undefined
  /** See `src/identity`. */
  readonly id: string | undefined
}

/** A token with a good signature. */
export interface SignedToken {
  readonly token: string
  readonly header: JwtHeader
  /** Frozen. */
  readonly payload: Readonly<Record<string, unknown>>
  readonly key: VerificationKey
  readonly keySet: KeySet
  /** What the integration `by` says of the claims. */
  identity: (TokenIdentity & { readonly by: object }) | undefined
  /** What `by` has made of the claims, kept as long as the token is; spares making it for every request. */
  derived: { readonly by: object; readonly value: unknown } | undefined
  /** Key sets of which none has made the signature, though the token says that it may be theirs. */
  refusals: readonly KeySetRefusal[] | undefined
}

/** That a token is not signed by a key of `keySet`, as this was at `version`. */
export interface KeySetRefusal {
  readonly keySet: KeySet
  readonly version: number
}

/** What is remembered of one token: under each key set of which a key has made its signature. */
export interface RememberedToken extends SignedToken {
  /** The same under another key set. */
  readonly next: RememberedToken | undefined
}

/** See the top of the file. */
export interface SignatureCache {
  /** Whatever is remembered of a token. */
  find(token: string): RememberedToken | undefined
  get(token: string, keySet: KeySet): SignedToken | undefined
  /** Remembers a token; what is remembered. */
  set(signed: SignedToken, payloadBytes: number): SignedToken
  delete(token: string): void
  readonly size: number
}

/** Bounds of the cache. */
export interface CacheBounds {
  /** 0 switches the cache off. */
  readonly maxEntries: number
  readonly maxBytes: number
}

/** 72 bits of a signature. A slice of 13 characters or more would be a view into the token, which V8 hashes more slowly. */
const TAIL = 12
/** Measured (`npm run bench -- jwt`): the entry, its objects and the cache's own bookkeeping. */
const ENTRY_OVERHEAD_BYTES = 700
/** Parsed JSON takes a multiple of its text: objects, strings and numbers have headers. */
const PARSED_FACTOR = 4

/** A cache within `bounds`; the least recently used tokens go first. */
export function createSignatureCache(bounds: CacheBounds): SignatureCache {
  /** While there is room nothing goes, and the order of use, which costs a request 2 % of its time, need not be kept. */
  let hasRoom = true
  const entries =
    bounds.maxEntries === 0 || bounds.maxBytes === 0
      ? undefined
      : new LRUCache<string, RememberedToken>({ max: bounds.maxEntries, maxSize: bounds.maxBytes })

  function find(token: string): RememberedToken | undefined {
    const entry = hasRoom ? entries?.peek(tailOf(token)) : entries?.get(tailOf(token))
    if (entry === undefined || entry.token !== token) return undefined
    if (!entry.key.removed) return entry
    // All of it: what is good still is remembered anew.
    entries?.delete(tailOf(token))
    return undefined
  }

  return {
    find,
    get: (token, keySet) => signedUnder(keySet, find(token)),
    set(signed, payloadBytes) {
      if (entries === undefined) return signed
      const others = without(signed.keySet, find(signed.token))
      const token = others?.token ?? copyOf(signed.token)
      const kept = remembered(signed, token, others)
      const size = (ENTRY_OVERHEAD_BYTES + token.length + payloadBytes * PARSED_FACTOR) * lengthOf(kept)
      entries.set(tailOf(token), kept, { size })
      hasRoom = entries.size < bounds.maxEntries / 2 && entries.calculatedSize < bounds.maxBytes / 2
      return kept
    },
    delete(token) {
      if (entries?.peek(tailOf(token))?.token === token) entries.delete(tailOf(token))
    },
    get size() {
      return entries?.size ?? 0
    },
  }
}

/** What is remembered of a token under `keySet`. */
export function signedUnder(keySet: KeySet, token: RememberedToken | undefined): SignedToken | undefined {
  for (let each = token; each !== undefined; each = each.next) {
    if (each.keySet === keySet) return each.key.removed ? undefined : each
  }
  return undefined
}

/** Whether it is known that no key which `keySet` has now has made the signature. */
export function isRefusedUnder(keySet: KeySet, token: RememberedToken): boolean {
  for (let each: RememberedToken | undefined = token; each !== undefined; each = each.next) {
    if (each.refusals?.some((refusal) => refusal.keySet === keySet && refusal.version === keySet.version)) return true
  }
  return false
}

function without(keySet: KeySet, token: RememberedToken | undefined): RememberedToken | undefined {
  if (token === undefined) return undefined
  const next = without(keySet, token.next)
  if (token.keySet === keySet || token.key.removed) return next
  // The same object where it can be: `derived` may be set later.
  return next === token.next ? token : remembered(token, token.token, next)
}

/** Written out: a spread object with one more member takes 360 bytes more. */
function remembered(signed: SignedToken, token: string, next: RememberedToken | undefined): RememberedToken {
  const { header, payload, key, keySet, identity, derived, refusals } = signed
  return { token, header, payload, key, keySet, identity, derived, refusals, next }
}

function lengthOf(token: RememberedToken | undefined): number {
  return token === undefined ? 0 : 1 + lengthOf(token.next)
}

/** What tokens are found by: nearly unique, and quicker to hash than the whole. */
export function tailOf(token: string): string {
  return token.slice(-TAIL)
}

/** A token is cut from a header field, say all cookies, and V8 would keep the whole of it for the sake of the slice. */
function copyOf(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1')
}
