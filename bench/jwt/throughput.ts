/**
 * Unprotected against protected servers, two at a time: load goes to one of them at a time in interleaved pairs, and each
 * pair gives one ratio.
 */
import { startServer } from '../lib/child.ts'
import { openLoad } from '../lib/load.ts'
import { type Running, runPairs, type Side, type Slices, summarisePairs } from '../lib/pairs.ts'
import type { Summary } from '../lib/stats.ts'
import { createSigner } from '../lib/tokens.ts'
import { AUDIENCE, type Context, requestHeaders, TARGET } from './context.ts'

const PEERS = {
  express: ['express-oauth2-jwt-bearer', 'express-jwt'],
  koa: ['koa-jwt'],
  fastify: ['@fastify/jwt', '@fastify/jwt (cache)'],
  node: [],
} as const satisfies Record<string, readonly string[]>

export type Framework = keyof typeof PEERS
export const FRAMEWORKS = Object.keys(PEERS) as readonly Framework[]

const CONNECTIONS = 32
const WARM_TOKENS = 64

/** What one protected server did beside the unprotected one. */
export interface Comparison {
  readonly framework: Framework
  readonly variant: string
  /** Requests per second, protected / unprotected. */
  readonly ratio: Summary
  /** CPU time per request, unprotected / protected: hardly moved by what else the machine does. */
  readonly cpuRatio: Summary
  readonly unprotected: Side
  readonly protected: Side
}

/** Throws if a server answers wrongly: a figure for such a server would mean nothing. */
export async function compareFramework(framework: Framework, context: Context): Promise<Comparison[]> {
  const timing = context.quick
    ? { warmupMs: 600, sliceMs: 100, launches: 1, ourPairs: 21, peerPairs: 7 }
    : { warmupMs: 1500, sliceMs: 60, launches: 10, ourPairs: 30, peerPairs: 61 }
  const { warmupMs, sliceMs } = timing
  const sign = createSigner(context.rs256, context.issuer, AUDIENCE)
  const tokens = Array.from({ length: WARM_TOKENS }, () => sign())
  const requests = tokens.map(requestBytes)

  /** Starts an unprotected and a protected server and runs pairs of slices. */
  async function launch(variant: string, pairs: number): Promise<Slices> {
    const running: Running[] = []
    try {
      for (const each of ['unprotected', variant]) {
        const server = await startServer(new URL(`./servers/${framework}.js`, import.meta.url), [each], context)
        running.push({ server, load: await openLoad(server.port, requests, CONNECTIONS, { awake: true }) })
        await checkAnswers(framework, each, server.port, tokens[0]!)
      }
      for (const { load } of running) await load.run(warmupMs)
      return await runPairs(running[0]!, running[1]!, pairs, sliceMs)
    } finally {
      for (const { server, load } of running) {
        load.close()
        await server.stop()
      }
    }
  }

  const comparisons: Comparison[] = []
  for (const variant of ['sallyport', ...PEERS[framework]]) {
    const ours = variant === 'sallyport'
    const runs: Slices[] = []
    // How a process happens to lie in memory is worth a few per cent, so ours, which is nearest to 1, gets several.
    for (let launched = 0; launched < (ours ? timing.launches : 1); launched++) {
      runs.push(await launch(variant, ours ? timing.ourPairs : timing.peerPairs))
    }
    const { ratio, cpuRatio, base, other } = summarisePairs(runs)
    comparisons.push({ framework, variant, ratio, cpuRatio, unprotected: base, protected: other })
  }
  return comparisons
}

/** The same bytes for every server, the unprotected one included. */
function requestBytes(token: string): Buffer {
  const head = requestHeaders(token).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`GET ${TARGET} HTTP/1.1\r\n${head.join('')}\r\n`, 'latin1')
}

async function checkAnswers(framework: string, variant: string, port: number, token: string): Promise<void> {
  const ask = async (authorization?: string): Promise<number> => {
    const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
    const response = await fetch(`http://127.0.0.1:${port}${TARGET}`, { headers })
    await response.arrayBuffer()
    return response.status
  }
  const middle = token.length - 40
  const broken = `${token.slice(0, middle)}${token[middle] === 'A' ? 'B' : 'A'}${token.slice(middle + 1)}`
  const statuses = { good: await ask(`Bearer ${token}`), broken: await ask(`Bearer ${broken}`), none: await ask() }
  const refused = (status: number): boolean => status === 401 || status === 403
  const right =
    variant === 'unprotected'
      ? Object.values(statuses).every((status) => status === 200)
      : statuses.good === 200 && refused(statuses.broken) && refused(statuses.none)
  if (!right) throw new Error(`${framework} with ${variant} answers wrongly: ${JSON.stringify(statuses)}`)
}
