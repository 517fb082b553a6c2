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
}

/** See the top of the file. */
export interface SignatureCache {
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
      : new LRUCache<string, SignedToken>({ max: bounds.maxEntries, maxSize: bounds.maxBytes })
  return {
    get(token, keySet) {
      const entry = hasRoom ? entries?.peek(tailOf(token)) : entries?.get(tailOf(token))
      if (entry === undefined || entry.token !== token || entry.keySet !== keySet) return undefined
      if (!entry.key.removed) return entry
      entries?.delete(tailOf(token))
      return undefined
    },
    set(signed, payloadBytes) {
      if (entries === undefined) return signed
      const size = ENTRY_OVERHEAD_BYTES + signed.token.length + payloadBytes * PARSED_FACTOR
      const token = copyOf(signed.token)
      const kept = { ...signed, token }
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

/** What tokens are found by: nearly unique, and quicker to hash than the whole. */
export function tailOf(token: string): string {
  return token.slice(-TAIL)
}

/** A token is cut from a header field, say all cookies, and V8 would keep the whole of it for the sake of the slice. */
function copyOf(token: string): string {
  return Buffer.from(token, 'latin1').toString('latin1')
}
