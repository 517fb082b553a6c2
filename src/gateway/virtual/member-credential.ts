/** The credential of a call to a member: this user's own, renewed once where the member refuses it. */
import type { Broker, StepUp } from '../../broker/broker.ts'
import { consentNeed } from '../../broker/consent-need.ts'
import {
  type AuthorizationNeed,
  type CredentialKind,
  type CredentialResult,
  isGranted,
  isRenewable,
} from '../../broker/credential.ts'
import type { RefusedTokens } from '../../broker/refused-tokens.ts'
import type { UpstreamFault } from '../../mcp/upstream-peer.ts'
import { isInsufficientScope } from '../../oauth/challenge-parameters.ts'
import type { VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'

/** Why a member was not reached. */
export type MemberProblem =
  | { readonly kind: 'need'; readonly need: AuthorizationNeed }
  | Extract<CredentialResult, { kind: 'refused' | 'unavailable' | 'misconfigured' }>
  | Extract<UpstreamFault, { kind: 'failed' }>

/** Header fields, names in lower case, and what kind of credential they are. */
export type CredentialFields = Extract<CredentialResult, { kind: 'credential' }>

/** See the top of the file. */
export interface MemberCredentials {
  /** Only whether there is one, and which. */
  find(context: VirtualContext, member: LiveMember): CredentialResult | Promise<CredentialResult>
  /** Does something with a credential; with a renewed one where the member does not take it, or has not taken it before. */
  use<Result extends { readonly kind: string }>(
    context: VirtualContext,
    member: LiveMember,
    work: (credential: CredentialFields) => Promise<Result | Unauthorized>,
    rejected?: RejectedCredential,
  ): Promise<Result | MemberProblem>
}

/** A token that a member has refused. */
export interface RejectedCredential {
  readonly kind: CredentialKind
  readonly stamp: string
  readonly challenge: string | undefined
  /** It was made in place of another that was refused: it is of no use to make one more. */
  readonly isNew: boolean
}

/** Tokens that are refused as soon as they are new are remembered in `refusedTokens`. */
export function createMemberCredentials(
  broker: Pick<Broker, 'connectUrl' | 'stepUp'>,
  refusedTokens: RefusedTokens,
): MemberCredentials {
  function credential(
    context: VirtualContext,
    { server }: LiveMember,
    refusal?: { readonly rejected: string; readonly challenge: string | undefined },
  ): CredentialResult | Promise<CredentialResult> {
    const { asker, exchange, virtual } = context
    const { headers, rawHeaders } = exchange.request
    const { caller, principals } = asker
    // Of a plain server what a caller sends itself is in the plain form.
    const members = virtual.bridged === undefined ? virtual.memberNames : undefined
    const request = { caller, principals, server: server.name, headers, rawHeaders, members }
    return exchange.state.credentials.resolve(refusal === undefined ? request : { ...request, ...refusal })
  }

  /** Does something with a credential; with a renewed one where the member does not take it. */
  async function use<Result extends { readonly kind: string }>(
    context: VirtualContext,
    member: LiveMember,
    work: (credential: CredentialFields) => Promise<Result | Unauthorized>,
    rejected?: RejectedCredential,
  ): Promise<Result | MemberProblem> {
    let found = await (rejected === undefined ? credential(context, member) : renew(context, member, rejected))
    let isWider = false
    for (let tries = rejected === undefined ? 0 : 1; ; tries++) {
      if (found.kind === 'authorization_required') return { kind: 'need', need: found.need }
      if (found.kind !== 'credential') return found
      const { credential: kind, stamp } = found
      context.exchange.credential = kind
      const result = await work(found)
      if (!isUnauthorized(result)) {
        const challenge = isRenewable(kind) ? challengeOf(result) : undefined
        if (challenge === undefined) return result
        if (isGranted(kind)) {
          if (isWider || stamp === undefined || !isInsufficientScope(challenge)) return result
          const wider = await credential(context, member, { rejected: stamp, challenge })
          if (wider.kind !== 'credential' || wider.stamp === stamp) return result
          isWider = true
          found = wider
          continue
        }
        const { id } = context.asker.caller.identity
        const { name, config } = member.server
        const stepUp = await broker.stepUp(id, name, challenge, config.url)
        return stepUp ? anew(context, member, stepUp) : result
      }
      if (!isRenewable(kind) || stamp === undefined) return notTaken(member, kind)
      found = await renew(context, member, { kind, stamp, challenge: result.challenge, isNew: tries > 0 })
    }
  }

  /** Another one than the one that was refused. */
  async function renew(
    context: VirtualContext,
    member: LiveMember,
    { kind, stamp, challenge, isNew }: RejectedCredential,
  ): Promise<CredentialResult | MemberProblem> {
    const noOther = () => (isGranted(kind) ? notTaken(member, kind) : anew(context, member))
    if (isNew) refusedTokens.add(stamp)
    if (refusedTokens.has(stamp)) return noOther()
    const renewed = await credential(context, member, { rejected: stamp, challenge })
    // Where it cannot be renewed, it is the same one.
    return renewed.kind === 'credential' && renewed.stamp === stamp ? noOther() : renewed
  }

  /** The member takes none of the caller's tokens, or they are good for too little: somebody has to consent anew. */
  async function anew({ asker }: VirtualContext, { server }: LiveMember, stepUp?: StepUp): Promise<MemberProblem> {
    const found = await consentNeed(broker, asker.caller, server.name, stepUp)
    return found.kind === 'unavailable' ? found : { kind: 'need', need: found.need }
  }

  return { find: (context, member) => credential(context, member), use }
}

/** The member refuses a credential, and there is no other. */
function notTaken({ server }: LiveMember, kind: CredentialKind): MemberProblem {
  const detail = `${server.name} does not take the credential (${kind})`
  return { kind: 'failed', reason: 'nonsense', upstreamStatus: 401, detail }
}

type Unauthorized = Extract<UpstreamFault, { kind: 'unauthorized' }>

function isUnauthorized(result: { readonly kind: string }): result is Unauthorized {
  return result.kind === 'unauthorized'
}

/** What a member says that a token is good for too little for (RFC 6750 §3.1). */
function challengeOf(result: object): string | undefined {
  const inner = 'result' in result ? result.result : result
  const challenge = typeof inner === 'object' && inner !== null && 'challenge' in inner ? inner.challenge : undefined
  return typeof challenge === 'string' ? challenge : undefined
}
