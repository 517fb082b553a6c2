/** An account is disconnected, connected again or both while its tokens are being refreshed: the old refresh never wins. */
import { createCrew, type Lab } from './crew.ts'
import { createFlights, type Stop } from './flight.ts'
import type { FigureTokens } from './protocol.ts'
import { eventually } from './wait.ts'

/** What came of it. */
export interface ReconnectFigures {
  readonly tries: number
  /** Of the old refresh, over the new connection. */
  readonly overwritten: number
  /** Old tokens that were redeemed too late, and are revoked at the authorization server. */
  readonly revokedLate: number
  /** Old tokens that are still good somewhere, of connections that were ended and not made anew. */
  readonly leftGood: number
}

const DEEDS = ['disconnect', 'connect', 'both'] as const
const STOPS: readonly Stop[] = ['arrived', 'processed']

/** `each` for each of six cases. */
export async function measureReconnect(lab: Lab, each: number): Promise<ReconnectFigures> {
  const crew = createCrew(lab, { backoffMs: 20, maxBackoffMs: 200, cacheMs: 0, waitMs: 10_000 })
  const flights = createFlights(lab, crew)
  const figures = { tries: 0, overwritten: 0, revokedLate: 0, leftGood: 0 }

  async function one(connection: string, deed: (typeof DEEDS)[number], stop: Stop): Promise<void> {
    await crew.seed([connection])
    const { tokens: old } = await crew.desk.order({ kind: 'ask', connection, refuse: false })
    const flight = await flights.start(connection, stop)
    figures.tries++
    let fresh: FigureTokens | undefined
    if (deed !== 'connect') await crew.desk.order({ kind: 'disconnect', connection })
    if (deed !== 'disconnect') {
      fresh = await lab.server.issue(connection)
      await crew.desk.order({ kind: 'connect', connection, tokens: fresh })
    }
    flight.go()
    await flight.answer
    await flight.member?.order({ kind: 'close' })

    const after = await crew.desk.order({ kind: 'ask', connection, refuse: false })
    const kept = fresh === undefined ? after.kind === 'revoked' : after.tokens?.refresh === fresh.refresh
    const usable = fresh === undefined || (await lab.server.isGood(fresh))
    if (!kept || !usable) figures.overwritten++
    // Made anew: what is late is left to run out.
    if (fresh !== undefined) return
    // The family of what was there before: the last of its tokens went to the old refresh, or nowhere.
    const alive = await eventually(async () => ((await lab.server.familyIsGood(old)) ? undefined : 'dead'), 5_000)
    if (alive === undefined) figures.leftGood++
  }

  for (const deed of DEEDS) {
    for (const stop of STOPS) {
      await Promise.all(Array.from({ length: each }, (_, index) => one(`${deed}-${stop}-${index}`, deed, stop)))
    }
  }
  figures.revokedLate = crew.count('revoked_late')
  await crew.close()
  if (figures.overwritten > 0) lab.violations.push(`${figures.overwritten} old refreshes came over a new connection`)
  if (figures.leftGood > 0) lab.violations.push(`${figures.leftGood} tokens of ended connections are still good`)
  return figures
}
