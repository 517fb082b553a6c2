/**
 * A virtual server beside the members themselves: small calls to five members with forty tools each, every caller with another
 * token at every member, in interleaved pairs with the same calls sent to the members directly; and its list, cold and warm.
 */
import { type ChildServer, startServer } from '../lib/child.ts'
import { type Load, openLoad } from '../lib/load.ts'
import { comparePairs, type Pairs } from '../lib/pairs.ts'
import { type Summary, summarise } from '../lib/stats.ts'
import { checkTotals, expect } from './checks.ts'
import {
  ANSWER_TEXT,
  type Caller,
  callBody,
  HIDDEN_TOOL,
  memberOf,
  REQUESTS,
  requestBytes,
  requestHeaders,
  type Suite,
  TOOL,
  TOOLS_PER_MEMBER,
  upstreamToken,
  VIRTUAL_PATH,
} from './context.ts'
import type { Seen } from './servers/fixed.ts'
import { openSessions, post } from './sessions.ts'
import { CONNECTIONS, createCallers, startGateway, warmUp } from './throughput.ts'

const MEMBERS = 5
const WARM_LISTS = 5

/** The virtual server (`other`) beside its members (`base`). */
export interface VirtualComparison extends Pairs {
  readonly connections: (typeof CONNECTIONS)[number]
}

export interface Virtual {
  readonly members: number
  readonly tools: number
  readonly comparisons: readonly VirtualComparison[]
  /** How long `tools/list` takes, in milliseconds: the first time for a caller, and again at once. */
  readonly listMs: { readonly cold: Summary; readonly warm: Summary }
}

/** The virtual server as everything here reaches it. */
interface Place {
  readonly gateway: ChildServer
  readonly upstream: ChildServer
  readonly callers: readonly Caller[]
  /** By caller. */
  readonly sessions: readonly string[]
}

/** Throws if it answers wrongly. */
export async function measureVirtual(suite: Suite): Promise<Virtual> {
  const timing = suite.quick
    ? { warmUpRequests: 10_000, sliceMs: 150, pairs: 9 }
    : { warmUpRequests: 30_000, sliceMs: 250, pairs: 41 }
  const callers = createCallers(suite)
  const servers: ChildServer[] = []
  const loads: { readonly direct: boolean; readonly load: Load }[] = []
  try {
    const upstream = await startServer(new URL('./servers/fixed.js', import.meta.url), [], null)
    servers.push(upstream)
    const gateway = await startGateway(upstream, suite, servers, MEMBERS)
    const sessions = await openSessions(gateway.port, callers, VIRTUAL_PATH)
    const place: Place = { gateway, upstream, callers, sessions }
    const listMs = await timeLists(place)
    const before = await upstream.ask<Seen>('seen')
    await checkCalls(place)

    const expected = Buffer.from(ANSWER_TEXT)
    const comparisons: VirtualComparison[] = []
    for (const connections of CONNECTIONS) {
      const [direct, virtual] = [
        await openLoad(upstream.port, callRequests(place, true), connections, { expected }),
        await openLoad(gateway.port, callRequests(place, false), connections, { expected }),
      ]
      loads.push({ direct: true, load: direct }, { direct: false, load: virtual })
      for (const load of [direct, virtual]) await warmUp(load, connections === 1 ? 1_000 : timing.warmUpRequests)
      const base = { server: upstream, load: direct }
      const other = { server: gateway, load: virtual }
      comparisons.push({ connections, ...(await comparePairs(base, other, timing.pairs, timing.sliceMs)) })
    }
    const loaded = (wanted: boolean): number =>
      loads.filter(({ direct }) => direct === wanted).reduce((all, { load }) => all + load.answered(), 0)
    const checked = callers.length * MEMBERS
    await checkTotals(gateway, upstream, before, checked + loaded(false), checked + loaded(true))
    return { members: MEMBERS, tools: MEMBERS * TOOLS_PER_MEMBER, comparisons, listMs }
  } finally {
    for (const { load } of loads) load.close()
    for (const server of servers.reverse()) await server.stop()
  }
}

/** Every list has all tools under their names here, and nothing that was not chosen. */
async function timeLists({ gateway, callers, sessions }: Place): Promise<Virtual['listMs']> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} })
  const cold: number[] = []
  const warm: number[] = []
  for (const { number, token } of callers) {
    for (let time = 0; time <= WARM_LISTS; time++) {
      const start = performance.now()
      const answer = await post(gateway.port, token, sessions[number], body, VIRTUAL_PATH)
      ;(time === 0 ? cold : warm).push(performance.now() - start)
      const names = answer.status === 200 ? namesIn(answer.body) : []
      const isComplete = names.length === MEMBERS * TOOLS_PER_MEMBER && names.every((name) => NAME.test(name))
      expect(isComplete, `tools/list: ${answer.status}, ${names.length} tools: ${answer.body.slice(0, 200)}`)
    }
  }
  return { cold: summarise(cold), warm: summarise(warm) }
}

const NAME = /^m[1-5]_(?:search|get)_/

function namesIn(body: string): string[] {
  const { result } = JSON.parse(body) as { result?: { tools?: { name: string }[] } }
  return (result?.tools ?? []).map(({ name }) => name)
}

/** Every caller has each member's own answer, and the member has seen that caller's token for it; what is not chosen does not arrive. */
async function checkCalls({ gateway, upstream, callers, sessions }: Place): Promise<void> {
  for (const { number, token } of callers) {
    const session = sessions[number]
    for (let member = 1; member <= MEMBERS; member++) {
      const { prefix, path } = memberOf(member)
      const wanted = await post(upstream.port, token, session, callBody(1000 + number), path)
      const got = await post(gateway.port, token, session, callBody(1000 + number, prefix + TOOL), VIRTUAL_PATH)
      const same = got.status === 200 && got.body === wanted.body
      expect(same, `${prefix}${TOOL} answers caller ${number} with ${got.status} ${got.body} for ${wanted.body}`)
      const { last } = await upstream.ask<Seen>('seen')
      const credential = `Bearer ${upstreamToken(number * MEMBERS + member - 1)}`
      const own = last.path === path && last.authorization === credential && last.session !== session
      expect(own, `${prefix}${TOOL} of caller ${number} was seen at ${last.path} with another credential or session`)
    }
    const hidden = await post(gateway.port, token, session, callBody(1000, `m1_${HIDDEN_TOOL}`), VIRTUAL_PATH)
    expect(hidden.body.includes('-32602'), `a tool that was not chosen: ${hidden.status} ${hidden.body}`)
  }
}

/** The same calls both ways, in turn to each member. */
function callRequests({ gateway, callers, sessions }: Place, direct: boolean): Buffer[] {
  const host = `127.0.0.1:${gateway.port}`
  return Array.from({ length: REQUESTS }, (_, index) => {
    const { number, token } = callers[index % callers.length]!
    const { prefix, path } = memberOf((index % MEMBERS) + 1)
    const headers = requestHeaders(token, sessions[number])
    const body = callBody(1000 + index, direct ? TOOL : prefix + TOOL)
    return requestBytes('POST', host, headers, body, direct ? path : VIRTUAL_PATH)
  })
}
