/**
 * Who the client is when a reverse proxy stands in between. `X-Forwarded-*` count
 * only from peers inside `trustProxy`; everybody else can write what they like there.
 */
import { isIP } from 'node:net'
import { type Networks, plainAddress } from '../core/networks.ts'
import type { GateRequest } from './gate.ts'
import { headerLines } from './header-scan.ts'

/** The client's side of a request, seen through trusted proxies. */
export interface ClientView {
  /** The client's address. */
  readonly address: string
  /** Whether the client spoke TLS. */
  readonly secure: boolean
  /** The `Host` that the client asked for, where the proxy tells. */
  readonly host: string | undefined
}

/**
 * The client as seen by this server.
 *
 * `X-Forwarded-For` is walked from the right to the first address that is not a
 * trusted proxy. `X-Forwarded-Proto` and `-Host` must be unanimous.
 *
 * @returns `undefined` when trusted proxies contradict each other or wrote what is not an address.
 */
export function clientView(request: GateRequest, trusted: Networks | undefined): ClientView | undefined {
  const { address, encrypted } = request.peer
  if (trusted === undefined || !trusted.has(address)) return { address, secure: encrypted, host: undefined }

  const client = clientAddress(list(request, 'x-forwarded-for'), address, trusted)
  const proto = unanimous(list(request, 'x-forwarded-proto').map((value) => value.toLowerCase()))
  const host = unanimous(list(request, 'x-forwarded-host'))
  if (client === undefined || proto === null || host === null) return undefined
  if (proto !== undefined && !/^(?:https?|wss?)$/.test(proto)) return undefined
  return { address: client, secure: proto === undefined ? encrypted : proto === 'https' || proto === 'wss', host }
}

function clientAddress(hops: readonly string[], peer: string, trusted: Networks): string | undefined {
  let client = peer
  for (const hop of hops.toReversed()) {
    const address = plainAddress(withoutPort(hop))
    if (isIP(address) === 0) return undefined
    client = address
    if (!trusted.has(address)) break
  }
  return client
}

/** `203.0.113.7:4711` and `[2001:db8::1]:4711`, as some load balancers write them. */
function withoutPort(hop: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop
}

/** The comma-separated values of a header over all of its lines. */
function list(request: GateRequest, name: string): string[] {
  return headerLines(request.rawHeaders, name)
    .flatMap((line) => line.split(','))
    .map((value) => value.trim())
    .filter((value) => value !== '')
}

/** The one value that all agree on; `undefined` for none, `null` for a contradiction. */
function unanimous(values: readonly string[]): string | undefined | null {
  const distinct = new Set(values)
  if (distinct.size > 1) return null
  return values[0]
}
