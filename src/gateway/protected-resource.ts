/**
 * The gateway as an OAuth protected resource: metadata for each endpoint (RFC 9728), so that clients find out where people sign
 * in, and challenges that lead there (RFC 6750). Nothing here tells which servers there are.
 */
import { challenge } from '../http/challenge.ts'
import type { GateRequest, Reply, ReplyHeaders } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import type { CallerUnavailable, Unauthenticated } from '../identity/caller-problem.ts'
import type { Integration } from '../identity/integration.ts'
import { hasTenants, issuerOfTenant } from '../jwt/registered-claims.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { jsonRpcError } from '../mcp/json-rpc-reply.ts'
import type { RequestId } from '../mcp/messages.ts'
import type { Endpoint, Endpoints } from './endpoints.ts'

/** See the top of the file. */
export interface ProtectedResource {
  /**
   * The answer to a request for metadata; `undefined` for a path that is none of ours, `ambiguous` as of {@link Endpoints}.
   *
   * Each endpoint has a document, whether a server is behind it or not. So has the gateway as a whole, at
   * `/.well-known/oauth-protected-resource`: clients that look there want to know where people sign in. It names the origin,
   * as RFC 9728 §3.3 demands; a token for that is a token for whatever else runs there, and so is good only where an
   * integration's `audience` says so.
   */
  answer(
    request: Pick<GateRequest, 'method'>,
    normalised: Pick<NormalisedRequest, 'path' | 'otherPaths'>,
  ): Reply | 'ambiguous' | undefined
  /**
   * 401 with a challenge (RFC 6750 §3, RFC 9728 §5.1). It says what is wrong with credentials that were sent, and has no
   * `error` where none were.
   */
  unauthenticated(
    endpoint: Pick<Endpoint, 'path'>,
    problem?: Pick<Unauthenticated, 'error' | 'description'>,
    id?: RequestId,
  ): Reply
  /**
   * The challenge of a 403: a token is good for less than what was asked for, which takes `wanted` (RFC 6750 §3.1; MCP, Scope
   * Challenge Handling).
   */
  insufficientScope(endpoint: Pick<Endpoint, 'path'>, wanted: readonly string[] | undefined): ReplyHeaders
  /** 503: nobody can tell at present whether the credentials are good. */
  unavailable(problem: Pick<CallerUnavailable, 'retryAfterMs'>, id?: RequestId): Reply
}

/** What {@link createProtectedResource} works with. */
export interface ProtectedResourceSettings {
  /** The gateway's public origin, `https://gw.example.com`. */
  readonly origin: string
  readonly endpoints: Pick<Endpoints, 'find'>
  /** Where people sign in whose JWTs are accepted: see {@link issuersOf}. */
  readonly issuers: readonly string[]
  /** What clients should ask the authorization server for; its own default otherwise. */
  readonly scopes?: readonly string[]
}

/** RFC 9728 §3: comes between the host and the path of a resource. */
const WELL_KNOWN = '/.well-known/oauth-protected-resource'
/** It changes with the configuration only, and a client that has an old one comes back with the next 401. */
const CACHE = 'public, max-age=60'
const METHODS = 'GET, HEAD, OPTIONS'
/** Public data. Clients in browsers send `mcp-protocol-version` with this request too, so that there is a preflight. */
const CORS: ReplyHeaders = { 'access-control-allow-origin': '*' }
const PREFLIGHT: Reply = {
  status: 204,
  headers: {
    ...CORS,
    'access-control-allow-methods': METHODS,
    'access-control-allow-headers': '*',
    'access-control-max-age': '600',
    allow: METHODS,
  },
}
/** Whether there is a refresh token is between the client and the authorization server. */
const NEVER_ASKED_FOR = 'offline_access'
/** What `error_description` cannot hold (RFC 6750 §3). */
const NOT_IN_DESCRIPTIONS = /[^\x20-\x21\x23-\x5b\x5d-\x7e]/g

/** Metadata and challenges of `settings.endpoints`. */
export function createProtectedResource(settings: ProtectedResourceSettings): ProtectedResource {
  const { origin, endpoints, issuers } = settings
  const scopes = (settings.scopes ?? []).filter((scope) => scope !== NEVER_ASKED_FOR)
  const scope = scopes.length === 0 ? undefined : scopes.join(' ')
  const name = `MCP gateway at ${new URL(origin).host}`

  /** What is at a path: a document, as an object for each request since that is cheap, or nothing. */
  function documentAt(path: string): object | undefined {
    if (path === WELL_KNOWN) return describe(origin, name)
    if (!path.startsWith(`${WELL_KNOWN}/`)) return undefined
    const endpoint = endpoints.find({ path: path.slice(WELL_KNOWN.length), otherPaths: [] })
    return typeof endpoint === 'object' ? describe(endpoint.url, `${endpoint.label} (${name})`) : undefined
  }

  /** RFC 9728 §2. A list without entries is left out (§3.2). */
  function describe(resource: string, resourceName: string): object {
    return {
      resource,
      ...(issuers.length === 0 ? {} : { authorization_servers: issuers }),
      ...(scopes.length === 0 ? {} : { scopes_supported: scopes }),
      bearer_methods_supported: ['header'],
      resource_name: resourceName,
    }
  }

  return {
    answer({ method }, { path, otherPaths }) {
      const document = documentAt(path)
      if (otherPaths.length > 0) {
        return [document, ...otherPaths.map(documentAt)].some((found) => found !== undefined) ? 'ambiguous' : undefined
      }
      if (document === undefined) return undefined
      if (method === 'OPTIONS') return PREFLIGHT
      if (method !== 'GET' && method !== 'HEAD') return { status: 405, headers: { ...CORS, allow: METHODS } }
      const headers = { 'content-type': 'application/json', 'cache-control': CACHE, ...CORS }
      return { status: 200, headers, body: JSON.stringify(document) }
    },

    unauthenticated({ path }, problem, id) {
      const error = problem?.error ?? undefined
      const message = problem?.description ?? 'Authentication is required'
      const parameters = {
        resource_metadata: `${origin}${WELL_KNOWN}${path}`,
        error,
        error_description: error === undefined ? undefined : message.replace(NOT_IN_DESCRIPTIONS, "'"),
        scope,
      }
      const headers = { 'www-authenticate': challenge('Bearer', parameters) }
      return jsonRpcError(401, GatewayCode.UNAUTHENTICATED, message, id, headers)
    },

    insufficientScope({ path }, wanted = []) {
      const named = wanted.filter((each) => each !== NEVER_ASKED_FOR)
      const parameters = {
        resource_metadata: `${origin}${WELL_KNOWN}${path}`,
        error: 'insufficient_scope',
        scope: named.length === 0 ? undefined : named.join(' '),
      }
      return { 'www-authenticate': challenge('Bearer', parameters) }
    },

    unavailable({ retryAfterMs }, id) {
      const seconds = Math.max(1, Math.ceil(retryAfterMs / 1000))
      const message = 'The credentials cannot be checked at present; try again later'
      return jsonRpcError(503, GatewayCode.UNAVAILABLE, message, id, { 'retry-after': String(seconds) })
    },
  }
}

/**
 * The issuers of `integrations`, each once. With `{tenantid}` (Microsoft Entra), that of each tenant; where all tenants are
 * accepted, the provider's own name for whichever somebody is of, `common`. Issuers that are no URLs are left out: nobody
 * could find anything there (RFC 8414 §2); and those of integrations that take ID tokens, which clients do not send.
 *
 * @param accepted - names of those whose JWTs are accepted; all by default
 */
export function issuersOf(
  integrations: Readonly<Record<string, Integration>>,
  accepted: readonly string[] = Object.keys(integrations),
): string[] {
  const issuers = Object.entries(integrations)
    // Clients are given access tokens, which such an integration refuses: it would lead them around in circles.
    .filter(([name, { jwtSource }]) => accepted.includes(name) && jwtSource !== 'id_token')
    .flatMap(([, { issuer, tenants = [] }]) =>
      hasTenants(issuer) ? tenants.map((tenant) => tenantIssuer(issuer, tenant === '*' ? 'common' : tenant)) : [issuer],
    )
  return [...new Set(issuers.filter((issuer) => issuer !== undefined).filter(isHttpUrl))]
}

function tenantIssuer(issuer: string, tenant: string): string | undefined {
  return issuerOfTenant(issuer, tenant, [tenant])
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
}
