/**
 * The credential of a call, whichever MCP method it is (G6, G7, G8, G10, G12): what is configured for the server, and on top of
 * it what the caller sends in `x-tfy-mcp-headers`. Whether the caller may use the server has been decided before.
 */
import { type Clock, systemClock } from '../core/clock.ts'
import { isOutage, messageOf, SecretError } from '../core/errors.ts'
import type { SecretResolver } from '../core/secrets.ts'
import { headerLines } from '../http/header-scan.ts'
import type { FoundTokens } from '../store/refresher.ts'
import { bearer, unavailable } from './bearer-credential.ts'
import type { Broker } from './broker.ts'
import { CALLER_HEADERS_FIELD, type CallerHeaderRules, createCallerHeaders } from './caller-headers.ts'
import { consentNeed } from './consent-need.ts'
import type { CredentialRequest, CredentialResult, Credentials } from './credential.ts'
import { grantedCredential } from './granted/credential.ts'
import { createGrantedServers, type GrantedServers } from './granted/servers.ts'
import type { GrantedTokens } from './granted/tokens.ts'
import { createHeaderAuth, type HeaderAuth } from './header-auth.ts'
import { passThrough } from './passthrough.ts'
import { foldFieldName } from './reserved-fields.ts'
import type { UpstreamTokens } from './tokens.ts'
import type { UpstreamAuth } from './upstream-auth.ts'

/** A server, as far as credentials go. */
export interface CredentialServer {
  /** The configured name, `dev/github`. */
  readonly id: string
  readonly url: string
  /** Must have passed `checkUpstreamAuth`. */
  readonly auth: UpstreamAuth
}

/** What {@link createCredentials} works with. A changed configuration makes another one. */
export interface CredentialSettings {
  readonly servers: Iterable<CredentialServer>
  /** Has the same `oauth2` servers. */
  readonly broker: Pick<Broker, 'tokens' | 'connectUrl'>
  /** Those of the configuration before, so that nothing is asked for again because it has changed; new ones by default. */
  readonly granted?: GrantedServers | undefined
  /** What callers may send themselves; `false` for nothing. */
  readonly callerHeaders?: CallerHeaderRules | false | undefined
  readonly secrets?: SecretResolver | undefined
  readonly clock?: Clock | undefined
}

type Headers = Readonly<Record<string, string>>

interface Server {
  readonly auth: UpstreamAuth
  /** Tokens are for no other place than this. */
  readonly at: { readonly url: string }
  readonly header: HeaderAuth | undefined
  readonly granted: GrantedTokens | undefined
}

/** One resolver for all servers and methods. Nothing is looked up yet. */
export function createCredentials(settings: CredentialSettings): Credentials {
  const { broker, secrets, clock = systemClock } = settings
  const readCallerHeaders = createCallerHeaders(settings.callerHeaders)
  const { granted = createGrantedServers({ secrets, clock, fetch: undefined }) } = settings
  const servers = new Map<string, Server>([...settings.servers].map((server) => [server.id, toServer(server)]))

  function toServer({ id, url, auth }: CredentialServer): Server {
    const made = { auth, at: { url }, header: undefined, granted: undefined }
    switch (auth.type) {
      case 'header':
        return { ...made, header: createHeaderAuth(auth, { secrets, clock }) }
      case 'token_exchange':
      case 'identity_assertion':
      case 'client_credentials':
        return { ...made, granted: granted.tokensOf({ id, url, auth }) }
      default:
        return made
    }
  }

  /** What is configured, without the fields that the caller replaces. */
  function configured(
    { auth, at, header, granted: tokens }: Server,
    request: CredentialRequest,
    replaced: ReadonlySet<string>,
  ): CredentialResult | Promise<CredentialResult> {
    switch (auth.type) {
      case 'none':
        return credential('none', {})
      case 'header':
        return fixed(header, request, replaced)
      case 'passthrough': {
        const passed = passThrough(auth, request.caller)
        return passed.kind === 'jwt' ? bearer('passthrough', passed.jwt, undefined, request.server) : passed
      }
      case 'oauth2':
        return connection(request, at)
      default:
        if (tokens === undefined) throw new TypeError(`there are no tokens for "${request.server}"`)
        return grantedCredential({ id: request.server, auth }, tokens, request)
    }
  }

  async function fixed(
    header: HeaderAuth | undefined,
    { principals }: CredentialRequest,
    replaced: ReadonlySet<string>,
  ): Promise<CredentialResult> {
    return credential('header', (await header?.fieldsFor(principals, replaced)) ?? {})
  }

  /** The caller's connection, or what has to be done to have one. */
  function connection(request: CredentialRequest, at: Server['at']): CredentialResult | Promise<CredentialResult> {
    const { caller, server, rejected, challenge } = request
    // All of them are one identity: a connection of one would be everybody's.
    if (caller.kind === 'anonymous') return ANONYMOUS
    const options = rejected === undefined ? at : { ...at, rejected, ...(challenge !== undefined && { challenge }) }
    const found = broker.tokens(caller.identity.id, server, options)
    if (found instanceof Promise) return found.then((later) => ofConnection(request, later))
    return ofConnection(request, found)
  }

  function ofConnection(
    { caller, server }: CredentialRequest,
    found: FoundTokens<UpstreamTokens>,
  ): CredentialResult | Promise<CredentialResult> {
    switch (found.kind) {
      case 'tokens':
        return bearer('oauth2', found.tokens.accessToken, found.stamp, server, found.connection)
      case 'unavailable':
        return unavailable(`no usable token for "${server}" can be had at present`, found.retryAfterMs)
      case 'none':
      case 'revoked':
      case 'reauth_required':
        return consentNeed(broker, caller, server)
    }
  }

  /** With what the caller sends. */
  async function withCallerHeaders(
    server: Server,
    request: CredentialRequest,
    sent: Headers,
  ): Promise<CredentialResult> {
    const names = new Set(Object.keys(sent).map(foldFieldName))
    const needed = server.header?.names ?? AUTHORIZATION
    if (names.size > 0 && isSubset(needed, names)) return credential('caller_headers', sent)
    const result = await configured(server, request, names)
    return result.kind === 'credential' ? { ...result, headers: { ...result.headers, ...sent } } : result
  }

  return {
    resolve(request) {
      const lines = linesOf(request)
      const { members } = request
      const member = members && { server: request.server, members }
      const sent = readCallerHeaders(lines, member)
      if (sent.kind === 'refused') {
        return { kind: 'refused', status: 400, reason: 'caller_headers', message: sent.message }
      }
      const server = servers.get(request.server)
      if (server === undefined) return unavailable(`there is no server "${request.server}" to have a credential for`)
      const found =
        lines.length === 0 ? configured(server, request, NO_NAMES) : withCallerHeaders(server, request, sent.headers)
      return found instanceof Promise ? found.catch(outage) : found
    },
    async ready() {
      const lists = await Promise.all(
        [...servers.values()].map(async ({ header, granted: tokens }) => [
          ...((await header?.missing()) ?? []),
          ...((await tokens?.ready().then(() => [], reasonOf)) ?? []),
        ]),
      )
      const missing = [...new Set(lists.flat())]
      if (missing.length > 0) throw new SecretError(missing.join('; '))
    },
  }
}

const NO_NAMES: ReadonlySet<string> = new Set()

/** Who sends this field needs no other credential, unless the server has fields of its own. */
const AUTHORIZATION: ReadonlySet<string> = new Set(['authorization'])

const ANONYMOUS: CredentialResult = Object.freeze({
  kind: 'refused',
  status: 403,
  reason: 'anonymous',
  message: 'This server is called with an account of your own: bring a gateway key or a JWT',
})

function linesOf({ headers, rawHeaders }: CredentialRequest): readonly string[] {
  const value = headers[CALLER_HEADERS_FIELD]
  if (value === undefined) return []
  // Node joins the lines of a field, and two broken halves may be one whole then.
  const lines = headerLines(rawHeaders ?? [], CALLER_HEADERS_FIELD)
  return lines.length > 0 ? lines : [value].flat()
}

function isSubset(needed: ReadonlySet<string>, names: ReadonlySet<string>): boolean {
  for (const name of needed) if (!names.has(name)) return false
  return true
}

function credential(kind: 'none' | 'header' | 'caller_headers', headers: Headers): CredentialResult {
  return { kind: 'credential', credential: kind, headers, stamp: undefined }
}

/** What a secret is missing for; whatever else it was is for whoever asks. */
function reasonOf(error: unknown): string[] {
  if (error instanceof SecretError) return [error.message]
  throw error
}

function outage(error: unknown): CredentialResult {
  if (isOutage(error)) return unavailable(messageOf(error))
  throw error
}
