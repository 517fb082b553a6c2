/** Many at once, one connection: as many redemptions as refreshes, and no refresh token twice. */
import { createCrew, type Lab } from './crew.ts'

const PROCESSES = 8

/** What came of it. */
export interface RefreshFigures {
  readonly refreshes: number
  readonly redemptions: number
  readonly reuse: number
  readonly refreshesPerSecond: number
}

/** Eight processes (eight callers, in memory) ask for and refuse the same tokens, until they have been rotated `total` times. */
export async function measureRefreshes(lab: Lab, total: number): Promise<RefreshFigures> {
  // Nobody dies here: leases as they are by default, so that a slow machine loses none.
  const crew = createCrew(lab, { backoffMs: 20 })
  const ledger = lab.server.begin({ alive: crew.isAlive })
  const connection = 'one'
  await crew.seed([connection])
  const alone = lab.backend.name === 'memory'
  const actors = await Promise.all(Array.from({ length: PROCESSES }, () => (alone ? crew.desk : crew.hire())))
  const began = performance.now()
  await Promise.all(actors.map((actor) => actor.order({ kind: 'loop', connections: [connection], target: total })))
  const seconds = (performance.now() - began) / 1_000
  const { tokens } = await crew.desk.order({ kind: 'ask', connection, refuse: false })
  const refreshes = crew.count('refreshed')
  const { redemptions, reuses } = ledger
  await crew.close()

  const { violations } = lab
  if (refreshes !== total) violations.push(`${refreshes} refreshes were reported, not ${total}`)
  if (redemptions !== refreshes) violations.push(`${redemptions} redemptions for ${refreshes} refreshes`)
  if (reuses.length > 0) violations.push(`${reuses.length} refresh tokens were used again`)
  if (tokens?.rotation !== total) violations.push(`the last tokens are of rotation ${tokens?.rotation}, not ${total}`)
  for (const kind of ['none', 'revoked', 'reauth_required', 'error']) {
    if (crew.count(kind) > 0) violations.push(`${crew.count(kind)} callers got \`${kind}\` with nobody dying`)
  }
  return { refreshes, redemptions, reuse: reuses.length, refreshesPerSecond: Math.round(refreshes / seconds) }
}
