/**
 * Which pages of the web may talk to the gateway. `Host` against DNS rebinding, where a page's own name comes to point at
 * this machine; `Origin` against pages of others; CORS for those that may (MCP, Transports, Security Warning).
 */
import type { GateRequest, Reply, ReplyHeaders } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { liesOn } from '../match/domains.ts'
import { type HostPattern, parseHostPattern } from '../match/host-pattern.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { jsonRpcError } from '../mcp/json-rpc-reply.ts'
import type { RequestId } from '../mcp/messages.ts'
import { presentable } from '../net/fetch.ts'

/** What {@link createAdmission} works with: parts of a configuration whose hosts and origins have been checked. */
export interface AdmissionSettings {
  /** The gateway's public origin. */
  readonly url: string
  readonly allowedHosts?: readonly string[]
  readonly allowedOrigins?: readonly string[]
}

/** A request that is answered at once. */
export interface Refused {
  readonly kind: 'refused'
  readonly reason: 'host' | 'origin'
  readonly reply: Reply
  /** For the operator. */
  readonly detail: string
}

/** What becomes of a request to an MCP endpoint. */
export type Admitted =
  /** It goes on; `headers` belong on whatever answer it gets (see {@link withHeaders}). */
  | { readonly kind: 'admitted'; readonly headers: ReplyHeaders }
  /** `OPTIONS`: a preflight, or the question which methods there are. */
  | { readonly kind: 'answered'; readonly reply: Reply }
  | Refused

/** See the top of the file. */
export interface Admission {
  /** For whatever the gateway answers: whether the request is for one of its hosts. `undefined` if so. */
  host(normalised: Pick<NormalisedRequest, 'host'>, id?: RequestId): Refused | undefined
  /** For MCP endpoints: host, origin and CORS. Says nothing that depends on the server or the caller. */
  endpoint(
    request: Pick<GateRequest, 'method' | 'headers'>,
    normalised: Pick<NormalisedRequest, 'host'>,
    id?: RequestId,
  ): Admitted
}

/** Names of this machine itself. None of them can be made to point elsewhere. */
const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])

const METHODS = 'GET, POST, DELETE'
/** What clients of all revisions send (MCP, Streamable HTTP), and what is the gateway's own. */
const REQUEST_FIELDS = [
  'accept',
  'authorization',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'traceparent',
  'tracestate',
  'x-tfy-mcp-headers',
]
/** Parameters of tools in fields (2026-07-28, `x-mcp-header`), whose names nobody can know beforehand. */
const PARAMETER_FIELD = /^mcp-param-[!#$%&'*+.^_`|~\w-]{1,128}$/
const MAX_PARAMETER_FIELDS = 64
const EXPOSED_FIELDS = 'mcp-session-id, mcp-protocol-version, www-authenticate, retry-after'
/** In which browsers notice that an origin is no longer allowed, in seconds. */
const MAX_AGE_SECONDS = '600'

/** An origin whose scheme is none of the web's, as desktop applications and browser extensions have: `vscode-webview://abc`. */
const OTHER_ORIGIN = /^(?!https?:)[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~-]+(?::\d+)?$/

/** Judges requests by `settings`. */
export function createAdmission(settings: AdmissionSettings): Admission {
  const { url, allowedHosts = [], allowedOrigins = [] } = settings
  const own = new URL(url)
  const isLoopback = LOOPBACK.has(own.hostname)
  const hosts = [own.hostname, ...(isLoopback ? LOOPBACK : []), ...allowedHosts].map(toHost)
  const exactHosts = new Set(hosts.filter(({ wildcard }) => !wildcard).map(({ name }) => name))
  const wildcardHosts = hosts.filter(({ wildcard }) => wildcard)
  const origins = new Set([own.origin, ...allowedOrigins])
  if (isLoopback) for (const name of LOOPBACK) origins.add(own.origin.replace(own.hostname, () => name))

  const isOurs = (name: string) =>
    exactHosts.has(name) || wildcardHosts.some((pattern) => liesOn(pattern, { name, wildcard: false }))

  function host({ host: name }: Pick<NormalisedRequest, 'host'>, id?: RequestId): Refused | undefined {
    if (isOurs(name)) return undefined
    // RFC 9110 §15.5.20. A proxy that does not pass `Host` on is the usual cause, and the status points there.
    const reply = jsonRpcError(421, GatewayCode.FOREIGN_ORIGIN, 'This host is not served here', id)
    const detail = `the host ${JSON.stringify(name.slice(0, 255))} is neither that of url nor among allowedHosts`
    return { kind: 'refused', reason: 'host', reply, detail }
  }

  return {
    host,
    endpoint({ method, headers }, normalised, id) {
      const foreign = host(normalised, id)
      if (foreign !== undefined) return foreign
      const { origin } = headers
      // Also `null`: a sandboxed frame, a file, or a redirect across origins, which could be anybody's. No list can hold it.
      if (origin !== undefined && !origins.has(origin)) {
        const message = 'Pages of this origin may not call the gateway'
        const reply = jsonRpcError(403, GatewayCode.FOREIGN_ORIGIN, message, id, { vary: 'origin' })
        const detail = `the origin ${JSON.stringify(origin.slice(0, 255))} is neither that of url nor among allowedOrigins`
        return { kind: 'refused', reason: 'origin', reply, detail }
      }
      if (method === 'OPTIONS') return { kind: 'answered', reply: options(origin, headers) }
      return { kind: 'admitted', headers: origin === undefined ? VARY : corsHeaders(origin) }
    },
  }
}

/** An answer with fields of {@link Admitted} on it; of `vary`, both values. */
export function withHeaders(reply: Reply, headers: ReplyHeaders): Reply {
  // Every answer comes by here. What is spread in Node 20 stays until a full collection, with all that it refers to.
  const fields: Record<string, string | readonly string[]> = {}
  for (const name in reply.headers) fields[name] = reply.headers[name] as string | readonly string[]
  for (const name in headers) fields[name] = headers[name] as string | readonly string[]
  if (reply.headers?.vary !== undefined) {
    const before = [reply.headers.vary].flat()
    const added = [headers.vary ?? []].flat().filter((value) => !before.includes(value))
    const vary = [...before, ...added]
    if (vary.length > 0) fields.vary = vary.join(', ')
  }
  const { status, body } = reply
  return body === undefined ? { status, headers: fields } : { status, headers: fields, body }
}

/** What is wrong with one of `allowedHosts`, or `undefined`. */
export function allowedHostProblem(text: string): string | undefined {
  const pattern = parseHostPattern(text)
  if (typeof pattern === 'string') return pattern
  if (pattern.path !== '/') return `"${text}": a host has no path`
  return pattern.port === undefined ? undefined : `"${text}": leave the port out; any port of the host will do`
}

/** What is wrong with one of `allowedOrigins`, or `undefined`. */
export function allowedOriginProblem(text: string): string | undefined {
  if (text === '*' || text === 'null') return `"${text}" stands for anybody; name the origins that may call`
  if (OTHER_ORIGIN.test(text)) return undefined
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || url.origin === 'null' || text.includes('*')) {
    return `"${presentable(text)}" is not an origin, such as "https://app.example.com"`
  }
  return url.origin === text ? undefined : `"${presentable(text)}" is not an origin; did you mean "${url.origin}"?`
}

const VARY: ReplyHeaders = Object.freeze({ vary: 'origin' })

/** Never `access-control-allow-credentials`: no cookie counts at an MCP endpoint. */
function corsHeaders(origin: string): ReplyHeaders {
  return { 'access-control-allow-origin': origin, 'access-control-expose-headers': EXPOSED_FIELDS, ...VARY }
}

function options(origin: string | undefined, headers: GateRequest['headers']): Reply {
  if (origin === undefined) return { status: 204, headers: { allow: `${METHODS}, OPTIONS`, ...VARY } }
  return {
    status: 204,
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': METHODS,
      'access-control-allow-headers': [...REQUEST_FIELDS, ...parameterFields(headers)].join(', '),
      'access-control-max-age': MAX_AGE_SECONDS,
      allow: `${METHODS}, OPTIONS`,
      vary: 'origin, access-control-request-headers',
    },
  }
}

function parameterFields(headers: GateRequest['headers']): string[] {
  const wanted = headers['access-control-request-headers'] ?? ''
  const names = wanted
    .toLowerCase()
    .split(',', 4 * MAX_PARAMETER_FIELDS)
    .map((name) => name.trim())
  return [...new Set(names.filter((name) => PARAMETER_FIELD.test(name)))].slice(0, MAX_PARAMETER_FIELDS)
}

function toHost(text: string): Pick<HostPattern, 'name' | 'wildcard'> {
  const pattern = parseHostPattern(text)
  if (typeof pattern === 'string') throw new TypeError(pattern)
  return pattern
}
