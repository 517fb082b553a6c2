/** Makes integrations of their configuration: expectations on tokens, and the key set, shared where it is the same. */
import type { Clock } from '../core/clock.ts'
import { FetchError } from '../core/errors.ts'
import { ALGORITHMS } from '../jwt/algorithms.ts'
import { claimAt } from '../jwt/claim-rules.ts'
import { isJwkSet } from '../jwt/jwk.ts'
import { createKeySet, type KeySet, type KeySetEvent, type KeySetTimes, type LoadKeys } from '../jwt/key-set.ts'
import { hasTenants, isIssuerOf, issuerOfTenant, type TokenExpectations } from '../jwt/registered-claims.ts'
import type { TokenIntegration } from '../jwt/token-verifier.ts'
import { type Fetch, fetchJson, isSecureUrl, presentable } from '../net/fetch.ts'
import { discoverServer } from '../oauth/metadata.ts'
import { identityId } from './identity.ts'
import type { Integration } from './integration.ts'
import { integrationFetch } from './integration-fetch.ts'

/** What came of fetching the keys at `source`: `jwksUri` or `metadataUrl`, whichever is configured, without its query, else the issuer. */
export type KeyReport = KeySetEvent & { readonly source: string }

/** A JWK set or a metadata document is a few KiB. */
const MAX_DOCUMENT_BYTES = 512 * 1024
/** RFC 7517 §8.5: a key set has a type of its own, which some servers know it by alone. */
const KEY_SET_TYPES = 'application/json, application/jwk-set+json'
/** Anybody can make up key ids, and metadata that names another place for the keys is not read again more often for that. */
const METADATA_PAUSE_MS = 300_000

/** The integrations by name. `fetch` is the user's own, in place of `globalThis.fetch`. */
export function createIntegrations(
  configured: Readonly<Record<string, Integration>>,
  fetch: Fetch | undefined,
  clock: Clock,
  report: (event: KeyReport) => void,
): Map<string, TokenIntegration> {
  const known = new Map<string, KeySet>()
  return new Map(
    Object.entries(configured).map(([name, integration]) => {
      const { jwksUri, metadataUrl, issuer, keys = {} } = integration
      const source = jwksUri ?? metadataUrl ?? issuer
      // Two integrations of one provider, say for two audiences, share its keys and what these have verified.
      const identity = JSON.stringify([keySource(integration), keys])
      let found = known.get(identity)
      if (found === undefined) {
        const own = integrationFetch(integration, fetch)
        const load = keyLoader(integration, own, clock)
        const tell = (event: KeySetEvent) => report({ ...event, source: withoutQuery(source) })
        found = createKeySet(load, clock, keySetTimes(integration), tell)
        known.set(identity, found)
      }
      return [name, toLive(name, integration, found)]
    }),
  )
}

/**
 * What `integration` asks of a token of the kind `source`. An ID token is for the client (OpenID Connect Core §2), also
 * where the integration judges access tokens, which are for an API.
 */
export function expectationsFor(integration: Integration, source: 'access_token' | 'id_token'): TokenExpectations {
  const { issuer, tenants = [], audience, audienceClaim, jwtSource = 'access_token', oauth2 } = integration
  const common = {
    issuer,
    ...(hasTenants(issuer) ? { tenants } : {}),
    algorithms: new Set(integration.algorithms ?? ALGORITHMS),
    clockToleranceSeconds: integration.clockToleranceSeconds ?? 5,
    source,
  }
  if (source === 'id_token' && jwtSource !== 'id_token') {
    return { ...common, audiences: oauth2 === undefined ? [] : [oauth2.clientId] }
  }
  return {
    ...common,
    audiences: audience === null ? null : [audience].flat(),
    ...(audienceClaim === undefined ? {} : { audienceClaim }),
  }
}

/** The issuer of somebody with these claims: that of their tenant, or `undefined` where it is not allowed in. */
export function expectedIssuer(
  { issuer, tenants = [] }: Integration,
  claims: Readonly<Record<string, unknown>>,
): string | undefined {
  return hasTenants(issuer) ? issuerOfTenant(issuer, claims.tid, tenants) : issuer
}

/** Whether somebody of `issuer` is still let in by the integration: one tenant of several may have been taken out. */
export function letsIn({ issuer: own, tenants = [] }: Integration, issuer: string): boolean {
  return isIssuerOf(own, issuer, tenants)
}

/** Says where the keys of an integration come from: of two that say the same, a signature that is good for one is good for both. */
export function keySource({ jwksUri, metadataUrl, issuer, allowInsecureHttp = false }: Integration): string {
  return JSON.stringify([jwksUri ?? [metadataUrl, issuer], allowInsecureHttp])
}

/** The groups that `claims` name: those of a list, or one in a text; none for anything else. */
export function groupsOf(
  { groupsClaim = 'groups' }: Integration,
  claims: Readonly<Record<string, unknown>>,
): readonly string[] {
  return [claimAt(claims, groupsClaim)].flat().filter((group) => typeof group === 'string')
}

function toLive(name: string, integration: Integration, keySet: KeySet): TokenIntegration {
  const subjectClaims = [integration.subjectClaim ?? 'sub'].flat()
  return {
    name,
    keySet,
    identify(claims) {
      // Claims mean something within their issuer only: another tenant's `sub` is another person's.
      const issuer = expectedIssuer(integration, claims)
      const parts = subjectClaims.map((claim) => claims[claim])
      if (issuer === undefined || !parts.every((part) => typeof part === 'string')) {
        return { subject: undefined, id: undefined }
      }
      // Joined parts could be cut in two ways: in the name that a grant says, a colon within a part is escaped.
      const subject = parts.length === 1 ? parts.join() : parts.map(escapePart).join(':')
      return { subject, id: identityId(issuer, parts.length === 1 ? subject : JSON.stringify(parts)) }
    },
    expected: expectationsFor(integration, integration.jwtSource ?? 'access_token'),
  }
}

function escapePart(part: string): string {
  return part.replaceAll('%', '%25').replaceAll(':', '%3A')
}

/** A query may hold a key, and must not be told. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '')
}

/** Fetches the JWK set, finding out where it is first if the configuration does not say. */
function keyLoader(integration: Integration, fetch: Fetch, clock: Clock): LoadKeys {
  const { issuer, jwksUri, metadataUrl, keys = {}, allowInsecureHttp } = integration
  const limits = { timeoutMs: keys.timeoutMs ?? 5_000, maxBytes: MAX_DOCUMENT_BYTES }
  const options = metadataUrl === undefined ? {} : { metadataUrl, issuerInDocument: issuer }
  const { ceilingMs } = keySetTimes(integration)
  let known: { readonly uri: string; readonly readAt: number } | undefined
  /** The keys were not where they are said to be: they may have moved. */
  let failed = false
  let askedAt = Number.NEGATIVE_INFINITY

  const fetchKeys = (uri: string) => fetchJson(fetch, uri, limits, KEY_SET_TYPES)

  /** A clock that is set back makes what it was older, not younger. */
  function isOlder(since: number, ms: number): boolean {
    const age = clock.now() - since
    return age < 0 || age >= ms
  }

  function isAddressDue(found: { readonly readAt: number }, looking: boolean): boolean {
    if (failed) return true
    return isOlder(askedAt, METADATA_PAUSE_MS) && (looking || isOlder(found.readAt, ceilingMs))
  }

  async function discover(): Promise<string> {
    askedAt = clock.now()
    const uri = (await discoverServer(issuer, fetch, limits, options)).jwksUri
    if (uri === undefined) throw new FetchError(`the metadata of ${presentable(issuer)} names no jwks_uri`)
    if (!isSecureUrl(uri) && allowInsecureHttp !== true)
      throw new FetchError(`the jwks_uri of ${presentable(issuer)} is not https`)
    return uri
  }

  /** Where the keys are. While the metadata cannot be had, where they were. */
  async function address(looking: boolean): Promise<{ readonly uri: string; readonly readAt: number }> {
    const before = known
    if (before === undefined) return { uri: await discover(), readAt: clock.now() }
    if (!isAddressDue(before, looking)) return before
    return discover().then(
      (uri) => ({ uri, readAt: clock.now() }),
      () => before,
    )
  }

  return async (looking) => {
    if (jwksUri !== undefined) return fetchKeys(jwksUri)
    const found = await address(looking)
    failed = true
    const document = await fetchKeys(found.uri)
    // What is no key set is refused by whoever reads it.
    if (isJwkSet(document)) {
      known = found
      failed = false
    }
    return document
  }
}

function keySetTimes({ keys = {} }: Integration): KeySetTimes {
  const { maxAgeSeconds = 600, ceilingSeconds = 21_600 } = keys
  return {
    refreshMs: maxAgeSeconds * 800,
    staleMs: maxAgeSeconds * 1_000,
    ceilingMs: ceilingSeconds * 1_000,
    backoffMs: 1_000,
    maxBackoffMs: 60_000,
    lookMs: 1_000,
    maxLookMs: 10_000,
  }
}
