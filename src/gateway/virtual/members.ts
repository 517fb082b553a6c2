/**
 * Members of a virtual server, as one caller reaches them: each with that member's own credential for this user, in a session that
 * belongs to this client and to that credential. A member that has forgotten the session gets another one; a token that it refuses is renewed once.
 * Callers who are nobody in particular share a session for what is the same for all, and have one for each request otherwise.
 */
import { createHash } from 'node:crypto'
import type { Broker } from '../../broker/broker.ts'
import type { CredentialKind, CredentialResult } from '../../broker/credential.ts'
import type { RefusedTokens } from '../../broker/refused-tokens.ts'
import type { AbortSource } from '../../http/gate.ts'
import { untilOver } from '../../mcp/until-over.ts'
import type {
  SendResult,
  UpstreamFault,
  UpstreamLink,
  UpstreamPeer,
  UpstreamSend,
  UpstreamSessions,
} from '../../mcp/upstream-peer.ts'
import { placeOwner } from '../caller-places.ts'
import { isNobodys, type VirtualContext } from './context.ts'
import { sourceOf } from './credential-source.ts'
import type { LiveMember } from './live.ts'
import {
  type CredentialFields,
  createMemberCredentials,
  type MemberProblem,
  type RejectedCredential,
} from './member-credential.ts'
import { createMemberLinks } from './member-links.ts'
import type { LinkPlace, VirtualSessions } from './sessions.ts'

/** What came of reaching for a member. */
export type MemberResult =
  | {
      readonly kind: 'sent'
      /** What the member took. */
      readonly credential: CredentialKind
      readonly peer: MemberPeer
      readonly link: UpstreamLink
      readonly result: Exclude<SendResult, UpstreamFault | { readonly kind: 'session_over' }>
    }
  | MemberProblem

/** A member with what is needed to talk to it. */
export interface ReachedMember {
  readonly kind: 'reached'
  readonly credential: CredentialKind
  /** Names the token, where there may be another. */
  readonly stamp: string | undefined
  readonly peer: UpstreamPeer
  readonly link: UpstreamLink
}

/** See the top of the file. */
export interface VirtualMembers {
  /** Only whether there is a credential. */
  credential(context: VirtualContext, member: LiveMember): CredentialResult | Promise<CredentialResult>
  /**
   * Shakes hands if that has not been done. `fresh`: a session of its own, which whoever asks has to end. `instead`: a session that
   * the member has forgotten. Without either it may be shared by all who are nobody in particular: it tells what the member is.
   */
  reach(
    context: VirtualContext,
    member: LiveMember,
    options?: {
      readonly fresh?: boolean
      readonly instead?: UpstreamLink | undefined
      /** What the member has not taken since it was reached. */
      readonly rejected?: RejectedCredential | undefined
    },
  ): Promise<ReachedMember | MemberProblem>
  /**
   * `make` is told what the member speaks. It is asked again where the message has to go again. `ofGateway`: the gateway asks by
   * itself, with nothing of the caller's in it. `from`: the source that the credential has to have, where more is said of a call.
   *
   * @throws OtherSourceError where it has another one by now; nothing has been sent then
   */
  send(
    context: VirtualContext,
    member: LiveMember,
    make: (link: UpstreamLink, peer: MemberPeer) => UpstreamSend,
    signal: AbortSource,
    options?: { readonly ofGateway?: boolean; readonly from?: string | undefined },
  ): Promise<MemberResult>
  /**
   * Sends what belongs to the session that there is: a notification, or a response, which may say what a person has answered. It
   * means nothing in another session, and is nobody else's business: where there is none any more it is dropped.
   */
  tell(
    context: VirtualContext,
    member: LiveMember,
    message: Extract<UpstreamSend, { kind: 'other' }>,
    signal: AbortSource,
  ): Promise<void>
  /** Ends the one of a session's `links` with a member, by their sources, that this caller's credential is good for. */
  end(context: VirtualContext, member: LiveMember, links: ReadonlyMap<string, UpstreamLink>): Promise<void>
  /** Ends the sessions of clients that have none themselves, as far as members answer soon. */
  close(): Promise<void>
}

/** The caller has another account at a member by now, or another credential, than what was begun there has. */
export class OtherSourceError extends Error {}

/** What members are reached with. */
export interface VirtualMemberParts {
  readonly sessions: UpstreamSessions
  readonly kept: Pick<VirtualSessions, 'link' | 'keep' | 'drop'>
  readonly broker: Pick<Broker, 'connectUrl' | 'stepUp'>
  readonly refusedTokens: RefusedTokens
}

const MAX_TRIES = 3

/** See the top of the file. */
export function createVirtualMembers(parts: VirtualMemberParts): VirtualMembers {
  const { sessions, kept, broker, refusedTokens } = parts
  const credentials = createMemberCredentials(broker, refusedTokens)
  const links = createMemberLinks(sessions)
  const opening = new Map<string, Promise<UpstreamLink | UpstreamFault>>()

  async function linked(
    context: VirtualContext,
    peer: MemberPeer,
    instead?: UpstreamLink,
  ): Promise<UpstreamLink | UpstreamFault> {
    const key = keyOf(context, peer)
    const { session } = context
    const known = session === undefined ? links.get(key) : await kept.link(session, placeOf(peer))
    if (known !== undefined && !isSame(known, instead)) return known
    const under = opening.get(key)
    if (under !== undefined) return under
    const opened = open(context, peer, key, instead).finally(() => opening.delete(key))
    opening.set(key, opened)
    return opened
  }

  async function open(context: VirtualContext, peer: MemberPeer, key: string, instead?: UpstreamLink) {
    const opened = await sessions.open(peer)
    if (opened.kind !== 'link') return opened
    const { link } = opened
    const { session } = context
    // There is nothing to keep of it, and it may be another era in an hour.
    if (link.era === 'modern') {
      if (instead === undefined) return link
      if (session === undefined) links.delete(key)
      else await kept.drop(session, placeOf(peer))
      return link
    }
    if (session === undefined) {
      links.set(key, ownerOf(context, peer), peer, link)
      return link
    }
    const used = await kept.keep(session, placeOf(peer), link, instead)
    if (!isSame(used, link)) void sessions.end(peer, link)
    return used
  }

  /** A session for one request, where the member has sessions: what somebody leaves in it the next one must not find. */
  async function linkOnce(
    context: VirtualContext,
    peer: MemberPeer,
    instead?: UpstreamLink,
  ): Promise<UpstreamLink | UpstreamFault> {
    const key = keyOf(context, peer)
    const known = links.get(key)
    if (known !== undefined && known.sessionId === undefined && !isSame(known, instead)) return known
    const opened = await sessions.open(peer)
    if (opened.kind !== 'link') return opened
    const { link } = opened
    if (link.era === 'legacy' && link.sessionId === undefined) links.set(key, ownerOf(context, peer), peer, link)
    return link
  }

  /** What there is to be done when an answer is over, or nobody waits for it any more. */
  function afterwards(once: boolean, peer: UpstreamPeer, link: UpstreamLink): (() => void) | undefined {
    if (!once) return links.use(link)
    return link.sessionId === undefined ? undefined : () => void sessions.end(peer, link)
  }

  function peerOf(context: VirtualContext, member: LiveMember, found: CredentialFields): MemberPeer {
    const { exchange, client } = context
    const { headers } = exchange.request
    const { relay, config } = member.server
    const source = sourceOf(context, member, found)
    return { server: relay, era: config.era, credential: found.headers, headers, client, source }
  }

  return {
    credential: credentials.find,
    reach(context, member, { fresh = false, instead, rejected } = {}) {
      const reached = async (found: CredentialFields): Promise<ReachedMember | UpstreamFault> => {
        const { credential, stamp } = found
        const peer = peerOf(context, member, found)
        if (!fresh) {
          const link = await linked(context, peer, instead)
          return 'kind' in link ? link : { kind: 'reached', credential, stamp, peer, link }
        }
        const opened = await sessions.open(peer)
        return opened.kind === 'link' ? { kind: 'reached', credential, stamp, peer, link: opened.link } : opened
      }
      return credentials.use(context, member, reached, rejected)
    },
    send(context, member, make, signal, { ofGateway = false, from } = {}) {
      const once = !ofGateway && isNobodys(context)
      return credentials.use(context, member, async (found): Promise<MemberResult | UpstreamFault> => {
        const { credential } = found
        const peer = peerOf(context, member, found)
        if (from !== undefined && peer.source !== from) throw new OtherSourceError()
        let before: UpstreamLink | undefined
        for (let tries = 0; tries < MAX_TRIES; tries++) {
          const link = await (once ? linkOnce : linked)(context, peer, before)
          if ('kind' in link) return link
          const message = make(link, peer)
          const over = afterwards(once, peer, link)
          const sent = await sessions.send(peer, link, message, signal)
          const result = over === undefined ? sent : withEnd(sent, signal, over)
          if (result.kind !== 'session_over') {
            context.exchange.upstreamStatus = result.upstreamStatus
            return result.kind === 'failed' || result.kind === 'unauthorized'
              ? result
              : { kind: 'sent', credential, peer, link, result }
          }
          before = link
        }
        return { kind: 'failed', reason: 'nonsense', upstreamStatus: 404, detail: 'it forgets every session at once' }
      })
    },
    async tell(context, member, message, signal) {
      const { session } = context
      if (session === undefined) return
      await credentials.use(context, member, async (found) => {
        const peer = peerOf(context, member, found)
        const link = await kept.link(session, placeOf(peer))
        if (link === undefined) return { kind: 'dropped' as const }
        const sent = await sessions.send(peer, link, message, signal)
        context.exchange.upstreamStatus = sent.upstreamStatus
        return sent
      })
    },
    async end(context, member, links) {
      const found = await credentials.find(context, member)
      if (found.kind !== 'credential') return
      const peer = { ...peerOf(context, member, found), headers: {} }
      const link = links.get(peer.source)
      if (link !== undefined) void sessions.end(peer, link)
    },
    close: links.close,
  }
}

function withEnd(sent: SendResult, signal: AbortSource, over: () => void): SendResult {
  if (sent.kind === 'messages') return { ...sent, messages: untilOver(sent.messages, signal, over) }
  over()
  return sent
}

/** Whether two links are one session. */
export function isSame(one: UpstreamLink, other: UpstreamLink | undefined): boolean {
  if (other === undefined) return false
  return one.sessionId === other.sessionId && one.era === other.era && one.endpoint === other.endpoint
}

/** A member as one caller reaches it, and what the credential comes from. */
export interface MemberPeer extends UpstreamPeer {
  /** See `sourceOf`. */
  readonly source: string
}

/** Where a client's session with a member is kept. */
function placeOf({ server, source }: MemberPeer): LinkPlace {
  return { member: server.id, source }
}

/** Of whom there may be only so many sessions: one caller at one member. */
function ownerOf({ exchange }: VirtualContext, { server }: UpstreamPeer): string {
  return `${placeOwner(exchange)} ${server.id}`
}

/** Who may share what has been settled: one client's session, or one identity whose clients can do the same. */
function keyOf(
  { session, asker, virtual, client }: VirtualContext,
  { server, credential, source }: MemberPeer,
): string {
  if (session !== undefined) return `${session.key} ${server.id} ${source}`
  const of = [asker.caller.identity.id, virtual.name, server.id, server.url.href, client.capabilities, credential]
  return createHash('sha256').update(JSON.stringify(of)).digest('base64url')
}
