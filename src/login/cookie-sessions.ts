/**
 * Sessions that live in their cookies: sealed, in pieces where they are long. They
 * need no store, end when their token does, and cannot be ended from afar.
 */
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import { type CookieChunk, chunkCookie, joinChunks, staleChunks } from '../http/cookie-chunks.ts'
import { readCookie } from '../http/cookies.ts'
import { cookieNames } from '../http/set-cookie.ts'
import type { Places } from './places.ts'
import { jsonOf, type SessionPlace, type Sessions, type SessionTokens } from './session.ts'

/** What cookie sessions work with. */
export interface CookieSessionSettings {
  readonly sealer: Sealer
  readonly places: Places
  readonly clock: Clock
  readonly absoluteMs: number
  /** `undefined` for what is no session (any more). */
  readTokens(value: unknown): SessionTokens | undefined
}

const CHUNK_BYTES = 3_800
/** Node refuses requests with more than 16 KiB of headers, and then nobody gets to sign out either. */
const MAX_CHUNKS = 3
/** A ticket with it has to fit into a URL, beside where the person wants to go. */
const MAX_HANDLE_WITH_ID_TOKEN = 2_700
/** More are not ours. Proxies limit the header fields of answers too. */
const MAX_CLEARED = 10

/** See the top of the file. */
export function createCookieSessions(settings: CookieSessionSettings): Sessions {
  const { sealer, places, clock, absoluteMs, readTokens } = settings
  const nameFor = ({ integration }: SessionPlace) => places.cookie(integration)
  const sealedPlace = ({ origin, integration }: SessionPlace) => `cookie session ${integration} ${origin}`

  /** The lines that clear the cookies of `name` that are there and not among `used`. */
  function clearing(
    cookieHeader: string | undefined,
    name: string,
    used: readonly string[] = [],
    perhaps: readonly string[] = [],
  ): string[] {
    return staleChunks(name, [...new Set([...perhaps, ...cookieNames(cookieHeader)])], used)
      .slice(0, MAX_CLEARED)
      .map(places.clearCookie)
  }

  async function read(cookieHeader: string | undefined, place: SessionPlace): Promise<SessionTokens | undefined> {
    const value = joinChunks(nameFor(place), (name) => readCookie(cookieHeader, name))
    if (value === undefined) return undefined
    try {
      return parse((await sealer.openText(value, sealedPlace(place))).plaintext, place)
    } catch {
      // Truncated, forged, of another origin, or of a key that is gone.
      return undefined
    }
  }

  function parse(text: string, place: SessionPlace): SessionTokens | undefined {
    const tokens = readTokens(jsonOf(text))
    if (tokens?.integration !== place.integration || endOf(tokens) <= clock.now()) return undefined
    return tokens
  }

  function endOf({ expiresAt, startedAt }: SessionTokens): number {
    return Math.min(expiresAt, startedAt + absoluteMs)
  }

  /** @throws RangeError for a session that is too long for cookies. */
  async function chunksOf(tokens: SessionTokens, name: string, place: SessionPlace): Promise<CookieChunk[]> {
    const sealedText = await sealer.sealText(JSON.stringify(tokens), sealedPlace(place))
    try {
      return chunkCookie(name, sealedText, CHUNK_BYTES, MAX_CHUNKS)
    } catch (error) {
      if (!(error instanceof RangeError) || tokens.idToken === undefined) throw error
      return chunksOf(withoutIdToken(tokens), name, place)
    }
  }

  function handleFor(tokens: SessionTokens): string {
    const handle = JSON.stringify(tokens)
    return handle.length > MAX_HANDLE_WITH_ID_TOKEN ? JSON.stringify(withoutIdToken(tokens)) : handle
  }

  async function cookiesFor(
    tokens: SessionTokens,
    place: SessionPlace,
    cookieHeader: string | undefined,
  ): Promise<string[]> {
    const name = nameFor(place)
    const chunks = await chunksOf(tokens, name, place)
    const maxAgeSeconds = Math.max(1, Math.ceil((endOf(tokens) - clock.now()) / 1000))
    const used = chunks.map((chunk) => chunk.name)
    return [
      ...chunks.map((chunk) => places.setCookie(chunk.name, chunk.value, maxAgeSeconds)),
      // Answers that cross can leave what was not there when the request began.
      ...clearing(cookieHeader, name, used, [name, `${name}.0`]),
    ]
  }

  /** What must be kept: nothing here uses the access token, and nothing may use the refresh token without a store. */
  function lean({ accessToken: _, refreshToken: __, ...rest }: SessionTokens): SessionTokens {
    return rest
  }

  return {
    async find(cookieHeader, place) {
      const tokens = await read(cookieHeader, place)
      if (tokens !== undefined) return { kind: 'session', tokens, cookies: [] }
      const cookies = clearing(cookieHeader, nameFor(place))
      return { kind: 'none', ended: cookies.length > 0, cookies }
    },
    async begin(tokens, place, cookieHeader) {
      const kept = lean(tokens)
      return { cookies: await cookiesFor(kept, place, cookieHeader), handle: handleFor(kept) }
    },
    async nameOf(cookieHeader, place) {
      const tokens = await read(cookieHeader, place)
      return tokens && JSON.stringify([tokens.providerSubject, tokens.startedAt])
    },
    async handleOf(cookieHeader, place) {
      const tokens = await read(cookieHeader, place)
      return tokens && handleFor(tokens)
    },
    async adopt(handle, place, cookieHeader) {
      const tokens = parse(handle, place)
      return tokens && { cookies: await cookiesFor(tokens, place, cookieHeader), tokens }
    },
    async end(cookieHeader, place) {
      return { tokens: await read(cookieHeader, place), cookies: clearing(cookieHeader, nameFor(place)) }
    },
    ready: async () => {},
    close: async () => {},
  }
}

/** It only spares a question at the provider's sign-out, and says again what the claims say. */
function withoutIdToken({ idToken: _, ...rest }: SessionTokens): SessionTokens {
  return rest
}
