/**
 * Members of a virtual server, as one caller reaches them: each with that member's own credential for this user, in a session that
 * belongs to this client. A member that has forgotten the session gets another one; a token that it refuses is renewed once.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Broker, StepUp } from '../../broker/broker.ts'
import {
  type AuthorizationNeed,
  type CredentialKind,
  type CredentialResult,
  isGranted,
  isRenewable,
} from '../../broker/credential.ts'
import type { AbortSource } from '../../http/gate.ts'
import type {
  SendResult,
  UpstreamFault,
  UpstreamLink,
  UpstreamPeer,
  UpstreamSend,
  UpstreamSessions,
} from '../../mcp/upstream-peer.ts'
import { isInsufficientScope } from '../../oauth/challenge-parameters.ts'
import type { RefusedTokens } from '../refused-tokens.ts'
import type { VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'
import type { VirtualSessions } from './sessions.ts'

/** What came of reaching for a member. */
export type MemberResult =
  | {
      readonly kind: 'sent'
      /** What the member took. */
      readonly credential: CredentialKind
      readonly peer: UpstreamPeer
      readonly link: UpstreamLink
      readonly result: Exclude<SendResult, UpstreamFault | { readonly kind: 'session_over' }>
    }
  | MemberProblem

/** Why a member was not reached. */
export type MemberProblem =
  | { readonly kind: 'need'; readonly need: AuthorizationNeed }
  | Extract<CredentialResult, { kind: 'refused' | 'unavailable' | 'misconfigured' }>
  | Extract<UpstreamFault, { kind: 'failed' }>

/** A member with what is needed to talk to it. */
export interface ReachedMember {
  readonly kind: 'reached'
  readonly credential: CredentialKind
  readonly peer: UpstreamPeer
  readonly link: UpstreamLink
}

/** See the top of the file. */
export interface VirtualMembers {
  /** Only whether there is a credential. */
  credential(context: VirtualContext, member: LiveMember): CredentialResult | Promise<CredentialResult>
  /** Shakes hands if that has not been done. `fresh`: a session of its own, which whoever asks has to end. */
  reach(
    context: VirtualContext,
    member: LiveMember,
    options?: { readonly fresh?: boolean },
  ): Promise<ReachedMember | MemberProblem>
  /** `make` is told what the member speaks. It is asked again where the message has to go again. */
  send(
    context: VirtualContext,
    member: LiveMember,
    make: (link: UpstreamLink, peer: UpstreamPeer) => UpstreamSend,
    signal: AbortSource,
  ): Promise<MemberResult>
}

/** What members are reached with. */
export interface VirtualMemberParts {
  readonly sessions: UpstreamSessions
  readonly kept: Pick<VirtualSessions, 'link' | 'keep' | 'drop'>
  readonly broker: Pick<Broker, 'connectUrl' | 'stepUp'>
  readonly refusedTokens: RefusedTokens
}

/** Clients without sessions, by member: what has been settled for them is kept here. */
const MAX_LINKS = 20_000
const LINK_MS = 60 * 60 * 1000
const MAX_TRIES = 3

/** See the top of the file. */
export function createVirtualMembers(parts: VirtualMemberParts): VirtualMembers {
  const { sessions, kept, broker, refusedTokens } = parts
  const links = new LRUCache<string, UpstreamLink>({ max: MAX_LINKS, ttl: LINK_MS })
  const opening = new Map<string, Promise<UpstreamLink | UpstreamFault>>()

  function credential(
    context: VirtualContext,
    { server }: LiveMember,
    refusal?: { readonly rejected: string; readonly challenge: string | undefined },
  ): CredentialResult | Promise<CredentialResult> {
    const { asker, exchange, virtual } = context
    const { headers, rawHeaders } = exchange.request
    // Of a plain server what a caller sends itself is in the plain form.
    const form = virtual.bridged === undefined ? { members: [...virtual.byName.keys()] } : {}
    const request = { ...asker, server: server.name, headers, rawHeaders, ...form }
    return exchange.state.credentials.resolve({ ...request, ...refusal })
  }

  async function linked(
    context: VirtualContext,
    peer: UpstreamPeer,
    instead?: UpstreamLink,
  ): Promise<UpstreamLink | UpstreamFault> {
    const key = keyOf(context, peer)
    const { session } = context
    const known = session === undefined ? links.get(key) : await kept.link(session, peer.server.id)
    if (known !== undefined && !isSame(known, instead)) return known
    const under = opening.get(key)
    if (under !== undefined) return under
    const opened = open(context, peer, key, instead).finally(() => opening.delete(key))
    opening.set(key, opened)
    return opened
  }

  async function open(context: VirtualContext, peer: UpstreamPeer, key: string, instead?: UpstreamLink) {
    const opened = await sessions.open(peer)
    if (opened.kind !== 'link') return opened
    const { link } = opened
    const { session } = context
    // There is nothing to keep of it, and it may be another era in an hour.
    if (link.era === 'modern') {
      if (instead === undefined) return link
      if (session === undefined) links.delete(key)
      else await kept.drop(session, peer.server.id)
      return link
    }
    if (session === undefined) {
      links.set(key, link)
      return link
    }
    const used = await kept.keep(session, peer.server.id, link, instead)
    if (!isSame(used, link)) void sessions.end(peer, link)
    return used
  }

  function peerOf(
    context: VirtualContext,
    { server }: LiveMember,
    fields: Readonly<Record<string, string>>,
  ): UpstreamPeer {
    const { exchange, client } = context
    const { headers } = exchange.request
    return { server: server.relay, era: server.config.era, credential: fields, headers, client }
  }

  /** Does something with a credential; with a renewed one where the member does not take it. */
  async function withCredential<Result extends { readonly kind: string }>(
    context: VirtualContext,
    member: LiveMember,
    work: (peer: UpstreamPeer, credential: CredentialKind) => Promise<Result | Unauthorized>,
  ): Promise<Result | MemberProblem> {
    let found = await credential(context, member)
    let isWider = false
    for (let tries = 0; ; tries++) {
      if (found.kind === 'authorization_required') return { kind: 'need', need: found.need }
      if (found.kind !== 'credential') return found
      const { credential: kind, stamp } = found
      context.exchange.credential = kind
      const result = await work(peerOf(context, member, found.headers), kind)
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
        const stepUp = await broker.stepUp(id, member.server.name, challenge)
        return stepUp ? anew(context, member, stepUp) : result
      }
      if (!isRenewable(kind) || stamp === undefined) return notTaken(member, kind)
      const noOther = () => (isGranted(kind) ? notTaken(member, kind) : anew(context, member))
      if (tries > 0) refusedTokens.add(stamp)
      if (refusedTokens.has(stamp)) return noOther()
      const { challenge } = result
      const renewed = await credential(context, member, { rejected: stamp, challenge })
      // Where it cannot be renewed, it is the same one.
      if (renewed.kind === 'credential' && renewed.stamp === stamp) return noOther()
      found = renewed
    }
  }

  /** The member takes none of the caller's tokens, or they are good for too little: somebody has to consent anew. */
  async function anew({ asker }: VirtualContext, { server }: LiveMember, stepUp?: StepUp): Promise<MemberProblem> {
    const { caller } = asker
    if (caller.kind !== 'person') return { kind: 'need', need: { kind: 'person' } }
    const { identity: by } = caller
    const more = stepUp === undefined ? {} : { stepUp }
    const url = await broker.connectUrl({ server: server.name, owner: by.id, by, ...more })
    return { kind: 'need', need: { kind: 'visit', urls: [url] } }
  }

  return {
    credential: (context, member) => credential(context, member),
    reach(context, member, { fresh = false } = {}) {
      return withCredential(context, member, async (peer, kind): Promise<ReachedMember | UpstreamFault> => {
        if (!fresh) {
          const link = await linked(context, peer)
          return 'kind' in link ? link : { kind: 'reached', credential: kind, peer, link }
        }
        const opened = await sessions.open(peer)
        return opened.kind === 'link' ? { kind: 'reached', credential: kind, peer, link: opened.link } : opened
      })
    },
    send(context, member, make, signal) {
      return withCredential(context, member, async (peer, kind): Promise<MemberResult | UpstreamFault> => {
        let before: UpstreamLink | undefined
        for (let tries = 0; tries < MAX_TRIES; tries++) {
          const link = await linked(context, peer, before)
          if ('kind' in link) return link
          const result = await sessions.send(peer, link, make(link, peer), signal)
          if (result.kind !== 'session_over') {
            context.exchange.upstreamStatus = result.upstreamStatus
            return result.kind === 'failed' || result.kind === 'unauthorized'
              ? result
              : { kind: 'sent', credential: kind, peer, link, result }
          }
          before = link
        }
        return { kind: 'failed', reason: 'nonsense', upstreamStatus: 404, detail: 'it forgets every session at once' }
      })
    },
  }
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

function isSame(one: UpstreamLink, other: UpstreamLink | undefined): boolean {
  return other !== undefined && one.sessionId === other.sessionId && one.era === other.era
}

/** Who may share what has been settled: one client's session, or one identity whose clients can do the same. */
function keyOf({ session, asker, virtual, client }: VirtualContext, { server, credential }: UpstreamPeer): string {
  if (session !== undefined) return `${session.key} ${server.id}`
  const of = [asker.caller.identity.id, virtual.name, server.id, server.url.href, client.capabilities, credential]
  return createHash('sha256').update(JSON.stringify(of)).digest('base64url')
}
