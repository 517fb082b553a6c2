/**
 * The gateway as an MCP client (B6): what it sends to an upstream with which it has settled how to talk, and what it reads.
 * How that is settled is in `upstream-opening.ts`, answers that go on over several streams are in `upstream-stream.ts`.
 */

import { eraShown } from './server-eras.ts'
import { type Exchanged, exchangeWith } from './upstream-exchange.ts'
import type { StreamMark } from './upstream-messages.ts'
import { createUpstreamOpening, type UpstreamSessionSettings } from './upstream-opening.ts'
import type { SendResult, UpstreamLink, UpstreamPeer, UpstreamSend, UpstreamSessions } from './upstream-peer.ts'
import { untilResponse } from './upstream-stream.ts'

const OVER = { kind: 'session_over', upstreamStatus: 404 } as const

/** See the top of the file. */
export function createUpstreamSessions(settings: UpstreamSessionSettings): UpstreamSessions {
  const { upstreams, limits, openMs } = settings
  const { eras, open } = createUpstreamOpening(settings)
  const way = { upstreams, limits }

  /** Whether an upstream says that it does not speak what it is believed to speak. */
  function hasChanged(peer: UpstreamPeer, link: UpstreamLink, { method }: UpstreamSend, sent: Exchanged): boolean {
    if (method === undefined || (sent.kind !== 'error' && sent.kind !== 'failed')) return false
    const value = sent.kind === 'error' ? sent.message.value : undefined
    const shown = eraShown({ era: link.era, method }, sent.upstreamStatus ?? 0, value)
    if (shown === undefined || shown === link.era) return false
    eras.forget(peer)
    // That a server is modern it can only say itself. Anything in front of it may say 404.
    return shown === 'modern'
  }

  return {
    eras,
    open,
    async send(peer, link, message, signal) {
      if (isElsewhere(peer, link)) return OVER
      const mark: StreamMark = { lastEventId: undefined, retryMs: undefined }
      const lasting = message.kind === 'request' && message.method === 'subscriptions/listen'
      const sent = await exchangeWith(upstreams, limits, peer, link, { method: 'POST', message, signal, mark, lasting })
      if (sent.kind !== 'messages' || message.kind !== 'request') {
        // Whoever says so has not carried it out, so that it may go again as what is spoken there now.
        return hasChanged(peer, link, message, sent) ? OVER : sent
      }
      const { type, upstreamStatus } = sent
      const messages = untilResponse(way, peer, link, sent, message.id, mark, signal)
      return { kind: 'messages', type, upstreamStatus, messages }
    },
    async listen(peer, link, signal): Promise<SendResult> {
      if (isElsewhere(peer, link)) return OVER
      const mark: StreamMark = { lastEventId: undefined, retryMs: undefined }
      const sent = await exchangeWith(upstreams, limits, peer, link, { method: 'GET', signal, mark, lasting: true })
      if (sent.kind !== 'messages') return sent
      const messages = untilResponse(way, peer, link, sent, undefined, mark, signal)
      return { kind: 'messages', type: 'events', upstreamStatus: sent.upstreamStatus, messages }
    },
    async end(peer, link) {
      if (link.sessionId === undefined || isElsewhere(peer, link)) return
      const signal = AbortSignal.timeout(openMs)
      await exchangeWith(upstreams, { ...limits, answerMs: openMs }, peer, link, { method: 'DELETE', signal })
    },
  }
}

/** A server of this name has been configured with another URL since. */
function isElsewhere({ server }: UpstreamPeer, { endpoint }: UpstreamLink): boolean {
  return endpoint !== server.url.href
}
