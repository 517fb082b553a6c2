/**
 * A request in the one form that decisions are made on. It is made once, before
 * anything is decided; what two parsers could read differently does not get a form at all.
 */
import { type Networks, plainAddress } from '../core/networks.ts'
import { splitAbsoluteForm } from './absolute-form.ts'
import { clientView } from './forwarded.ts'
import type { GateRequest } from './gate.ts'
import { scanHeaders } from './header-scan.ts'
import { canonicalHost } from './host.ts'
import { readPath } from './path.ts'

/** The normalised request. */
export interface NormalisedRequest {
  readonly method: string
  /** Lower case, without port or trailing dot; `''` when the request named none (HTTP/1.0). */
  readonly host: string
  /** Whether the request spells its host so, apart from the port. */
  readonly hostAsSpelled: boolean
  /** The port that the connection came in on. */
  readonly port: number
  readonly path: string
  /** Other readings of the path (see `path.ts`); a route must hold for all of them. */
  readonly otherPaths: readonly string[]
  /** The `Authorization` field, if there is one. */
  readonly authorization: string | undefined
  /** The client's address, seen through trusted proxies. */
  readonly clientAddress: string
  /** Scheme, host and port as the client sees them: `https://app.example.com`. `null` without a host. */
  readonly origin: string | null
}

/** Why a request has no normal form; all are answered 400. */
export type Ambiguity =
  | 'ambiguous_method'
  | 'ambiguous_target'
  | 'ambiguous_host'
  | 'duplicate_header'
  | 'ambiguous_forwarding'

/** Methods tell case apart (RFC 9110 §9.1), and yet many an application takes `post` for `POST`. */
const LOWER_CASE = /[a-z]/

/** The last `Host` value and what it came to; most requests name the one before them. */
export interface HostMemo {
  value: string
  host: string
  asSpelled: boolean
}

/** Brings a request into its normal form, or says why it has none. `trusted` are the reverse proxies to believe. */
export function normalise(
  request: GateRequest,
  trusted?: Networks,
  hosts: HostMemo = { value: '', host: '', asSpelled: true },
): NormalisedRequest | Ambiguity {
  if (LOWER_CASE.test(request.method)) return 'ambiguous_method'
  const headers = scanHeaders(request.rawHeaders)
  if (headers.duplicate !== undefined) return 'duplicate_header'

  let authority = headers.host ?? ''
  let secure: boolean | undefined
  let clientAddress: string | undefined
  if (trusted !== undefined) {
    const client = clientView(request, trusted)
    if (client === undefined) return 'ambiguous_forwarding'
    clientAddress = client.address
    secure = client.secure
    authority = client.host ?? authority
  }
  if (authority !== hosts.value) {
    const host = canonicalHost(authority)
    if (host === undefined) return 'ambiguous_host'
    hosts.value = authority
    hosts.host = host
    hosts.asSpelled = isSpelledAs(authority, host)
  }
  const { host } = hosts

  let target = request.target
  if (target.charCodeAt(0) !== 0x2f) {
    const originForm = toOriginForm(request.method, target, headers.host ?? '')
    if (originForm === undefined) return 'ambiguous_target'
    target = originForm
  }
  const reading = readPath(target)
  if (reading === undefined) return 'ambiguous_target'

  return new Normalised(
    request,
    host,
    hosts.asSpelled,
    authority,
    reading.path,
    reading.others,
    headers.authorization,
    clientAddress,
    secure,
  )
}

/** Whether `authority` is `host`, with a port or without. */
function isSpelledAs(authority: string, host: string): boolean {
  return authority.startsWith(host) && (authority.length === host.length || authority[host.length] === ':')
}

/** The origin-form of an absolute-form or asterisk-form target; the authority in it must be the `Host` (RFC 9112 §3.2.2). */
function toOriginForm(method: string, target: string, hostHeader: string): string | undefined {
  if (target === '*') return method === 'OPTIONS' ? '/' : undefined
  const absolute = splitAbsoluteForm(target)
  return absolute?.authority.toLowerCase() === hostHeader.toLowerCase() ? absolute.originForm : undefined
}

/** Computes on demand what most requests never ask for. */
class Normalised implements NormalisedRequest {
  readonly method: string
  readonly host: string
  readonly hostAsSpelled: boolean
  readonly path: string
  readonly otherPaths: readonly string[]
  readonly authorization: string | undefined
  readonly #request: GateRequest
  readonly #authority: string
  readonly #clientAddress: string | undefined
  readonly #secure: boolean | undefined

  constructor(
    request: GateRequest,
    host: string,
    hostAsSpelled: boolean,
    authority: string,
    path: string,
    otherPaths: readonly string[],
    authorization: string | undefined,
    clientAddress: string | undefined,
    secure: boolean | undefined,
  ) {
    this.#request = request
    this.method = request.method
    this.host = host
    this.hostAsSpelled = hostAsSpelled
    this.path = path
    this.otherPaths = otherPaths
    this.authorization = authorization
    this.#authority = authority
    this.#clientAddress = clientAddress
    this.#secure = secure
  }

  get port(): number {
    return this.#request.localPort
  }

  get clientAddress(): string {
    return this.#clientAddress ?? plainAddress(this.#request.peer.address)
  }

  get origin(): string | null {
    if (this.host === '') return null
    const scheme = (this.#secure ?? this.#request.peer.encrypted) ? 'https' : 'http'
    return new URL(`${scheme}://${this.#authority}`).origin
  }
}
