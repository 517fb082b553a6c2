/**
 * Whether the caller of a session may still hear of what it has subscribed to: grants, and what a virtual server has, change while
 * subscriptions are kept. What is refused is forgotten, as if it had never been subscribed to.
 */
import { endOfTurn } from '../../core/turn.ts'
import { DecideError, type Permissions } from '../permissions.ts'
import type { VirtualContext, VirtualSession } from './context.ts'
import type { LiveMember } from './live.ts'
import type { ResourceSubscriptions } from './resource-subscriptions.ts'
import { candidatesOf } from './routes.ts'

/** So many are judged before others get their turn. */
const TOGETHER = 20

/**
 * Judges what a session has subscribed to at a member, by what counts for this request.
 *
 * @returns what has been forgotten, as the member calls it
 * @throws DecideError
 */
export async function judgeSubscriptions(
  context: VirtualContext,
  session: VirtualSession,
  { server }: LiveMember,
  subscriptions: Pick<ResourceSubscriptions, 'of' | 'forget'>,
  permissions: Pick<Permissions, 'ask'>,
): Promise<readonly string[]> {
  const refused: string[] = []
  let judged = 0
  for (const [original, uri] of await subscriptions.of(session, server.name)) {
    if (++judged % TOGETHER === 0) await endOfTurn()
    const { plain, collided } = candidatesOf(context.virtual, 'resource', uri)
    const isChosen = [...plain, ...collided].some(
      (each) => each.member.server.name === server.name && each.original === original,
    )
    const asked = isChosen ? await permissions.ask(context.asker, { kind: 'resource', uri }) : undefined
    if (asked?.kind === 'unavailable') throw new DecideError(asked.detail)
    if (asked?.kind !== 'allowed') refused.push(original)
  }
  if (refused.length > 0) await subscriptions.forget(session, server.name, refused)
  return refused
}
