/** How connections end: every one is asked for and refreshed once more, and its tokens are good at the server. */

import type { Crew, Lab } from './crew.ts'
import type { FigureTokens } from './protocol.ts'
import { keyOf } from './protocol.ts'
import { eventually } from './wait.ts'

/** See the top of the file. */
export interface Settled {
  readonly connected: number
  readonly reauth: readonly string[]
  /** Neither tokens nor a reason, although nobody is in the way. */
  readonly stuck: number
  /** No record, or tokens that the server does not know. */
  readonly lost: number
}

/** Also waits until nobody's lease is left. */
export async function settle(lab: Lab, crew: Crew, connections: readonly string[]): Promise<Settled> {
  const reauth: string[] = []
  let [connected, stuck, lost] = [0, 0, 0]
  async function settleOne(connection: string): Promise<void> {
    const answer = await eventually(async () => {
      const found = await crew.desk.order({ kind: 'ask', connection, refuse: true })
      return found.kind === 'unavailable' ? undefined : found
    })
    if (answer === undefined) stuck++
    else if (answer.kind === 'reauth_required') reauth.push(connection)
    else if (answer.kind === 'tokens' && (await isGood(lab, answer.tokens))) connected++
    else lost++
    const lease = await eventually(() => crew.store.lease(keyOf(connection), 1_000))
    if (lease === undefined) lab.violations.push(`the lease of ${connection} never ends`)
    await lease?.release()
  }
  await Promise.all(connections.map(settleOne))
  if (stuck > 0) lab.violations.push(`${stuck} connections are stuck`)
  if (lost > 0) lab.violations.push(`${lost} connections have no record, or tokens that are not good`)
  return { connected, reauth, stuck, lost }
}

async function isGood(lab: Lab, tokens: FigureTokens | undefined): Promise<boolean> {
  return tokens !== undefined && (await lab.server.isGood(tokens))
}
