/** How a client begins with a virtual server: the handshake, `server/discover`, and what has to be done before anything can be used. */
import type { AuthorizationNeed } from '../../broker/credential.ts'
import { takesUrlElicitation } from '../../mcp/eras.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { jsonReply } from '../../mcp/json-rpc-reply.ts'
import { type RequestMessage, resultResponse } from '../../mcp/messages.ts'
import type { UpstreamAbout } from '../../mcp/upstream-peer.ts'
import type { Ended } from '../ending.ts'
import { endedOf, errorAnswer, oneAnswer, type VirtualAnswer } from './answer.ts'
import { discoveryOf, handshakeOf } from './capabilities.ts'
import { clientInfoOf, type VirtualContext } from './context.ts'
import type { VirtualMembers } from './members.ts'
import type { VirtualSessions } from './sessions.ts'
import type { VirtualSignal } from './signal.ts'

/** See the top of the file. */
export interface VirtualOpening {
  /** `initialize`: a session begins. */
  initialize(context: VirtualContext, request: RequestMessage): Promise<Ended>
  /** `server/discover`. */
  discover(context: VirtualContext, request: RequestMessage): Promise<VirtualAnswer>
  /** With `require: 'all'`: what is to be done before anything can be used, all at once. */
  missingConsents(context: VirtualContext, request: RequestMessage): Promise<VirtualAnswer | undefined>
}

/** What it works with. */
export interface VirtualOpeningParts {
  readonly sessions: Pick<VirtualSessions, 'begin'>
  readonly members: VirtualMembers
  readonly signal: VirtualSignal
}

const RELAYED = { outcome: 'relayed' } as const
/** The store has it for as long as the session lasts. */
const MAX_CLIENT_CHARACTERS = 32 * 1024
/** Before 2025-03-26 there is no Streamable HTTP. */
const SPOKEN = ['2025-11-25', '2025-06-18', '2025-03-26'] as const

/** See the top of the file. */
export function createVirtualOpening({ sessions, members, signal }: VirtualOpeningParts): VirtualOpening {
  /** What a bridged server says of itself; nothing is asked of the members of a virtual one. */
  async function aboutOf(
    context: VirtualContext,
    request: RequestMessage,
  ): Promise<{ readonly about?: UpstreamAbout; readonly problem?: VirtualAnswer }> {
    const { bridged, members: all, name } = context.virtual
    const [member] = all
    if (bridged === undefined || member === undefined) return {}
    const reached = await members.reach(context, member)
    if (reached.kind === 'reached') return { about: reached.link }
    return { problem: await signal.problem(context, request, name, reached) }
  }

  async function missingConsents(context: VirtualContext, request: RequestMessage): Promise<VirtualAnswer | undefined> {
    const { virtual } = context
    const all = virtual.config.require !== 'any'
    const found = await Promise.all(virtual.members.map((member) => members.credential(context, member)))
    const needs: AuthorizationNeed[] = []
    for (const [index, result] of found.entries()) {
      const name = virtual.members[index]?.server.name ?? virtual.name
      // What a caller sends is wrong for all of them; what cannot be had for now is one member's.
      const isWrong = result.kind === 'refused' && (all || result.reason === 'caller_headers')
      if (isWrong) return signal.problem(context, request, name, result)
      if (result.kind === 'authorization_required') needs.push(result.need)
    }
    return all && needs.length > 0 ? signal.needs(context, request, virtual.name, needs) : undefined
  }

  return {
    missingConsents,
    async initialize(before, request) {
      const { era, virtual, asker } = before
      if (era.era !== 'legacy') throw new TypeError('initialize is of the legacy eras')
      const asked = request.params?.protocolVersion
      if (typeof asked !== 'string') {
        const why = 'Invalid params: protocolVersion is missing'
        const end = { outcome: 'refused', reason: 'malformed' } as const
        return endedOf([errorAnswer(request.id, JsonRpcCode.INVALID_PARAMS, why, end)], false)
      }
      // Whoever asks for what is not spoken here gets the newest that is (2025-11-25, Version Negotiation).
      const revision = SPOKEN.find((each) => each === asked) ?? SPOKEN[0]
      const client = clientInfoOf(request.params?.clientInfo, era.capabilities)
      if (JSON.stringify(client).length > MAX_CLIENT_CHARACTERS) {
        const why = 'Invalid params: clientInfo and capabilities are longer than what is kept of a client'
        const end = { outcome: 'refused', reason: 'malformed' } as const
        return endedOf([errorAnswer(request.id, JsonRpcCode.INVALID_PARAMS, why, end)], false)
      }
      const context: VirtualContext = { ...before, session: undefined, client }
      const missing = await missingConsents(context, request)
      if (missing !== undefined) return endedOf([missing], false)
      const { about, problem } = await aboutOf(context, request)
      if (problem !== undefined) return endedOf([problem], false)
      const id = await sessions.begin({
        server: virtual.name,
        identity: asker.caller.identity.id,
        revision,
        urlElicitation: takesUrlElicitation(revision, era.capabilities),
        client,
      })
      const result = handshakeOf(virtual, revision, about)
      const reply = jsonReply(200, resultResponse(request.id, result), { 'mcp-session-id': id })
      return { reply, outcome: 'relayed' }
    },
    async discover(context, request) {
      const { about, problem } = await aboutOf(context, request)
      return problem ?? oneAnswer(resultResponse(request.id, discoveryOf(context.virtual, about)), RELAYED)
    },
  }
}
