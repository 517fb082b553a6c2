/** The messages of an answer up to the response, also where a stream ends early and has to be gone on with (2025-11-25, Resumability). */
import type { AbortSource } from '../http/gate.ts'
import { pause } from '../http/pause.ts'
import type { Upstreams } from '../net/upstream.ts'
import { type Exchanged, exchangeWith } from './upstream-exchange.ts'
import { type MessageLimits, type StreamMark, type UpstreamMessage, UpstreamReadError } from './upstream-messages.ts'
import type { UpstreamLink, UpstreamPeer } from './upstream-peer.ts'

/** How a stream is asked for. */
export interface UpstreamWay {
  readonly upstreams: Upstreams
  readonly limits: MessageLimits
}

/** Times in a row that a stream is gone on with and brings nothing: a server may close it as often as it likes. */
const MAX_FRUITLESS = 20
/** From so many resumptions on they are not made any faster than this, whatever the server says. */
const MANY = 20
const SLOWLY_MS = 250
const DEFAULT_RETRY_MS = 1_000
const MAX_RETRY_MS = 30_000

/**
 * Messages up to the response with `id`, and over streams that end before it; all of them without an id.
 *
 * @throws UpstreamReadError
 */
export async function* untilResponse(
  { upstreams, limits }: UpstreamWay,
  peer: UpstreamPeer,
  link: UpstreamLink,
  first: Extract<Exchanged, { kind: 'messages' }>,
  id: string | number | undefined,
  mark: StreamMark,
  signal: AbortSource,
): AsyncGenerator<UpstreamMessage> {
  let current = first
  let fruitless = 0
  for (let resumed = 0; ; resumed++) {
    const from = mark.lastEventId
    let isTold = false
    try {
      for await (const message of current.messages) {
        isTold = true
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
    fruitless = isTold || mark.lastEventId !== from ? 0 : fruitless + 1
    if (!canResume || fruitless >= MAX_FRUITLESS) {
      if (id === undefined) return
      const fault = current.type === 'json' ? 'nonsense' : 'broken'
      throw new UpstreamReadError(fault, 'the answer ended without a response')
    }
    const least = resumed < MANY ? 0 : SLOWLY_MS
    await pause(Math.max(least, Math.min(mark.retryMs ?? DEFAULT_RETRY_MS, MAX_RETRY_MS)), signal)
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
