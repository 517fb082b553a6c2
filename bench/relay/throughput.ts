/** The ways to one upstream, side by side: the gateway, bare proxies, http-proxy, and none at all. */
import { type ChildServer, startServer } from '../lib/child.ts'
import { type Load, openLoad } from '../lib/load.ts'
import { comparePairs, type Pairs } from '../lib/pairs.ts'
import { createSigner } from '../lib/tokens.ts'
import { checkAnswers, checkRefusals, checkTotals, type Way } from './checks.ts'
import {
  ANSWER_TEXT,
  AUDIENCE,
  CALLERS,
  type Caller,
  type Context,
  callBody,
  claimsOf,
  type GatewayContext,
  REQUESTS,
  requestBytes,
  requestHeaders,
  type Suite,
} from './context.ts'
import type { Seen } from './servers/fixed.ts'
import { openSessions } from './sessions.ts'

/** `fixed` answers at once; `sdk` is a server made with the TypeScript SDK 2.x. */
export type Upstream = 'fixed' | 'sdk'
/** The many first: they warm all processes up. */
export const CONNECTIONS = [32, 1] as const
/** A server that takes a millisecond for each request is as warm by then as it will be. */
const MAX_WARM_UP_MS = 20_000
/** What the gateway is compared with. */
export const PEERS = ['bare-proxy', 'streaming-proxy', 'http-proxy', 'direct'] as const
export type Peer = (typeof PEERS)[number]

/** The gateway (`other`) beside a peer (`base`). */
export interface Comparison extends Pairs {
  readonly peer: Peer
  readonly connections: (typeof CONNECTIONS)[number]
}

export interface Throughput {
  readonly comparisons: readonly Comparison[]
  /** Sizes of what is sent. */
  readonly tokenBytes: number
  readonly bodyBytes: number
  readonly requestBytes: number
}

/** Throws if one of the servers answers wrongly. */
export async function compareWays(upstreamKind: Upstream, suite: Suite): Promise<Throughput> {
  const timing = suite.quick
    ? { warmUpRequests: 10_000, sliceMs: 150, pairs: 15, peerPairs: 5 }
    : { warmUpRequests: 30_000, sliceMs: 250, pairs: 41, peerPairs: 15 }
  const callers = createCallers(suite)
  const servers: ChildServer[] = []
  const loads: { readonly way: string; readonly load: Load }[] = []
  try {
    const upstream = await startServer(new URL(`./servers/${upstreamKind}.js`, import.meta.url), [], null)
    servers.push(upstream)
    const ways = await startWays(upstream, upstreamKind, suite, callers, servers)
    const gateway = ways.get('gateway')!
    const direct = ways.get('direct')!
    const before = await upstream.ask<Seen>('seen')
    for (const way of ways.values()) await checkAnswers(way, direct, upstream, callers)
    await checkRefusals(gateway, upstream, callers)

    const host = `127.0.0.1:${gateway.server.port}`
    const expected = Buffer.from(ANSWER_TEXT)
    const comparisons: Comparison[] = []
    for (const connections of CONNECTIONS) {
      const running = new Map<string, { server: ChildServer; load: Load }>()
      for (const [name, { server, sessions }] of ways) {
        const load = await openLoad(server.port, callRequests(callers, sessions, host), connections, { expected })
        loads.push({ way: name, load })
        running.set(name, { server, load })
      }
      for (const { load } of running.values()) await warmUp(load, connections === 1 ? 1_000 : timing.warmUpRequests)
      for (const peer of PEERS) {
        const pairs = peer === 'bare-proxy' ? timing.pairs : timing.peerPairs
        const compared = await comparePairs(running.get(peer)!, running.get('gateway')!, pairs, timing.sliceMs)
        comparisons.push({ peer, connections, ...compared })
      }
    }

    // The warm-up: each way once per caller, and the upstream itself as often again for comparison.
    const checked = callers.length
    const loaded = (of: (way: string) => boolean): number =>
      loads.filter(({ way }) => of(way)).reduce((all, { load }) => all + load.answered(), 0)
    await checkTotals(
      gateway.server,
      upstream,
      before,
      checked + loaded((way) => way === 'gateway'),
      checked * (2 * ways.size - 1) + loaded((way) => way !== 'gateway'),
    )
    const [first] = callRequests(callers, gateway.sessions, host)
    return {
      comparisons,
      tokenBytes: callers[0]!.token.length,
      bodyBytes: Buffer.byteLength(callBody(1000)),
      requestBytes: first!.length,
    }
  } finally {
    for (const { load } of loads) load.close()
    for (const server of servers.reverse()) await server.stop()
  }
}

/** By requests, since a busy machine gets few of them done in any given time and would measure code that is not compiled yet. */
export async function warmUp(load: Load, requests: number): Promise<void> {
  const start = performance.now()
  while (load.answered() < requests && performance.now() - start < MAX_WARM_UP_MS) await load.run(250)
}

/** The nth has signed in as the nth person. */
export function createCallers({ key, issuer }: Suite): Caller[] {
  const sign = createSigner(key, issuer, AUDIENCE)
  return Array.from({ length: CALLERS }, (_, number) => ({ number, token: sign(claimsOf(number)) }))
}

/** Starts an authorization server, which counts from 0, and the gateway before the upstream. */
export async function startGateway(
  upstream: ChildServer,
  suite: Suite,
  servers: ChildServer[],
  members = 0,
): Promise<ChildServer> {
  const authorization = await startServer(new URL('./servers/authorization.js', import.meta.url), [], null)
  servers.push(authorization)
  const context: GatewayContext = {
    ...contextOf(upstream, suite),
    authorizationServer: `http://127.0.0.1:${authorization.port}`,
    members,
  }
  const gateway = await startServer(new URL('./servers/gateway.js', import.meta.url), [], context)
  servers.push(gateway)
  return gateway
}

export function contextOf(upstream: ChildServer, { issuer, jwksUri }: Suite): Context {
  return { issuer, jwksUri, upstream: `http://127.0.0.1:${upstream.port}` }
}

async function startWays(
  upstream: ChildServer,
  kind: Upstream,
  suite: Suite,
  callers: readonly Caller[],
  servers: ChildServer[],
): Promise<Map<string, Way>> {
  const gateway = await startGateway(upstream, suite, servers)
  const ways = new Map<string, Way>()
  const sessions = await openSessions(gateway.port, callers)
  ways.set('gateway', { name: 'gateway', server: gateway, sessions })
  // The fixed upstream does not look at session ids, so all ways get the same bytes.
  const upstreams = kind === 'fixed' ? sessions : await openSessions(upstream.port, callers)
  for (const peer of PEERS) {
    if (peer === 'direct') {
      ways.set(peer, { name: peer, server: upstream, sessions: upstreams })
      continue
    }
    const server = await startServer(new URL(`./servers/${peer}.js`, import.meta.url), [], contextOf(upstream, suite))
    servers.push(server)
    ways.set(peer, { name: peer, server, sessions: upstreams })
  }
  return ways
}

function callRequests(callers: readonly Caller[], sessions: readonly string[], host: string): Buffer[] {
  return Array.from({ length: REQUESTS }, (_, index) => {
    const { number, token } = callers[index % callers.length]!
    return requestBytes('POST', host, requestHeaders(token, sessions[number]), callBody(1000 + index))
  })
}
