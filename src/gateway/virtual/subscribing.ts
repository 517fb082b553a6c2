/** `resources/subscribe` and `resources/unsubscribe` of legacy clients: kept here, and to legacy members as they are. */
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { isJsonObject, type RequestMessage, resultResponse } from '../../mcp/messages.ts'
import { unknownMethod, unknownTarget } from '../../mcp/refusals.ts'
import { errorAnswer, oneAnswer, type VirtualAnswer } from './answer.ts'
import type { VirtualCall } from './call.ts'
import type { VirtualContext, VirtualSession } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { VirtualMembers } from './members.ts'
import type { ResourceSubscriptions } from './resource-subscriptions.ts'
import { routeOf } from './routes.ts'
import type { VirtualSignal } from './signal.ts'

/** What it works with. */
export interface SubscribingParts {
  readonly members: VirtualMembers
  readonly lists: VirtualLists
  readonly calls: Pick<VirtualCall, 'call'>
  readonly subscriptions: ResourceSubscriptions
  readonly signal: VirtualSignal
}

/** Answers one of the two, about the resource `uri`. */
export type Subscribing = (context: VirtualContext, request: RequestMessage, uri: string) => Promise<VirtualAnswer>

const RELAYED = { outcome: 'relayed' } as const

/** See the top of the file. */
export function createSubscribing({ members, lists, calls, subscriptions, signal }: SubscribingParts): Subscribing {
  /** `false` where there is too much of it. A member that refuses does so again when it is asked again. */
  async function remember(session: VirtualSession, method: string, member: string, original: string, uri: string) {
    if (method === 'resources/subscribe') return subscriptions.add(session, member, original, uri)
    await subscriptions.remove(session, member, original)
    return true
  }

  return async (context, request, uri) => {
    const { id, method } = request
    const route = await routeOf(context, lists, 'resource', uri)
    if (route === undefined) {
      return oneAnswer(unknownTarget(request, 'legacy'), { outcome: 'refused', reason: 'unknown_target' })
    }
    const { member, original } = route
    if (route.unlisted === true) return signal.unlisted(context, request, member)
    const { name } = member.server
    const reached = await members.reach(context, member)
    if (reached.kind !== 'reached') return signal.problem(context, request, name, reached)
    if (reached.link.era === 'legacy') {
      if (context.session !== undefined) await remember(context.session, method, name, original, uri)
      return calls.call(context, request, 'resource', uri)
    }
    const { resources } = reached.link.capabilities
    if (!isJsonObject(resources) || resources.subscribe !== true) {
      return oneAnswer(unknownMethod(id, method), { outcome: 'refused', reason: 'method' })
    }
    if (context.session === undefined) {
      const words = 'Invalid Request: without a session there is no stream to hear of a resource on'
      return errorAnswer(id, JsonRpcCode.INVALID_REQUEST, words, { outcome: 'refused', reason: 'no_session' })
    }
    if (!(await remember(context.session, method, name, original, uri))) {
      const words = 'Invalid params: there are too many subscriptions; unsubscribe from some'
      return errorAnswer(id, JsonRpcCode.INVALID_PARAMS, words, { outcome: 'refused', reason: 'subscriptions' })
    }
    return oneAnswer(resultResponse(id, {}), RELAYED)
  }
}
