/** The suite's findings, as tables for people and as one object for machines. */
import { heading, percent, range, short, spread } from '../lib/format.ts'
import { round } from '../lib/stats.ts'
import { table } from '../lib/table.ts'
import type { Kilobytes, Streams } from './streams.ts'
import type { Comparison, Peer, Throughput } from './throughput.ts'
import type { Virtual } from './virtual.ts'
import { virtualFigures, virtualLines, virtualSpreads } from './virtual-report.ts'

/** What has been measured; a part that was left out or failed is missing. */
export interface Findings {
  readonly fixed?: Throughput
  readonly sdk?: Throughput
  readonly streams?: Streams
  readonly virtual?: Virtual
}

const GOALS = { vsBareProxyC32: 0.85, addedMsP50: 0.3, kbPerStream: 60 }

export function forMachines({ fixed, sdk, streams, virtual }: Findings): object {
  return {
    suite: 'relay',
    ...(fixed && ratios(fixed)),
    ...(fixed && { addedMsP50: short(added(fixed).addedMsP50), addedMsP99: short(added(fixed).addedMsP99) }),
    ...(streams && { kbPerStream: round(streams.kbBeyondProxy.median, 1) }),
    ...(fixed && { addedMs: addedMs(fixed), cpuRatios: cpuRatios(fixed), servers: servers(fixed) }),
    ...(streams && {
      streams: {
        count: streams.streams,
        gateway: kilobytes(streams.gateway),
        bareProxy: kilobytes(streams.bareProxy),
      },
    }),
    ...(sdk && {
      sdkServer: { ...ratios(sdk), addedMs: addedMs(sdk), cpuRatios: cpuRatios(sdk), servers: servers(sdk) },
    }),
    ...(virtual && { virtual: virtualFigures(virtual) }),
    goals: GOALS,
    spread: {
      ...(fixed && spreads(fixed)),
      ...(streams && { kbPerStream: spread(streams.kbBeyondProxy) }),
      ...(sdk && { sdkServer: spreads(sdk) }),
      ...(virtual && { virtual: virtualSpreads(virtual) }),
    },
  }
}

export function forPeople({ fixed, sdk, streams, virtual }: Findings): string {
  const sections: string[] = []
  if (fixed) {
    sections.push(...waysTo('an upstream that answers at once', fixed))
    if (fixed.comparisons.some(isHeldBack)) sections.push(HELD_BACK)
  }
  if (sdk) sections.push(...waysTo('a server made with the TypeScript SDK 2.x', sdk))
  if (streams) sections.push(...memoryOf(streams))
  if (virtual) sections.push(...virtualLines(virtual))
  if (fixed || streams)
    sections.push(heading('Goals'), ...goals({ ...(fixed && { fixed }), ...(streams && { streams }) }))
  return sections.join('\n')
}

function waysTo(upstream: string, throughput: Throughput): string[] {
  const { comparisons, tokenBytes, bodyBytes, requestBytes } = throughput
  return [
    heading(
      `A small tools/call to ${upstream}: ${bodyBytes} bytes of body, a JWT of ${tokenBytes}, ${requestBytes} in all`,
    ),
    table(
      [
        'gateway beside',
        'ratio',
        'p10–p90',
        'by CPU',
        'req/s',
        'its',
        'CPU µs/req',
        'its',
        'busy',
        'its',
        'client busy',
      ],
      comparisons.map((comparison) => {
        const { peer, connections, ratio, cpuRatio, base, other } = comparison
        return [
          `${peer}, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
          ratio.median.toFixed(2),
          range(ratio, 2),
          cpuRatio.median.toFixed(2),
          other.requestsPerSecond.toFixed(0),
          base.requestsPerSecond.toFixed(0),
          other.cpuUsPerRequest.toFixed(0),
          base.cpuUsPerRequest.toFixed(0),
          percent(other.utilisation),
          percent(base.utilisation),
          percent(base.clientUtilisation),
        ]
      }),
    ),
    heading('Added by the gateway for one client at a time, ms'),
    table(
      ['over', 'median', 'p10–p90', 'p99', 'p10–p90', 'its median', 'its p99'],
      comparisons
        .filter(({ connections }) => connections === 1)
        .map(({ peer, addedMsP50, addedMsP99, base }) => [
          peer,
          addedMsP50.median.toFixed(3),
          range(addedMsP50, 3),
          addedMsP99.median.toFixed(3),
          range(addedMsP99, 3),
          base.p50Ms.toFixed(3),
          base.p99Ms.toFixed(3),
        ]),
    ),
  ]
}

const HELD_BACK =
  '! the bare proxy was not busy all the time at 32 connections: something else ran on the machine; the ratio by CPU says more'

function isHeldBack({ peer, connections, base }: Comparison): boolean {
  return peer === 'bare-proxy' && connections === 32 && base.utilisation < 0.9
}

function memoryOf({ streams, gateway, bareProxy, kbBeyondProxy }: Streams): string[] {
  const row = (name: string, { rss, heapUsed, external }: Kilobytes): string[] => [
    name,
    ...[rss, heapUsed, external].map(({ median }) => median.toFixed(1)),
  ]
  return [
    heading(`${streams} silent event streams, KB each`),
    table(['', 'RSS', 'heap used', 'external'], [row('gateway', gateway), row('bare proxy', bareProxy)]),
    `RSS and external beyond the bare proxy: ${kbBeyondProxy.median.toFixed(1)} KB (${range(kbBeyondProxy, 1)})`,
  ]
}

function goals({ fixed, streams }: Findings): string[] {
  const line = (name: string, value: number, met: boolean, goal: string): string =>
    `${met ? 'met   ' : 'missed'}  ${name}: ${value} (goal: ${goal})`
  const lines: string[] = []
  if (fixed) {
    const { ratio } = comparison(fixed, 'bare-proxy', 32)
    const { addedMsP50 } = added(fixed)
    lines.push(
      line('requests per second at 32 connections, gateway / bare proxy', short(ratio), ratio.median >= 0.85, '≥ 0.85'),
      line('added median over direct, ms', short(addedMsP50), addedMsP50.median < GOALS.addedMsP50, '< 0.3'),
    )
  }
  if (streams) {
    const { median } = streams.kbBeyondProxy
    lines.push(line('KB per stream beyond the bare proxy', round(median, 1), median < GOALS.kbPerStream, '< 60'))
  }
  return lines
}

function comparison({ comparisons }: Throughput, peer: Peer, connections: number): Comparison {
  const found = comparisons.find((each) => each.peer === peer && each.connections === connections)
  if (found === undefined) throw new Error(`nothing measured beside ${peer} at ${connections}`)
  return found
}

/** Over the upstream itself, which is the most. */
function added(throughput: Throughput): Comparison {
  return comparison(throughput, 'direct', 1)
}

function byConnections<T>(throughput: Throughput, peer: Peer, pick: (comparison: Comparison) => T): object {
  return { c1: pick(comparison(throughput, peer, 1)), c32: pick(comparison(throughput, peer, 32)) }
}

function ratios(throughput: Throughput): object {
  const of = (peer: Peer): object => byConnections(throughput, peer, ({ ratio }) => short(ratio))
  return {
    vsBareProxy: of('bare-proxy'),
    vsStreamingProxy: of('streaming-proxy'),
    vsHttpProxy: of('http-proxy'),
    vsDirect: of('direct'),
  }
}

function cpuRatios(throughput: Throughput): object {
  const of = (peer: Peer): object => byConnections(throughput, peer, ({ cpuRatio }) => short(cpuRatio))
  return {
    vsBareProxy: of('bare-proxy'),
    vsStreamingProxy: of('streaming-proxy'),
    vsHttpProxy: of('http-proxy'),
  }
}

function addedMs(throughput: Throughput): object {
  const of = (peer: Peer): object => {
    const { addedMsP50, addedMsP99 } = comparison(throughput, peer, 1)
    return { p50: short(addedMsP50), p99: short(addedMsP99) }
  }
  return { overDirect: of('direct'), overBareProxy: of('bare-proxy') }
}

function servers(throughput: Throughput): object {
  const side = ({ requestsPerSecond, cpuUsPerRequest, utilisation }: Comparison['base']): object => ({
    requestsPerSecond: round(requestsPerSecond, 0),
    cpuUsPerRequest: round(cpuUsPerRequest, 1),
    utilisation: round(utilisation, 2),
  })
  const of = (peer: Peer): object => byConnections(throughput, peer, ({ base }) => side(base))
  return {
    gateway: byConnections(throughput, 'bare-proxy', ({ other }) => side(other)),
    bareProxy: of('bare-proxy'),
    streamingProxy: of('streaming-proxy'),
    httpProxy: of('http-proxy'),
    direct: of('direct'),
  }
}

function spreads(throughput: Throughput): object {
  const { addedMsP50, addedMsP99 } = added(throughput)
  const of = (peer: Peer): object => byConnections(throughput, peer, ({ ratio }) => spread(ratio))
  return {
    vsBareProxy: of('bare-proxy'),
    vsStreamingProxy: of('streaming-proxy'),
    vsHttpProxy: of('http-proxy'),
    vsDirect: of('direct'),
    cpuVsBareProxy: byConnections(throughput, 'bare-proxy', ({ cpuRatio }) => spread(cpuRatio)),
    addedMsP50: spread(addedMsP50),
    addedMsP99: spread(addedMsP99),
  }
}

function kilobytes({ rss, heapUsed, external }: Kilobytes): object {
  return { rss: round(rss.median, 1), heapUsed: round(heapUsed.median, 1), external: round(external.median, 1) }
}
