/**
 * How the gateway begins with an upstream (B6): finds out its era by a modern request, and shakes hands with those that want it.
 * An era that was found out is believed for a while (`upstream-eras.ts`).
 */
import type { Clock } from '../core/clock.ts'
import type { Upstreams } from '../net/upstream.ts'
import { LEGACY_REVISIONS, META, MODERN_REVISIONS } from './eras.ts'
import { isJsonObject, type JsonObject } from './messages.ts'
import { ownId } from './request-ids.ts'
import { eraShown } from './server-eras.ts'
import { createUpstreamEras, revisionIn } from './upstream-eras.ts'
import { type Exchanged, exchangeWith, failed } from './upstream-exchange.ts'
import { faultReason, type MessageLimits, type UpstreamMessage, UpstreamReadError } from './upstream-messages.ts'
import {
  GATEWAY_INFO,
  type KnownEras,
  type LinkResult,
  type ProbedEra,
  stampOf,
  type UpstreamAbout,
  type UpstreamFault,
  type UpstreamLink,
  type UpstreamPeer,
} from './upstream-peer.ts'

/** What sessions are made of. */
export interface UpstreamSessionSettings {
  readonly upstreams: Upstreams
  readonly clock: Clock
  readonly limits: MessageLimits
  /** For probe and handshake, in milliseconds: a client waits for it. */
  readonly openMs: number
}

/** 0x21 to 0x7e (2025-03-26 and later, Session Management), and not without end. */
const SESSION_ID = /^[!-~]{1,2048}$/

/** See the top of the file. */
export interface UpstreamOpening {
  readonly eras: KnownEras
  open(peer: UpstreamPeer): Promise<LinkResult>
}

/** See the top of the file. */
export function createUpstreamOpening(settings: UpstreamSessionSettings): UpstreamOpening {
  const { upstreams, clock, limits, openMs } = settings
  const eras = createUpstreamEras(clock)
  const probes = new Map<string, Promise<ProbedEra | UpstreamFault>>()
  const openLimits = { ...limits, answerMs: openMs }

  return {
    eras: {
      find: eraOf,
      known: eras.of,
      refusesLegacy: (peer, probed) => eras.set(peer, { ...probed, refusesLegacy: true }),
      forget: eras.forget,
    },
    async open(peer) {
      const era = await eraOf(peer)
      if ('kind' in era) return era
      if (era.era === 'legacy') {
        const opened = await initialize(peer)
        // Whatever stood in front of it for a while may have been taken for it.
        if (opened.kind === 'failed') eras.forget(peer)
        return opened
      }
      const { refusesLegacy: _, ...settled } = era
      return { kind: 'link', link: { ...settled, endpoint: peer.server.url.href, sessionId: undefined } }
    },
  }

  async function eraOf(peer: UpstreamPeer): Promise<ProbedEra | UpstreamFault> {
    if (peer.era === 'legacy') return { era: 'legacy' }
    const known = eras.of(peer)
    if (known !== undefined) return known
    const key = eras.keyOf(peer)
    const under = probes.get(key)
    if (under !== undefined) return under
    const probing = probe(peer).finally(() => probes.delete(key))
    probes.set(key, probing)
    return probing
  }

  async function probe(peer: UpstreamPeer): Promise<ProbedEra | UpstreamFault> {
    const [revision] = MODERN_REVISIONS
    const id = ownId()
    const params = { _meta: stampOf(peer, revision) }
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method: 'server/discover', params }))
    const message = { kind: 'request', id, method: 'server/discover', params, bytes } as const
    const link = { era: 'modern', revision, sessionId: undefined } as const
    const signal = AbortSignal.timeout(openMs)
    const sent = await exchangeWith(upstreams, openLimits, peer, link, { method: 'POST', message, signal })
    const found = await probed(sent, id)
    if ('era' in found) eras.set(peer, found)
    return found
  }

  async function probed(sent: Exchanged, id: string): Promise<ProbedEra | UpstreamFault> {
    if (sent.kind === 'unauthorized') return sent
    if (sent.kind === 'accepted' || sent.kind === 'session_over') return { era: 'legacy' }
    const asked = { era: 'modern', method: 'server/discover' } as const
    let value: JsonObject | undefined
    let status = sent.upstreamStatus ?? 0
    if (sent.kind === 'error') value = sent.message.value
    else if (sent.kind === 'messages') {
      const response = await responseIn(sent.messages, id)
      if ('kind' in response && response.kind === 'failed') return response
      value = (response as { value: JsonObject }).value
    } else if (sent.upstreamStatus === null || sent.upstreamStatus >= 500 || sent.reason !== 'nonsense') {
      return aborted(sent)
    }
    if (status < 400) status = 200
    const shown = eraShown(asked, status, value)
    const revision = shown === 'modern' ? revisionIn(value) : undefined
    if (revision === undefined) return { era: 'legacy' }
    const result = isJsonObject(value?.result) ? value.result : {}
    const meta = isJsonObject(result._meta) ? result._meta : {}
    return { era: 'modern', revision, ...aboutOf(result, meta[META.serverInfo]) }
  }

  async function initialize(peer: UpstreamPeer): Promise<LinkResult> {
    const [revision] = LEGACY_REVISIONS
    const id = ownId()
    const { info, capabilities } = peer.client
    const params = { protocolVersion: revision, capabilities, clientInfo: info ?? GATEWAY_INFO }
    const bytes = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method: 'initialize', params }))
    const message = { kind: 'request', id, method: 'initialize', params, bytes } as const
    const opening = { era: 'legacy', revision, sessionId: undefined, opening: true } as const
    const signal = AbortSignal.timeout(openMs)
    const sent = await exchangeWith(upstreams, openLimits, peer, opening, { method: 'POST', message, signal })
    if (sent.kind === 'unauthorized') return sent
    if (sent.kind === 'failed') return aborted(sent)
    if (sent.kind !== 'messages') return failed('nonsense', sent.upstreamStatus, 'initialize was refused')
    const response = await responseIn(sent.messages, id)
    if ('kind' in response && response.kind === 'failed') return response
    const { result } = (response as { value: JsonObject }).value
    const settled = isJsonObject(result) ? LEGACY_REVISIONS.find((each) => each === result.protocolVersion) : undefined
    const sessionId: unknown = sent.answer?.headers['mcp-session-id']
    if (!isJsonObject(result) || settled === undefined) return failed('nonsense', 200, 'initialize settled on nothing')
    if (sessionId !== undefined && !(typeof sessionId === 'string' && SESSION_ID.test(sessionId))) {
      return failed('nonsense', 200, 'a session id that is none')
    }
    const about = aboutOf(result, result.serverInfo)
    const link: UpstreamLink = { era: 'legacy', revision: settled, endpoint: peer.server.url.href, sessionId, ...about }
    const ready = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    const done = { kind: 'other', method: 'notifications/initialized', bytes: ready } as const
    await exchangeWith(upstreams, openLimits, peer, link, { method: 'POST', message: done, signal })
    return { kind: 'link', link }
  }
}

function aboutOf({ capabilities, instructions }: JsonObject, serverInfo: unknown): UpstreamAbout {
  return {
    capabilities: isJsonObject(capabilities) ? capabilities : {},
    ...(isJsonObject(serverInfo) ? { serverInfo } : {}),
    ...(typeof instructions === 'string' ? { instructions } : {}),
  }
}

/** The response to a request of ours; what comes before it is for nobody. */
async function responseIn(
  messages: AsyncGenerator<UpstreamMessage>,
  id: string,
): Promise<{ readonly value: JsonObject } | Extract<UpstreamFault, { kind: 'failed' }>> {
  try {
    for await (const message of messages) {
      if (message.kind === 'response' && (message.id === id || message.id === undefined))
        return { value: message.value }
    }
    return failed('nonsense', 200, 'an answer without a response')
  } catch (error) {
    if (error instanceof UpstreamReadError) return failed(faultReason(error), 200, error.message)
    throw error
  }
}

/** The deadline is a signal of ours here, so that nobody has gone. */
function aborted(fault: Extract<UpstreamFault, { kind: 'failed' }>): Extract<UpstreamFault, { kind: 'failed' }> {
  return fault.reason === 'aborted' ? { ...fault, reason: 'timeout', detail: 'no answer in time' } : fault
}
