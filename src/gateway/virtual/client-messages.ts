/** What clients send that no single member answers: responses to what members ask, cancellations, and what all members are told. */

import { Abort } from '../../http/abort.ts'
import { isLogLevel } from '../../mcp/asked-of-clients.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { spliceJson } from '../../mcp/json-splice.ts'
import { type Message, type RequestMessage, resultResponse } from '../../mcp/messages.ts'
import { memberIdIn, memberIdOf } from '../../mcp/request-ids.ts'
import { errorAnswer, oneAnswer, type VirtualAnswer } from './answer.ts'
import type { ClientAnswers } from './answers-of-clients.ts'
import type { VirtualCall } from './call.ts'
import type { VirtualContext } from './context.ts'
import type { VirtualMembers } from './members.ts'
import { abortWith } from './running-calls.ts'
import type { VirtualSessions } from './sessions.ts'

/** See the top of the file. */
export interface ClientMessages {
  /** `logging/setLevel`, up to 2025-11-25. */
  setLevel(context: VirtualContext, request: RequestMessage): Promise<VirtualAnswer>
  /** A response or a notification. */
  take(context: VirtualContext, message: Exclude<Message, RequestMessage>): Promise<void>
}

/** What they are carried on with. */
export interface ClientMessageParts {
  readonly sessions: VirtualSessions
  readonly members: VirtualMembers
  readonly calls: VirtualCall
  readonly answers: ClientAnswers
}

const RELAYED = { outcome: 'relayed' } as const
const TELL_MS = 10_000

/** See the top of the file. */
export function createClientMessages(parts: ClientMessageParts): ClientMessages {
  const { sessions, members, calls, answers } = parts

  async function take(context: VirtualContext, message: Exclude<Message, RequestMessage>): Promise<void> {
    if (message.kind === 'response') await passResponse(context, message)
    else if (message.method === 'notifications/cancelled') await cancel(context, message)
    else if (message.method === 'notifications/roots/list_changed') {
      await tellMembers(context, message.raw, message.method)
    }
  }

  async function setLevel(context: VirtualContext, request: RequestMessage): Promise<VirtualAnswer> {
    const level = request.params?.level
    if (!isLogLevel(level)) {
      const words = 'Invalid params: params.level must be a level of RFC 5424'
      return errorAnswer(request.id, JsonRpcCode.INVALID_PARAMS, words, { outcome: 'refused', reason: 'malformed' })
    }
    if (context.session !== undefined) await sessions.setLogLevel(context.session, level)
    await tellMembers(context, request.raw, request.method, memberIdOf(request.id))
    return oneAnswer(resultResponse(request.id, {}), RELAYED)
  }

  /** To the legacy members that have been shaken hands with; the others will not have heard of it. */
  async function tellMembers(context: VirtualContext, raw: Uint8Array, method: string, id?: string): Promise<void> {
    const { session, virtual } = context
    if (session === undefined) return
    const bytes = id === undefined ? raw : spliceJson(raw, [{ path: ['id'], json: JSON.stringify(id) }])
    const known = await sessions.links(session)
    await Promise.all(
      [...known.keys()].map(async (name) => {
        const member = virtual.byName.get(name)
        if (member === undefined) return
        const quick = abortWith(new Abort(), AbortSignal.timeout(TELL_MS))
        if (id === undefined) return members.tell(context, member, { kind: 'other', method, bytes }, quick)
        const message = { kind: 'request', id, method, params: undefined, bytes } as const
        await members.send(context, member, () => message, quick)
        // Of an answer that nobody has begun to read, nothing else ends the connection.
        quick.abort()
      }),
    )
  }

  /** The response of a client to what a member has asked, or to what was asked for one. */
  async function passResponse(
    context: VirtualContext,
    { id, raw }: Extract<Message, { kind: 'response' }>,
  ): Promise<void> {
    const { session, virtual } = context
    if (session === undefined) return
    if (answers.isOurs(id)) return answers.deliver(session, id, raw)
    const found = memberIdIn(id)
    const member = found === undefined ? undefined : virtual.byName.get(found.member)
    if (found === undefined || member === undefined) return
    const bytes = spliceJson(raw, [{ path: ['id'], json: JSON.stringify(found.id) }])
    const quick = AbortSignal.timeout(TELL_MS)
    await members.tell(context, member, { kind: 'other', method: undefined, bytes }, quick)
  }

  async function cancel(
    context: VirtualContext,
    { params, raw }: Extract<Message, { kind: 'notification' }>,
  ): Promise<void> {
    const requestId = params?.requestId
    if (typeof requestId !== 'string' && typeof requestId !== 'number') return
    calls.cancel(context, requestId)
    if (context.session === undefined) return
    const edited = spliceJson(raw, [{ path: ['params', 'requestId'], json: JSON.stringify(memberIdOf(requestId)) }])
    // It is over here already: what else is in the body must not fail because a member cannot be told.
    await tellMembers(context, edited, 'notifications/cancelled').catch(() => {})
  }

  return { setLevel, take }
}
