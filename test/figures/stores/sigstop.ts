/** A process that is stopped in the middle of a redemption, past its lease, and goes on: what becomes of its late write. */
import { setTimeout as pause } from 'node:timers/promises'
import { type Crew, createCrew, type Lab } from './crew.ts'
import { createFlights, type Flight, type Flights } from './flight.ts'
import type { Answer } from './protocol.ts'

const TIMES = { leaseMs: 1_500, marginMs: 300, graceMs: 300, backoffMs: 20, maxBackoffMs: 200, cacheMs: 0 }

/** What came of it; numbers of processes. */
export interface SigstopFigures {
  readonly stopped: number
  /** Nobody wrote meanwhile: the late write landed. */
  readonly landed: number
  /** A successor used the same refresh token; the server revoked the family. */
  readonly revokedBySuccessor: number
  /** … and then the late write came over the successor's `reauth_required`; its tokens are of the revoked family. */
  readonly lateOverReauth: number
  readonly reauth: number
  /** A successor stored tokens of its own: the late write was refused. */
  readonly superseded: number
  /** The person connected again: the late write was refused. */
  readonly refusedAnew: number
  readonly goodTokensThrownAway: number
}

interface Stopped {
  readonly flight: Flight
  readonly connection: string
}

/** For backends with processes; `each` for each of four cases. */
export async function measureSigstop(lab: Lab, each: number): Promise<SigstopFigures | undefined> {
  if (lab.backend.name === 'memory') return undefined
  const crew = createCrew(lab, TIMES)
  const flights = createFlights(lab, crew)
  const figures = {
    stopped: 0,
    landed: 0,
    revokedBySuccessor: 0,
    lateOverReauth: 0,
    reauth: 0,
    superseded: 0,
    refusedAnew: 0,
    goodTokensThrownAway: 0,
  }
  async function run(name: string, meanwhile: (stopped: Stopped) => Promise<void>) {
    const all = await Promise.all(
      Array.from({ length: each }, (_, index) => stopOne(crew, flights, `${name}-${index}`)),
    )
    figures.stopped += all.length
    await pause(TIMES.leaseMs + TIMES.graceMs + 500)
    await Promise.all(all.map(meanwhile))
    for (const { flight } of all) flight.member?.signal('SIGCONT')
    await Promise.all(all.map(({ flight }) => flight.answer))
    return Promise.all(all.map((stopped) => look(lab, crew, stopped)))
  }

  for (const { events, after } of await run('stopped', async () => {})) {
    const good = events.has('refreshed') && after.kind === 'tokens' && after.tokens?.rotation === 1
    if (good) figures.landed++
    else {
      figures.goodTokensThrownAway++
      lab.violations.push(`a late write did not land with nobody else there: ${[...events]}, then ${after.kind}`)
    }
  }

  const { reuses } = flights.ledger
  const before = reuses.length
  for (const { events, after, refreshed } of await run('rivalled', ({ connection }) => successor(crew, connection))) {
    if (events.has('refreshed')) figures.lateOverReauth++
    if (after.kind === 'tokens' && refreshed.kind === 'tokens') continue
    if (refreshed.kind === 'reauth_required') figures.reauth++
    else lab.violations.push(`after a successor and a late write a connection is ${refreshed.kind}`)
  }
  figures.revokedBySuccessor = reuses.length - before

  for (const { events, after } of await run('still', ({ connection }) => successor(crew, connection))) {
    if (events.has('superseded')) figures.superseded++
    else {
      figures.goodTokensThrownAway++
      lab.violations.push(`a late write came over a successor's tokens: ${[...events]}, then ${after.kind}`)
    }
  }

  for (const { events, after, connection } of await run('reconnected', async ({ connection }) => {
    await crew.desk.order({ kind: 'connect', connection, tokens: await lab.server.issue(connection) })
  })) {
    if (events.has('superseded')) figures.refusedAnew++
    if (after.tokens?.rotation === 0 && after.tokens.refresh !== '' && (await lab.server.isGood(after.tokens))) continue
    figures.goodTokensThrownAway++
    lab.violations.push(`${connection} was connected again and has lost that: ${[...events]}, then ${after.kind}`)
  }
  await crew.close()
  return figures
}

async function stopOne(crew: Crew, flights: Flights, connection: string): Promise<Stopped> {
  await crew.seed([connection])
  const flight = await flights.start(connection, 'processed')
  flight.member?.signal('SIGSTOP')
  // The answer arrives while nobody reads it.
  flight.go()
  return { flight, connection }
}

async function successor(crew: Crew, connection: string): Promise<void> {
  await crew.desk.order({ kind: 'ask', connection, refuse: true })
}

interface Seen {
  readonly connection: string
  /** What the stopped process reported. */
  readonly events: ReadonlySet<string>
  readonly after: Answer
  /** After one more refresh. */
  readonly refreshed: Answer
}

async function look(lab: Lab, crew: Crew, { flight, connection }: Stopped): Promise<Seen> {
  const events = new Set<string>()
  for (const { worker, report } of crew.reports) {
    if (worker === flight.worker && report.kind === 'event') events.add(report.event)
  }
  const after = await crew.desk.order({ kind: 'ask', connection, refuse: false })
  const good = after.tokens !== undefined && (await lab.server.isGood(after.tokens))
  const refreshed = good ? after : await crew.desk.order({ kind: 'ask', connection, refuse: true })
  return { connection, events, after, refreshed }
}
