/**
 * What an open event stream costs in memory: silent streams through the gateway and through the bare proxy, opened in
 * steps, each step weighed after full collections. The slope over the steps is what one more stream costs.
 */
import { connect, type Socket } from 'node:net'
import { type ChildServer, type Memory, startServer } from '../lib/child.ts'
import { type Summary, summarise } from '../lib/stats.ts'
import { CALLERS, type Caller, requestBytes, requestHeaders, type Suite } from './context.ts'
import type { Seen } from './servers/fixed.ts'
import { openSessions } from './sessions.ts'
import { contextOf, createCallers, startGateway } from './throughput.ts'

export interface Streams {
  readonly streams: number
  /** Kilobytes of RSS and external memory that a stream costs through the gateway beyond the bare proxy. */
  readonly kbBeyondProxy: Summary
  /** Kilobytes for each stream, medians of the rounds. */
  readonly gateway: Kilobytes
  readonly bareProxy: Kilobytes
}

export interface Kilobytes {
  readonly rss: Summary
  readonly heapUsed: Summary
  readonly external: Summary
}

type Slope = Memory

/** Throws if a stream is refused, does not arrive, or breaks. */
export async function weighStreams(suite: Suite): Promise<Streams> {
  const { streams, step, rounds } = suite.quick
    ? { streams: 1000, step: 250, rounds: 1 }
    : { streams: 2000, step: 250, rounds: 3 }
  const gateway: Slope[] = []
  const bareProxy: Slope[] = []
  for (let round = 0; round < rounds; round++) {
    bareProxy.push(await weigh('bare-proxy', streams, step, suite))
    gateway.push(await weigh('gateway', streams, step, suite))
  }
  const beyond = gateway.map((slope, round) => rssAndExternal(slope) - rssAndExternal(bareProxy[round]!))
  return {
    streams,
    kbBeyondProxy: summarise(beyond.map((bytes) => bytes / 1024)),
    gateway: kilobytes(gateway),
    bareProxy: kilobytes(bareProxy),
  }
}

/** New processes each time: a heap that has been larger would have room for streams that cost nothing then. */
async function weigh(way: 'gateway' | 'bare-proxy', streams: number, step: number, suite: Suite): Promise<Slope> {
  const callers = createCallers(suite)
  const servers: ChildServer[] = []
  const sockets: Socket[] = []
  try {
    const upstream = await startServer(new URL('./servers/fixed.js', import.meta.url), [], null)
    servers.push(upstream)
    let server: ChildServer
    if (way === 'gateway') server = await startGateway(upstream, suite, servers)
    else {
      server = await startServer(new URL('./servers/bare-proxy.js', import.meta.url), [], contextOf(upstream, suite))
      servers.push(server)
    }
    const sessions = await openSessions(server.port, callers)
    const weighed: { readonly streams: number; readonly memory: Memory }[] = []
    while (sockets.length < streams) {
      await openStreams(server.port, sockets, step, callers, sessions)
      const { streams: arrived } = await upstream.ask<Seen>('seen')
      if (arrived !== sockets.length) throw new Error(`${way}: ${arrived} of ${sockets.length} streams have arrived`)
      weighed.push({ streams: sockets.length, memory: await server.memory() })
    }
    const slope = (of: (memory: Memory) => number): number =>
      leastSquares(weighed.map(({ streams, memory }) => [streams, of(memory)]))
    return {
      rss: slope(({ rss }) => rss),
      heapUsed: slope(({ heapUsed }) => heapUsed),
      external: slope(({ external }) => external),
    }
  } finally {
    for (const socket of sockets) socket.destroy()
    for (const server of servers.reverse()) await server.stop()
  }
}

async function openStreams(
  port: number,
  sockets: Socket[],
  count: number,
  callers: readonly Caller[],
  sessions: readonly string[],
): Promise<void> {
  for (let opened = 0; opened < count; opened += CALLERS) {
    const some = callers.slice(0, Math.min(CALLERS, count - opened))
    const next = some.map(({ number, token }) => {
      const headers = { ...requestHeaders(token, sessions[number]), accept: 'text/event-stream' }
      return openStream(port, requestBytes('GET', `127.0.0.1:${port}`, headers))
    })
    sockets.push(...(await Promise.all(next)))
  }
}

/** Comes back when the head of the answer is there. */
function openStream(port: number, request: Buffer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    let head = ''
    socket.once('connect', () => socket.write(request))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`a stream at port ${port} was closed`)))
    socket.on('data', (chunk) => {
      if (head.includes('\r\n\r\n')) return
      head += chunk.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      if (/^HTTP\/1.1 200 .*\r\ncontent-type: text\/event-stream/is.test(head)) resolve(socket)
      else reject(new Error(`a stream at port ${port} was refused: ${head}`))
    })
  })
}

/** The slope of the line that fits best. */
function leastSquares(points: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(points.map(([at]) => at))
  const y = mean(points.map(([, value]) => value))
  const over = points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0)
  return over / points.reduce((sum, [at]) => sum + (at - x) ** 2, 0)
}

function rssAndExternal({ rss, external }: Slope): number {
  return rss + external
}

function kilobytes(slopes: readonly Slope[]): Kilobytes {
  const of = (field: keyof Slope): Summary => summarise(slopes.map((slope) => slope[field] / 1024))
  return { rss: of('rss'), heapUsed: of('heapUsed'), external: of('external') }
}
