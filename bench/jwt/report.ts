/** The suite's findings, as tables for people and as one object for machines. */
import { heading, percent, range, short, spread } from '../lib/format.ts'
import type { Side } from '../lib/pairs.ts'
import { round, type Summary } from '../lib/stats.ts'
import { table } from '../lib/table.ts'
import type { Added } from './inprocess/added.ts'
import type { Cache } from './inprocess/cache.ts'
import type { Cold } from './inprocess/cold.ts'
import type { Flood } from './inprocess/flood.ts'
import type { Routes } from './inprocess/routes.ts'
import type { Comparison } from './throughput.ts'

/** What has been measured; a part that was left out or failed is missing. */
export interface Findings {
  readonly comparisons: Comparison[]
  readonly added?: Added
  readonly cold?: Cold
  readonly routes?: Routes
  readonly cache?: Cache
  readonly flood?: Flood
}

export function forMachines(findings: Findings): object {
  const { comparisons, added, cold, routes, cache, flood } = findings
  return {
    suite: 'jwt',
    ratios: byFramework(comparisons, ({ ratio }) => round(ratio.median)),
    cpuRatios: byFramework(comparisons, ({ cpuRatio }) => round(cpuRatio.median)),
    ...(added && {
      addedUs: {
        warm: short(added.warm),
        warmAlone: short(added.warmAlone),
        warmHandle: short(added.warmHandle),
        cold: short(added.cold),
      },
    }),
    ...(cold && {
      cold: {
        vsJose: short(cold.vsJose),
        vsJoseLocal: short(cold.vsJoseLocal),
        fastJwtVsJose: short(cold.fastJwtVsJose),
      },
    }),
    ...(routes && {
      routes: { x10000over10: short(routes.x10000over10), x10000over10Hot: short(routes.x10000over10Hot) },
    }),
    ...(cache && { cache }),
    ...(flood && { flood }),
    spread: {
      ratios: byFramework(comparisons, ({ ratio }) => spread(ratio)),
      ...(added && {
        addedUs: {
          warm: spread(added.warm),
          warmAlone: spread(added.warmAlone),
          warmHandle: spread(added.warmHandle),
          cold: spread(added.cold),
        },
      }),
      ...(cold && { cold: { vsJose: spread(cold.vsJose) } }),
      ...(routes && { routes: { x10000over10: spread(routes.x10000over10) } }),
    },
    servers: byFramework(comparisons, ({ unprotected, protected: guarded }) => ({
      unprotected: side(unprotected),
      protected: side(guarded),
    })),
  }
}

export function forPeople({ comparisons, added, cold, routes, cache, flood }: Findings): string {
  const sections: string[] = []
  if (comparisons.length > 0) {
    sections.push(
      heading('Requests per second, protected / unprotected, warm tokens'),
      table(
        [
          '',
          'ratio',
          'p10–p90',
          'pairs',
          'by CPU',
          'req/s',
          'unprotected',
          'CPU µs/req',
          'unprotected',
          'server busy',
          'client busy',
        ],
        comparisons.map(({ framework, variant, ratio, cpuRatio, unprotected, protected: guarded }) => [
          `${framework}: ${variant}`,
          ratio.median.toFixed(2),
          range(ratio),
          String(ratio.samples),
          cpuRatio.median.toFixed(2),
          guarded.requestsPerSecond.toFixed(0),
          unprotected.requestsPerSecond.toFixed(0),
          guarded.cpuUsPerRequest.toFixed(1),
          unprotected.cpuUsPerRequest.toFixed(1),
          percent(unprotected.utilisation),
          percent(unprotected.clientUtilisation),
        ]),
      ),
    )
    const heldBack = new Set(comparisons.filter(serverIdled).map(({ framework }) => framework))
    sections.push(...[...heldBack].map((framework) => `! ${framework}: ${HELD_BACK}`))
  }
  if (added) {
    const row = (name: string, summary: Summary): string[] => [name, summary.median.toFixed(2), range(summary)]
    sections.push(
      heading(`Added per request without a network, µs (token of ${added.tokenBytes} bytes)`),
      table(
        ['', 'median', 'p10–p90'],
        [
          row('warm, through the node adapter', added.warm),
          row('warm, one at a time', added.warmAlone),
          row('warm, guard.handle alone', added.warmHandle),
          row('cold, through the node adapter', added.cold),
        ],
      ),
    )
  }
  if (cold) {
    const row = (name: string, us: number, ratio?: Summary): string[] => [
      name,
      us.toFixed(1),
      ratio === undefined ? '1' : ratio.median.toFixed(2),
      ratio === undefined ? '' : range(ratio),
    ]
    sections.push(
      heading('Tokens never seen before, one after the other'),
      table(
        ['', 'µs/token', 'jose / this', 'p10–p90'],
        [
          row('sallyport (whole guard)', cold.us.sallyport, cold.vsJose),
          row('jose jwtVerify, remote key set', cold.us.jose),
          row('jose jwtVerify, local key set', cold.us.joseLocal),
          row('fast-jwt, key by promise, no cache', cold.us.fastJwt, cold.fastJwtVsJose),
        ],
      ),
    )
  }
  if (routes) {
    const { x10000over10, x10000over10Hot, us } = routes
    sections.push(
      heading('Routes: 40 % exact hosts, 20 % wildcard hosts, 40 % path prefixes'),
      `${us.among10.toFixed(2)} µs among 10, ${us.among10000.toFixed(2)} µs among 10,000: ` +
        `${x10000over10.median.toFixed(2)} times (${range(x10000over10)}); ` +
        `${x10000over10Hot.median.toFixed(2)} times (${range(x10000over10Hot)}) where requests go to 10 of the 10,000`,
    )
  }
  if (cache) {
    sections.push(
      heading(`Verified-token cache after ${cache.tokens} tokens of ${cache.tokenBytes} bytes`),
      ...cache.budgets.map(
        ({ bytesConfigured, bytesUsed, insideBytes, entriesKept, bytesPerEntry }) =>
          `${megabytes(bytesUsed)} used of ${megabytes(bytesConfigured)} configured${insideBytes ? '' : ' (TOO MUCH)'}; ` +
          `${entriesKept} entries kept, ${bytesPerEntry} bytes each`,
      ),
    )
  }
  if (flood) {
    const { calm, flooded } = flood.freshMs
    sections.push(
      heading(`Two floods of ${flood.badTokens} bad tokens, 32 at a time`),
      `grew by ${megabytes(flood.growthBytes)}; ${flood.jwksFetches} key set fetches; ` +
        `answered 401 ${flood.answers[401]} times and 503 ${flood.answers[503]} times\n` +
        `${flood.good.warm} warm and ${flood.good.fresh} fresh good tokens all let through\n` +
        `a fresh good token takes ${calm.p50.toFixed(2)} ms (p99 ${calm.p99.toFixed(2)}) in calm, ` +
        `${flooded.p50.toFixed(2)} ms (p99 ${flooded.p99.toFixed(2)}) in the flood`,
    )
  }
  return sections.join('\n')
}

const HELD_BACK =
  'something else kept the unprotected server from its full speed, so the ratios look better than they are'

/** Whether the load generator, or another process on the machine, held the unprotected server back. */
function serverIdled({ unprotected }: Comparison): boolean {
  return unprotected.utilisation < 0.9 || unprotected.clientUtilisation > 0.9
}

function byFramework<T>(comparisons: readonly Comparison[], pick: (comparison: Comparison) => T): object {
  const found: Record<string, Record<string, T>> = {}
  for (const comparison of comparisons) {
    found[comparison.framework] = { ...found[comparison.framework], [comparison.variant]: pick(comparison) }
  }
  return found
}

function side({ requestsPerSecond, cpuUsPerRequest, utilisation, clientUtilisation }: Side): object {
  return {
    requestsPerSecond: round(requestsPerSecond, 0),
    cpuUsPerRequest: round(cpuUsPerRequest, 1),
    utilisation: round(utilisation, 2),
    clientUtilisation: round(clientUtilisation, 2),
  }
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`
}
