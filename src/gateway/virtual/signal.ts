/** What a client is told when a member cannot be used: consent that is missing, or a member that does not answer. */
import type { AuthorizationNeed } from '../../broker/credential.ts'
import { takesUrlElicitation } from '../../mcp/eras.ts'
import { GatewayCode, JsonRpcCode } from '../../mcp/error-codes.ts'
import type { RequestMessage } from '../../mcp/messages.ts'
import { FAILURE_FORMS } from '../../mcp/relay-failure.ts'
import type { RequestStates } from '../../mcp/request-state.ts'
import { authorizationSignal, type SignalBody, takesRequestState } from '../../mcp/signal.ts'
import { errorAnswer, oneAnswer, type VirtualAnswer } from './answer.ts'
import { serverInfoOf, type VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'
import type { MemberProblem } from './member-credential.ts'
import type { VirtualMembers } from './members.ts'

/** See the top of the file. */
export interface VirtualSignal {
  /** Consents that are missing, all at once: URLs joined by ` , ` (G16). `server` is said by name. */
  needs(
    context: VirtualContext,
    request: RequestMessage,
    server: string,
    needs: readonly AuthorizationNeed[],
  ): Promise<VirtualAnswer>
  problem(
    context: VirtualContext,
    request: RequestMessage,
    member: string,
    problem: MemberProblem,
  ): Promise<VirtualAnswer>
  /** A member that could have what is asked for cannot list now, and nobody behind it is asked instead. */
  unlisted(context: VirtualContext, request: RequestMessage, member: LiveMember): Promise<VirtualAnswer>
}

/** See the top of the file. */
export function createVirtualSignal(
  requestStates: Pick<RequestStates, 'seal'>,
  members: Pick<VirtualMembers, 'credential'>,
): VirtualSignal {
  /** With `require: 'all'`: a client that begins with a call is told of everything at once, too. */
  async function missingBeside(context: VirtualContext, member: string): Promise<AuthorizationNeed[]> {
    const { virtual } = context
    if (virtual.config.require === 'any') return []
    const others = virtual.members.filter(({ server }) => server.name !== member)
    const found = await Promise.all(others.map((each) => members.credential(context, each)))
    return found.flatMap((result) => (result.kind === 'authorization_required' ? [result.need] : []))
  }

  async function needs(
    context: VirtualContext,
    request: RequestMessage,
    server: string,
    all: readonly AuthorizationNeed[],
  ): Promise<VirtualAnswer> {
    const { era, session, virtual, asker } = context
    const urls = [...new Set(all.flatMap((each) => (each.kind === 'visit' ? each.urls : [])))]
    const need: AuthorizationNeed = urls.length > 0 ? { kind: 'visit', urls } : { kind: 'person' }
    const urlElicitation = session?.urlElicitation ?? takesUrlElicitation(era.revision, era.capabilities)
    const form = virtual.config.signal ?? 'best'
    const takesState = takesRequestState({ era: era.era, urlElicitation, need, form })
    const place = { server: virtual.name, identity: asker.caller.identity.id }
    const { body } = authorizationSignal({
      era: era.era,
      revision: era.revision,
      urlElicitation,
      asked: { kind: 'messages', batch: false, messages: [request] },
      server,
      need,
      form,
      requestState: takesState ? await requestStates.seal(request, place) : undefined,
      discovery: { serverInfo: serverInfoOf(virtual) },
    })
    return oneAnswer(body as SignalBody, { outcome: 'authorization_required' })
  }

  async function problem(
    context: VirtualContext,
    request: RequestMessage,
    member: string,
    problem: MemberProblem,
  ): Promise<VirtualAnswer> {
    switch (problem.kind) {
      case 'need': {
        const others = await missingBeside(context, member)
        const who = others.length === 0 ? member : context.virtual.name
        return needs(context, request, who, [problem.need, ...others])
      }
      case 'refused': {
        const { message, reason, status, detail = null } = problem
        const end = { outcome: 'refused', reason, detail } as const
        return errorAnswer(request.id, JsonRpcCode.INVALID_REQUEST, message, end, status)
      }
      case 'misconfigured': {
        const words = `The authorization server of ${member} gives the gateway no token: it is set up wrongly`
        const end = { outcome: 'failed', reason: 'credential_misconfigured', detail: problem.detail } as const
        return errorAnswer(request.id, GatewayCode.UPSTREAM_NONSENSE, words, end, 502)
      }
      case 'unavailable': {
        const words = `${member} cannot be used at present; try again later`
        const end = { outcome: 'failed', reason: 'credential_unavailable', detail: problem.detail } as const
        return errorAnswer(request.id, GatewayCode.UNAVAILABLE, words, end, 503)
      }
      case 'failed': {
        const { status, code, text } = problem.upstreamStatus === 403 ? FORBIDDEN : FAILURE_FORMS[problem.reason]
        const outcome = problem.reason === 'aborted' ? 'aborted' : 'failed'
        const end = { outcome, reason: problem.reason, detail: `${member}: ${problem.detail}` } as const
        return errorAnswer(request.id, code, `${member} ${text}.`, end, status)
      }
    }
  }

  return {
    needs,
    problem,
    async unlisted(context, request, member) {
      const { name } = member.server
      const found = await members.credential(context, member)
      if (found.kind === 'authorization_required')
        return problem(context, request, name, { kind: 'need', need: found.need })
      if (found.kind !== 'credential') return problem(context, request, name, found)
      const words = `${name} cannot be used at present; try again later`
      const detail = `${name} could have this, and does not say what it has`
      const end = { outcome: 'failed', reason: 'unlisted', detail } as const
      return errorAnswer(request.id, GatewayCode.UNAVAILABLE, words, end, 503)
    },
  }
}

const FORBIDDEN = { status: 403, code: GatewayCode.UPSTREAM_FORBIDDEN, text: 'does not allow this' } as const
