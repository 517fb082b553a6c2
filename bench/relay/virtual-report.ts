/** What was found out about virtual servers, as lines for people and as a part of the object for machines. */
import { heading, percent, range, short, spread } from '../lib/format.ts'
import { round } from '../lib/stats.ts'
import { table } from '../lib/table.ts'
import type { Virtual, VirtualComparison } from './virtual.ts'

/** For people. */
export function virtualLines({ members, tools, comparisons, listMs }: Virtual): string[] {
  return [
    heading(`A small tools/call through a virtual server over ${members} members with ${tools} tools`),
    table(
      ['beside direct calls', 'ratio', 'p10–p90', 'req/s', 'direct', 'CPU µs/req', 'busy', 'added ms', 'client busy'],
      comparisons.map(({ connections, ratio, addedMsP50, base, other }) => [
        `${connections} ${connections === 1 ? 'connection' : 'connections'}`,
        ratio.median.toFixed(2),
        range(ratio, 2),
        other.requestsPerSecond.toFixed(0),
        base.requestsPerSecond.toFixed(0),
        other.cpuUsPerRequest.toFixed(0),
        percent(other.utilisation),
        addedMsP50.median.toFixed(3),
        percent(base.clientUtilisation),
      ]),
    ),
    `tools/list of ${tools} tools: cold ${listMs.cold.median.toFixed(1)} ms (${range(listMs.cold, 1)}), ` +
      `warm ${listMs.warm.median.toFixed(1)} ms (${range(listMs.warm, 1)})`,
  ]
}

/** For machines. */
export function virtualFigures(virtual: Virtual): object {
  return {
    vsDirect: virtualBy(virtual, ({ ratio }) => short(ratio)),
    addedMsP50: short(virtual.comparisons.find(({ connections }) => connections === 1)!.addedMsP50),
    cpuUsPerRequest: virtualBy(virtual, ({ other }) => round(other.cpuUsPerRequest, 1)),
    utilisation: virtualBy(virtual, ({ other }) => round(other.utilisation, 2)),
    listMs: { cold: short(virtual.listMs.cold), warm: short(virtual.listMs.warm) },
    members: virtual.members,
    tools: virtual.tools,
  }
}

/** How far the samples spread. */
export function virtualSpreads(virtual: Virtual): object {
  return { vsDirect: virtualBy(virtual, ({ ratio }) => spread(ratio)) }
}

function virtualBy<T>({ comparisons }: Virtual, pick: (comparison: VirtualComparison) => T): object {
  return Object.fromEntries(comparisons.map((each) => [`c${each.connections}`, pick(each)]))
}
