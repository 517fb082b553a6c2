/** Processes that are killed at any moment: nothing is lost but what was redeemed and could not be written any more. */
import { setTimeout as pause } from 'node:timers/promises'
import { createCrew, type Lab } from './crew.ts'
import { createKiller, MOMENTS } from './killer.ts'
import type { Ledger } from './ledger.ts'
import type { Member } from './member.ts'
import { watchProgress } from './progress.ts'
import type { Report } from './protocol.ts'
import { settle } from './settle.ts'
import { eventually } from './wait.ts'

const PROCESSES = 8
const CONNECTIONS = 20
/** Short leases, since nobody releases those of the dead; long enough that a busy machine loses none. */
const TIMES = { leaseMs: 2_000, marginMs: 500, graceMs: 500, backoffMs: 20, maxBackoffMs: 200, cacheMs: 0 }

/** What came of it. */
export interface KillFigures {
  readonly kills: number
  readonly killedAt: Readonly<Record<string, number>>
  readonly refreshesWithKills: number
  /** Killed between redemption and write: the person consents again. */
  readonly reauth: number
  readonly takenOver: number
  readonly lost: number
  /** The longest time without progress since the last progress, or the death of whoever worked on it. */
  readonly stuckMs: number
  /** The same over any number of deaths in a row. */
  readonly waitedMs: number
  /** Refresh tokens used again with the first redeemer dead, and alive. */
  readonly reuseAfterDeath: number
  readonly reuseWhileAlive: number
}

/** For backends with processes. Goes on until there were `total` kills and `refreshes` refreshes. */
export async function measureKills(lab: Lab, total: number, refreshes: number): Promise<KillFigures | undefined> {
  if (lab.backend.name === 'memory') return undefined
  const connections = Array.from({ length: CONNECTIONS }, (_, index) => `killed-${index}`)
  const { violations } = lab
  let members: Member[] = []
  const killer = createKiller(
    () => members,
    (worker) => progress.died(worker),
  )
  const crew = createCrew(lab, TIMES, onReport)
  const ledger = lab.server.begin({
    alive: crew.isAlive,
    ...killer.hooks,
    async arrived(request) {
      progress.held(request.connection, request.worker)
      return killer.hooks.arrived?.(request)
    },
    async processed(request, outcome) {
      if (outcome === 'redeemed') progress.made(request.connection)
      await killer.hooks.processed?.(request, outcome)
    },
  })
  const consents = createConsents(lab, crew, ledger)
  await crew.seed(connections)
  const progress = watchProgress(connections)

  function onReport(report: Report, worker: string): void {
    if (report.kind === 'event' && report.event === 'taken_over') progress.held(report.connection, worker)
    if (report.kind !== 'result' || report.result !== 'reauth_required') return
    progress.made(report.connection)
    consents.ask(report.connection)
  }

  async function hire(): Promise<void> {
    const member = await crew.hire()
    members.push(member)
    void member.order({ kind: 'loop', connections, pauseMs: 40 })
  }
  async function staff(): Promise<void> {
    while (!over) {
      members = members.filter((member) => member.alive)
      if (members.length < PROCESSES) await hire()
      else await pause(5)
    }
  }

  let over = false
  const staffing = [staff(), staff()]
  for (let done = 0; done < total; done = sum(killer.kills)) {
    await eventually(() => members.filter((member) => member.alive).length >= PROCESSES / 2 || undefined)
    await killer.kill(MOMENTS[done % MOMENTS.length] ?? 'random')
  }
  await eventually(() => ledger.redemptions >= refreshes || undefined)
  over = true
  await Promise.all(staffing)
  const times = progress.end()
  await Promise.all(members.map((member) => member.order({ kind: 'stop' })))
  await consents.done()
  const settled = await settle(lab, crew, connections)
  for (const connection of settled.reauth) consents.ask(connection)
  await consents.done()
  await crew.close()

  const whileAlive = ledger.reuses.filter(({ firstAlive }) => firstAlive)
  if (whileAlive.length > 0) violations.push(`${whileAlive.length} reuses while the first redeemer lives`)
  for (const kind of ['none', 'revoked', 'error', 'lost', 'revoked_late']) {
    if (crew.count(kind) > 0) violations.push(`\`${kind}\` was reported ${crew.count(kind)} times`)
  }
  return {
    kills: sum(killer.kills),
    killedAt: { ...killer.kills },
    refreshesWithKills: ledger.redemptions,
    reauth: consents.count,
    takenOver: crew.count('taken_over'),
    lost: settled.lost + settled.stuck + crew.count('none') + consents.unexplained,
    stuckMs: times.stuck,
    waitedMs: times.waited,
    reuseAfterDeath: ledger.reuses.length - whileAlive.length,
    reuseWhileAlive: whileAlive.length,
  }
}

/** Consents again where somebody must, and asks why. */
function createConsents(lab: Lab, crew: ReturnType<typeof createCrew>, ledger: Ledger) {
  const running = new Map<string, Promise<void>>()
  const explained = new Map<string, number>()
  const figures = { count: 0, unexplained: 0 }

  async function consent(connection: string): Promise<void> {
    const { kind } = await crew.desk.order({ kind: 'ask', connection, refuse: false })
    if (kind !== 'reauth_required') return
    figures.count++
    // The server has revoked the family, since somebody used the token of a dead process.
    const reuses = ledger.reuses.filter((reuse) => reuse.connection === connection).length
    if (reuses === (explained.get(connection) ?? 0)) {
      figures.unexplained++
      lab.violations.push(`${connection} must be connected again, and no refresh token was used twice`)
    }
    explained.set(connection, reuses)
    await crew.desk.order({ kind: 'connect', connection, tokens: await lab.server.issue(connection) })
  }

  return {
    get count() {
      return figures.count
    },
    get unexplained() {
      return figures.unexplained
    },
    ask(connection: string): void {
      if (running.has(connection)) return
      const one = consent(connection).finally(() => running.delete(connection))
      running.set(connection, one)
    },
    async done() {
      while (running.size > 0) await Promise.all(running.values())
    },
  }
}

function sum(numbers: Readonly<Record<string, number>>): number {
  return Object.values(numbers).reduce((all, one) => all + one, 0)
}
