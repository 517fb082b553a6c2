/**
 * Requests to upstream servers that answer in streams: connections are reused, nothing is followed elsewhere, headers must
 * come within a deadline, and a stream may be silent for as long as it likes unless a limit says otherwise.
 */
import { Agent, type Dispatcher } from 'undici'
import type { AbortSource } from '../http/gate.ts'
import { type ExchangesUnderWay, type GivenUp, startExchange, type UpstreamAnswer } from './exchange.ts'
import { createSlots } from './slots.ts'
import { createSweep } from './sweep.ts'
import { UpstreamError } from './upstream-error.ts'

/** One request. */
export interface UpstreamRequest {
  /** Not changed afterwards: what is made of it is kept. */
  readonly url: URL
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | undefined
  /** Aborts the request, and the stream of its answer. */
  readonly signal?: AbortSource
  /** Whether the answer is a stream without an end, which then does not take a connection from the other requests. */
  readonly lasting?: boolean
}

/** Times and bounds, in milliseconds and bytes. */
export interface UpstreamLimits {
  /** For a connection to be there. */
  readonly connectMs: number
  /** From the request to the headers of its answer; waiting for a free connection counts. 0 for no limit. Up to a second more where it is ten or longer. */
  readonly headersMs: number
  /** Between two pieces of an answer; 0 for no limit, since event streams are silent for long. */
  readonly silenceMs: number
  /** Connections to one origin; each request that waits for headers or streams holds one. */
  readonly connections: number
  /** Connections to one origin for `lasting` requests; as many as are asked for by default. */
  readonly lastingConnections?: number
  /** How long {@link Upstreams.close} lets requests under way go on; 5,000 by default, 0 for not at all. */
  readonly drainMs?: number
}

/** Sends requests to upstream servers. */
export interface Upstreams {
  /** @throws UpstreamError */
  send(request: UpstreamRequest): Promise<UpstreamAnswer>
  /** Lets requests under way end for a while, breaks off those that do not, and closes the connections, unless they are somebody else's. */
  close(): Promise<void>
}

/** What is made of a URL. */
interface Place {
  readonly origin: string
  readonly path: string
  readonly givenUp: GivenUp
}

const DRAIN_MS = 5_000
const SWEEP_MS = 1_000

/** Upstreams with `limits`, through `dispatcher` where one is given (a proxy, a test). */
export function createUpstreams(limits: UpstreamLimits, dispatcher?: Dispatcher): Upstreams {
  const { headersMs, silenceMs } = limits
  // Streams without an end have connections of their own: a few hundred of them would leave none for calls.
  const forCalls = dispatcher ?? agent(limits, limits.connections)
  const forStreams = dispatcher ?? agent(limits, limits.lastingConnections ?? null)
  const underWay: ExchangesUnderWay = createSlots()
  const sweep = createSweep(underWay.all, SWEEP_MS)
  let closed: Promise<void> | undefined
  const places = new WeakMap<URL, Place>()

  function placeOf(url: URL): Place {
    const known = places.get(url)
    if (known !== undefined) return known
    const place = { origin: url.origin, path: url.pathname + url.search, givenUp: { count: 0 } }
    places.set(url, place)
    return place
  }

  async function close(): Promise<void> {
    const breakOff = () => {
      for (const exchange of underWay.all())
        exchange.fail(new UpstreamError('closing', 'the upstreams are being closed'))
    }
    const { drainMs = DRAIN_MS } = limits
    if (drainMs === 0) breakOff()
    // One that was given is somebody else's.
    if (dispatcher !== undefined) return
    // A stream without an end would be waited for without an end. Destroying the agents does not reach those under way.
    const timer = setTimeout(breakOff, drainMs)
    await Promise.all([forCalls.close(), forStreams.close()])
    clearTimeout(timer)
  }

  return {
    send({ url, method, headers, body, signal, lasting }) {
      const { origin, path, givenUp } = placeOf(url)
      const options = {
        origin,
        path,
        method,
        headers,
        body: body ?? null,
        headersTimeout: headersMs,
        bodyTimeout: silenceMs,
      }
      const settings = { headersMs, sweep, signal, underWay, givenUp }
      return startExchange(lasting === true ? forStreams : forCalls, options, settings)
    },
    async close() {
      closed ??= close()
      await closed
    },
  }
}

function agent({ connectMs, headersMs, silenceMs }: UpstreamLimits, connections: number | null): Agent {
  return new Agent({
    connections,
    pipelining: 1,
    connect: { timeout: connectMs },
    headersTimeout: headersMs,
    bodyTimeout: silenceMs,
  })
}
