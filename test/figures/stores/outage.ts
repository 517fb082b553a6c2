/** The store's server is stopped and started again in the middle of everything. */
import { setTimeout as pause } from 'node:timers/promises'
import { createCrew, type Lab } from './crew.ts'
import type { TokenRequest } from './ledger.ts'
import { ALERT_MS } from './open-store.ts'
import { settle } from './settle.ts'
import { createGate, eventually } from './wait.ts'

const PROCESSES = 4
const CONNECTIONS = 12
/** So many refreshes are redeemed while the store is away: their leases are from before. */
const IN_FLIGHT = 3
const TIMES = {
  leaseMs: 2_000,
  marginMs: 500,
  graceMs: 2_000,
  backoffMs: 20,
  maxBackoffMs: 200,
  cacheMs: 0,
  waitMs: 10_000,
}

/** What came of it. */
export interface OutageFigures {
  readonly outageMs: number
  /** Callers that got the 503 answer meanwhile. */
  readonly unavailable: number
  /** Tokens that were redeemed and could not be written for a while. */
  readonly unwritten: number
  /** Requests for new tokens when no lease from before could be left. */
  readonly redeemedWithoutLease: number
  readonly connectedAfter: number
  readonly reauth: number
  readonly reuse: number
}

/** For backends with a server. */
export async function measureOutage(lab: Lab): Promise<OutageFigures | undefined> {
  const { server } = lab.backend
  if (server === undefined) return undefined
  const names = Array.from({ length: CONNECTIONS }, (_, index) => `outage-${index}`)
  const crew = createCrew(lab, TIMES, undefined, ALERT_MS)
  const answer = createGate()
  const held = new Set<string>()
  let holding = false
  let nobodyMay = false
  const late: TokenRequest[] = []
  const ledger = lab.server.begin({
    alive: crew.isAlive,
    async arrived(request) {
      if (nobodyMay) late.push(request)
      return undefined
    },
    async processed({ connection }) {
      if (!holding || held.size >= IN_FLIGHT) return
      held.add(connection)
      await answer.passed
    },
  })
  await crew.seed(names)
  const members = await Promise.all(Array.from({ length: PROCESSES }, () => crew.hire()))
  const loops = members.map((member) => member.order({ kind: 'loop', connections: names, pauseMs: 30 }))
  await pause(1_000)
  holding = true
  await eventually(() => held.size >= IN_FLIGHT || undefined)

  await server.stop()
  const stoppedAt = performance.now()
  const [before, refreshedBefore] = [crew.count('unavailable'), ledger.redemptions]
  answer.open()
  await pause(TIMES.leaseMs)
  nobodyMay = true
  // Longer than lease and grace together: whoever looks afterwards finds attempts that seem long dead.
  await pause(4_000)
  const unavailable = crew.count('unavailable') - before
  nobodyMay = false
  await server.start()
  const outageMs = Math.round(performance.now() - stoppedAt)

  const redeemedAfter = await eventually(() => ledger.redemptions > refreshedBefore + CONNECTIONS || undefined)
  await Promise.all(members.map((member) => member.order({ kind: 'stop' })))
  await Promise.all(loops)
  const settled = await settle(lab, crew, names)
  await crew.close()

  const { violations } = lab
  if (late.length > 0) violations.push(`${late.length} redemptions without a lease, with the store away`)
  if (unavailable === 0) violations.push('nobody got `unavailable` with the store away')
  if (redeemedAfter === undefined) violations.push('nothing was refreshed once the store was back')
  if (settled.reauth.length > 0)
    violations.push(`${settled.reauth.length} connections were lost to an outage of the store`)
  if (ledger.reuses.length > 0)
    violations.push(`${ledger.reuses.length} refresh tokens were used again after the outage`)
  for (const kind of ['none', 'revoked', 'error', 'lost', 'revoked_late']) {
    if (crew.count(kind) > 0) violations.push(`\`${kind}\` was reported ${crew.count(kind)} times around the outage`)
  }
  return {
    outageMs,
    unavailable,
    unwritten: crew.count('unwritten'),
    redeemedWithoutLease: late.length,
    connectedAfter: settled.connected,
    reauth: settled.reauth.length,
    reuse: ledger.reuses.length,
  }
}
