/**
 * Two servers under load in turn: a pair of slices gives one ratio, so that a machine that gets slower or busier hits both
 * sides alike. The figure is the median of many pairs.
 */
import type { ChildServer } from './child.ts'
import type { Load } from './load.ts'
import { median, quantile, type Summary, summarise } from './stats.ts'

/** A server that is up, and the load for it. */
export interface Running {
  readonly server: ChildServer
  readonly load: Load
}

/** What one server did in one slice, or in the median of all. */
export interface Side {
  readonly requestsPerSecond: number
  /** CPU time of the server's process per request, all threads. */
  readonly cpuUsPerRequest: number
  /** CPU time of the server's process over wall time: about 1 or more, if the server was the bottleneck. */
  readonly utilisation: number
  /** The same of the load generator; its one thread must stay well under 1. */
  readonly clientUtilisation: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** One server beside another. */
export interface Pairs {
  /** Requests per second, other / base. */
  readonly ratio: Summary
  /** CPU time per request, base / other: hardly moved by what else the machine does. */
  readonly cpuRatio: Summary
  /** How much longer the other one takes, in milliseconds: the median, and the slowest request of a hundred. */
  readonly addedMsP50: Summary
  readonly addedMsP99: Summary
  readonly base: Side
  readonly other: Side
}

/** What the servers did, pair by pair. */
export interface Slices {
  readonly base: readonly Side[]
  readonly other: readonly Side[]
}

export async function comparePairs(base: Running, other: Running, pairs: number, sliceMs: number): Promise<Pairs> {
  return summarisePairs([await runPairs(base, other, pairs, sliceMs)])
}

export async function runPairs(base: Running, other: Running, pairs: number, sliceMs: number): Promise<Slices> {
  const before: Side[] = []
  const after: Side[] = []
  for (let pair = 0; pair < pairs; pair++) {
    // The order alternates, so that a machine that gets slower does not always hit the same side.
    if (pair % 2 === 0) before.push(await slice(base, sliceMs))
    after.push(await slice(other, sliceMs))
    if (pair % 2 === 1) before.push(await slice(base, sliceMs))
  }
  return { base: before, other: after }
}

/** The pairs of several runs as those of one. */
export function summarisePairs(runs: readonly Slices[]): Pairs {
  const before = runs.flatMap(({ base }) => base)
  const after = runs.flatMap(({ other }) => other)
  const each = (compare: (base: Side, other: Side) => number): Summary =>
    summarise(after.map((side, pair) => compare(before[pair]!, side)))
  return {
    ratio: each((base, other) => other.requestsPerSecond / base.requestsPerSecond),
    cpuRatio: each((base, other) => base.cpuUsPerRequest / other.cpuUsPerRequest),
    addedMsP50: each((base, other) => other.p50Ms - base.p50Ms),
    addedMsP99: each((base, other) => other.p99Ms - base.p99Ms),
    base: medianSide(before),
    other: medianSide(after),
  }
}

async function slice({ server, load }: Running, durationMs: number): Promise<Side> {
  const serverBefore = await server.cpuUs()
  const clientBefore = process.cpuUsage()
  const { requests, seconds, latenciesMs, busy } = await load.run(durationMs)
  const client = process.cpuUsage(clientBefore)
  const serverUs = (await server.cpuUs()) - serverBefore
  return {
    requestsPerSecond: requests / seconds,
    cpuUsPerRequest: serverUs / requests,
    utilisation: serverUs / 1e6 / seconds,
    clientUtilisation: busy ?? (client.user + client.system) / 1e6 / seconds,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
  }
}

function medianSide(sides: readonly Side[]): Side {
  const of = (field: keyof Side): number => median(sides.map((side) => side[field]))
  return {
    requestsPerSecond: of('requestsPerSecond'),
    cpuUsPerRequest: of('cpuUsPerRequest'),
    utilisation: of('utilisation'),
    clientUtilisation: of('clientUtilisation'),
    p50Ms: of('p50Ms'),
    p99Ms: of('p99Ms'),
  }
}
