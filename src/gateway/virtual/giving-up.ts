/** A client goes away in the middle of a call: a modern one says by it that it gives up, and a legacy member has to be told so. */
import type { AbortSource } from '../../http/gate.ts'
import type { RequestId } from '../../mcp/messages.ts'
import type { UpstreamLink, UpstreamPeer, UpstreamSessions } from '../../mcp/upstream-peer.ts'
import type { VirtualContext } from './context.ts'

/** A request that a member has. */
export interface MemberRequest {
  readonly peer: UpstreamPeer
  readonly link: UpstreamLink
  readonly memberId: RequestId
}

/** See the top of the file. */
export interface GivingUp {
  /** Watches for it; `sent` tells what the member has by then, if anything. Returns what ends the watch. */
  watch(context: VirtualContext, sent: () => MemberRequest | undefined): () => void
}

const CANCEL_MS = 10_000

/** Tells members by `notifications/cancelled` (2025-11-25, Cancellation). */
export function createGivingUp(sessions: Pick<UpstreamSessions, 'send'>): GivingUp {
  function tell({ peer, link, memberId }: MemberRequest): void {
    const params = { requestId: memberId, reason: 'the client has gone' }
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params }))
    const message = { kind: 'other', method: 'notifications/cancelled', bytes } as const
    // Nobody is left to hear of it if it fails; `send` itself does not reject.
    void sessions.send(peer, link, message, AbortSignal.timeout(CANCEL_MS))
  }

  return {
    watch(context, sent) {
      const source = goneOf(context)
      // A legacy client that goes away may come back for the rest; it gives up by a message of its own.
      if (context.era.era === 'legacy') return () => {}
      const onGone = () => {
        const request = sent()
        if (request?.link.era === 'legacy') tell(request)
      }
      source.addEventListener('abort', onGone)
      return () => source.removeEventListener('abort', onGone)
    },
  }
}

/** Aborts when the client of a request goes away. */
export function goneOf({ exchange }: VirtualContext): AbortSource {
  const { request } = exchange
  return request.gone ?? request.signal
}
