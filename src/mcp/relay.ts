/**
 * Relays calls to upstream servers without changing what they say. Answers are not read on the ordinary way: they go to the
 * client as they come. Read are those to `initialize`, all that goes to callers from whom something is left out of lists, errors,
 * and what tells the era of a server that is not known.
 *
 * A client that goes away ends the request upstream in both eras. In the modern one that means to cancel it. In the legacy eras
 * it does not, and the upstream, which sees no more than its connection end, knows that; but nobody is left to read the answer.
 */
import type { Clock } from '../core/clock.ts'
import type { Upstreams } from '../net/upstream.ts'
import { UpstreamError } from '../net/upstream-error.ts'
import { JsonRpcCode } from './error-codes.ts'
import { isLasting } from './lasting.ts'
import { takeAnswer } from './relay-answer.ts'
import type { Relay, RelayCall, RelayResult } from './relay-call.ts'
import type { AnswerLimits } from './relay-context.ts'
import { errorReply, failed } from './relay-failure.ts'
import { requestFields } from './relay-headers.ts'
import { createServerEras } from './server-eras.ts'
import type { SessionIds } from './session-id.ts'

/** What a relay is made of. */
export interface RelaySettings {
  /** Closed with the relay. */
  readonly upstreams: Upstreams
  readonly sessionIds: SessionIds
  readonly clock: Clock
  readonly limits: AnswerLimits
  /** Told why a stream that was already on its way had to be broken off. For the operator. */
  readonly onBroken?: ((call: RelayCall, detail: string) => void) | undefined
}

/** See the top of the file. */
export function createRelay(settings: RelaySettings): Relay {
  const { upstreams, sessionIds, limits, onBroken } = settings
  const eras = createServerEras(settings.clock)
  const context = { sessionIds, eras, limits, onBroken }

  return {
    send(call) {
      if (call.method === 'DELETE' && call.session?.upstreamId === undefined) return Promise.resolve(endedHere(call))
      const request = {
        url: call.server.url,
        method: call.method,
        headers: requestFields(call),
        signal: call.signal,
        lasting: isLasting(call.method, call.body?.messages),
        body: call.body?.bytes,
      }
      return upstreams.send(request).then(
        (answer) => takeAnswer(context, call, answer),
        (error: unknown) => unanswered(call, error),
      )
    },
    eraOf: (server) => eras.of(server),
    close: () => upstreams.close(),
  }
}

/** A session that the upstream does not know of ends by the client's forgetting its id. */
function endedHere(call: RelayCall): RelayResult {
  const reply =
    call.session === undefined
      ? errorReply(call, 400, JsonRpcCode.INVALID_REQUEST, 'Invalid Request: there is no session to end')
      : { status: 204 }
  return { kind: 'answer', reply, upstreamStatus: null }
}

function unanswered(call: RelayCall, error: unknown): RelayResult {
  if (!(error instanceof UpstreamError)) throw error
  return failed(call, error.failure, null, error.message)
}
