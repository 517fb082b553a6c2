/**
 * The gateway as an MCP client (B6): finds out the era of an upstream by a modern request, shakes hands with those that want it,
 * and reads answers up to the response, also where a stream ends early and has to be gone on with (2025-11-25, Resumability).
 */
import type { Clock } from '../core/clock.ts'
import type { AbortSource } from '../http/gate.ts'
import type { Upstreams } from '../net/upstream.ts'
import { LEGACY_REVISIONS, META, MODERN_REVISIONS } from './eras.ts'
import { isJsonObject, type JsonObject } from './messages.ts'
import { ownId } from './request-ids.ts'
import { eraShown } from './server-eras.ts'
import { createUpstreamEras, type ProbedEra, revisionIn } from './upstream-eras.ts'
import { type Exchanged, exchangeWith, failed } from './upstream-exchange.ts'
import { type MessageLimits, type StreamMark, type UpstreamMessage, UpstreamReadError } from './upstream-messages.ts'
import {
  GATEWAY_INFO,
  type LinkResult,
  type SendResult,
  type UpstreamFault,
  type UpstreamLink,
  type UpstreamPeer,
  type UpstreamSessions,
} from './upstream-peer.ts'

/** What sessions are made of. */
export interface UpstreamSessionSettings {
  readonly upstreams: Upstreams
  readonly clock: Clock
  readonly limits: MessageLimits
  /** For probe and handshake, in milliseconds: a client waits for it. */
  readonly openMs: number
}

/** Times that a stream without its response is gone on with. */
const MAX_RESUMPTIONS = 20
const DEFAULT_RETRY_MS = 1_000
const MAX_RETRY_MS = 30_000
/** 0x21 to 0x7e (2025-03-26 and later, Session Management), and not without end. */
const SESSION_ID = /^[!-~]{1,2048}$/

/** See the top of the file. */
export function createUpstreamSessions(settings: UpstreamSessionSettings): UpstreamSessions {
  const { upstreams, clock, limits, openMs } = settings
  const eras = createUpstreamEras(clock)
  const probes = new Map<string, Promise<ProbedEra | UpstreamFault>>()
  const openLimits = { ...limits, answerMs: openMs }

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
    return { era: 'modern', revision, capabilities: isJsonObject(result.capabilities) ? result.capabilities : {} }
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
    const link: UpstreamLink = {
      era: 'legacy',
      revision: settled,
      sessionId,
      capabilities: isJsonObject(result.capabilities) ? result.capabilities : {},
    }
    const ready = Buffer.from('{"jsonrpc":"2.0","method":"notifications/initialized"}')
    const done = { kind: 'other', method: 'notifications/initialized', bytes: ready } as const
    await exchangeWith(upstreams, openLimits, peer, link, { method: 'POST', message: done, signal })
    return { kind: 'link', link }
  }

  /** Messages up to the response, and over streams that end before it. */
  async function* untilResponse(
    peer: UpstreamPeer,
    link: UpstreamLink,
    first: Extract<Exchanged, { kind: 'messages' }>,
    id: string | number | undefined,
    mark: StreamMark,
    signal: AbortSource,
  ): AsyncGenerator<UpstreamMessage> {
    let current = first
    for (let tries = 0; ; tries++) {
      try {
        for await (const message of current.messages) {
          if (message.kind !== 'response') yield message
          // What answers something else is nobody's here. An error without an id can only be about what was asked.
          else if (id !== undefined && (message.id === id || (message.id === undefined && current.type === 'json'))) {
            yield message
            return
          }
        }
      } catch (error) {
        if (!(error instanceof UpstreamReadError) || error.fault !== 'broken' || signal.aborted) throw error
      }
      if (signal.aborted) return
      const canResume = link.era === 'legacy' && current.type === 'events' && mark.lastEventId !== undefined
      if (!canResume || tries >= MAX_RESUMPTIONS) {
        if (id === undefined) return
        const fault = current.type === 'json' ? 'nonsense' : 'broken'
        throw new UpstreamReadError(fault, 'the answer ended without a response')
      }
      await pause(Math.min(mark.retryMs ?? DEFAULT_RETRY_MS, MAX_RETRY_MS), signal)
      if (signal.aborted) return
      const { lastEventId } = mark
      const more = await exchangeWith(upstreams, limits, peer, link, {
        method: 'GET',
        signal,
        mark,
        lasting: true,
        ...(lastEventId === undefined ? {} : { lastEventId }),
      })
      if (more.kind !== 'messages') {
        if (id === undefined) return
        throw new UpstreamReadError('broken', 'the answer ended without a response and cannot be gone on with')
      }
      current = more
    }
  }

  return {
    async open(peer) {
      const era = await eraOf(peer)
      if ('kind' in era) return era
      if (era.era === 'legacy') {
        const opened = await initialize(peer)
        // Whatever stood in front of it for a while may have been taken for it.
        if (opened.kind === 'failed') eras.forget(peer)
        return opened
      }
      const { revision, capabilities } = era
      return { kind: 'link', link: { era: 'modern', revision, sessionId: undefined, capabilities } }
    },
    async send(peer, link, message, signal) {
      const mark: StreamMark = { lastEventId: undefined, retryMs: undefined }
      const lasting = message.kind === 'request' && message.method === 'subscriptions/listen'
      const sent = await exchangeWith(upstreams, limits, peer, link, { method: 'POST', message, signal, mark, lasting })
      if (sent.kind !== 'messages' || message.kind !== 'request') return sent
      const { type, upstreamStatus } = sent
      const messages = untilResponse(peer, link, sent, message.id, mark, signal)
      return { kind: 'messages', type, upstreamStatus, messages }
    },
    async listen(peer, link, signal): Promise<SendResult> {
      const mark: StreamMark = { lastEventId: undefined, retryMs: undefined }
      const sent = await exchangeWith(upstreams, limits, peer, link, { method: 'GET', signal, mark, lasting: true })
      if (sent.kind !== 'messages') return sent
      const messages = untilResponse(peer, link, sent, undefined, mark, signal)
      return { kind: 'messages', type: 'events', upstreamStatus: sent.upstreamStatus, messages }
    },
    async end(peer, link) {
      if (link.sessionId === undefined) return
      const signal = AbortSignal.timeout(openMs)
      await exchangeWith(upstreams, openLimits, peer, link, { method: 'DELETE', signal })
    },
  }
}

/** What `_meta` of a modern request has to say. */
export function stampOf({ client }: Pick<UpstreamPeer, 'client'>, revision: string): JsonObject {
  return {
    [META.protocolVersion]: revision,
    [META.clientInfo]: client.info ?? GATEWAY_INFO,
    [META.clientCapabilities]: client.capabilities,
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

/** What reading has failed with, as a reason. */
export function faultReason({ fault }: UpstreamReadError): 'too_large' | 'timeout' | 'nonsense' | 'unreachable' {
  return fault === 'broken' ? 'unreachable' : fault
}

/** The deadline is a signal of ours here, so that nobody has gone. */
function aborted(fault: Extract<UpstreamFault, { kind: 'failed' }>): Extract<UpstreamFault, { kind: 'failed' }> {
  return fault.reason === 'aborted' ? { ...fault, reason: 'timeout', detail: 'no answer in time' } : fault
}

function pause(ms: number, signal: AbortSource): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
