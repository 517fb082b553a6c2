/** Makes integrations of their configuration: expectations on tokens, and the key set, shared where it is the same. */
import type { Clock } from '../core/clock.ts'
import { FetchError } from '../core/errors.ts'
import { identityId } from '../identity/identity.ts'
import { ALGORITHMS } from '../jwt/algorithms.ts'
import { createKeySet, type KeySet, type KeySetEvent, type KeySetTimes } from '../jwt/key-set.ts'
import type { TokenIntegration } from '../jwt/token-verifier.ts'
import { type Fetch, fetchJson, isSecureUrl } from '../net/fetch.ts'
import { discoverServer } from '../oauth/metadata.ts'
import type { Integration } from './config.ts'

/** What came of fetching the keys at `source`: the `jwksUri` without its query, or the issuer. */
export type KeyReport = KeySetEvent & { readonly source: string }

/** A JWK set or a metadata document is a few KiB. */
const MAX_DOCUMENT_BYTES = 512 * 1024

/** The integrations by name. */
export function createIntegrations(
  configured: Readonly<Record<string, Integration>>,
  fetch: Fetch,
  clock: Clock,
  report: (event: KeyReport) => void,
): Map<string, TokenIntegration> {
  const keySets = new Map<string, KeySet>()
  return new Map(
    Object.entries(configured).map(([name, integration]) => {
      const { jwksUri, issuer, keys = {}, allowInsecureHttp = false } = integration
      const source = jwksUri ?? issuer
      // Two integrations of one provider, say for two audiences, share its keys and what these have verified.
      const identity = JSON.stringify([source, jwksUri === undefined, keys, allowInsecureHttp])
      let keySet = keySets.get(identity)
      if (keySet === undefined) {
        keySet = createKeySet(keyLoader(integration, fetch), clock, keySetTimes(integration), (event) =>
          report({ ...event, source: withoutQuery(source) }),
        )
        keySets.set(identity, keySet)
      }
      return [name, toLive(name, integration, keySet)]
    }),
  )
}

function toLive(name: string, integration: Integration, keySet: KeySet): TokenIntegration {
  const { issuer, audience, subjectClaim = 'sub', algorithms = ALGORITHMS } = integration
  return {
    name,
    keySet,
    identify(claims) {
      const subject = claims[subjectClaim]
      return typeof subject === 'string'
        ? { subject, id: identityId(issuer, subject) }
        : { subject: undefined, id: undefined }
    },
    expected: {
      issuer,
      audiences: audience === null ? null : typeof audience === 'string' ? [audience] : audience,
      algorithms: new Set(algorithms),
      clockToleranceSeconds: integration.clockToleranceSeconds ?? 5,
      source: integration.jwtSource ?? 'access_token',
    },
  }
}

/** A query may hold a key, and must not be told. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/s, '')
}

/** Fetches the JWK set, finding out where it is first if the configuration does not say. */
function keyLoader({ issuer, jwksUri, keys = {}, allowInsecureHttp }: Integration, fetch: Fetch) {
  const limits = { timeoutMs: keys.timeoutMs ?? 5_000, maxBytes: MAX_DOCUMENT_BYTES }
  let discovered: string | undefined
  return async (): Promise<unknown> => {
    if (jwksUri !== undefined) return fetchJson(fetch, jwksUri, limits)
    const known = discovered
    // Forgotten until it has proved good once more: the keys may have moved.
    discovered = undefined
    const uri = known ?? (await discoverServer(issuer, fetch, limits)).jwksUri
    if (uri === undefined) throw new FetchError(`the metadata of ${issuer} names no jwks_uri`)
    if (!isSecureUrl(uri) && allowInsecureHttp !== true) throw new FetchError(`the jwks_uri of ${issuer} is not https`)
    const document = await fetchJson(fetch, uri, limits)
    discovered = uri
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
