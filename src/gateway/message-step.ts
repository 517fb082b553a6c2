/** From the body of a request to the server that it is for: what is read here is what everybody behind the gateway will read. */
import { problem } from '../http/replies.ts'
import { GatewayCode, JsonRpcCode } from '../mcp/error-codes.ts'
import { jsonReply, jsonRpcError } from '../mcp/json-rpc-reply.ts'
import { DEFAULT_SCAN_LIMITS, type ScanLimits } from '../mcp/key-scan.ts'
import { parseMessages } from '../mcp/messages.ts'
import type { CallStep } from './call-step.ts'
import type { CallerPlaces } from './caller-places.ts'
import { unknownServer } from './caller-step.ts'
import type { Ended } from './ending.ts'
import type { Exchange, ReadMessages } from './exchange.ts'
import type { ReadBody } from './request-body.ts'
import type { VirtualStep } from './virtual/step.ts'

/** Carries a request of a caller with a role on the server to its end. `body` is that of a POST. */
export type MessageStep = (exchange: Exchange, body: ReadBody | undefined) => Promise<Ended> | Ended

/** What the step works with. */
export interface MessageStepParts {
  /** Session, era, access to what messages name, credential and relay. */
  readonly call: CallStep
  /** The same for virtual servers. */
  readonly virtualCall: VirtualStep
  readonly places: CallerPlaces
  /** Of keys and values in a body. */
  readonly limits: { readonly maxKeys: number; readonly maxValues: number }
}

/** Puts the step together. */
export function createMessageStep({ call, virtualCall, places, limits }: MessageStepParts): MessageStep {
  // Grants look at arguments in depth, and so may a function of the user's own.
  const scan: ScanLimits = { ...DEFAULT_SCAN_LIMITS, ...limits, deepArguments: true }
  const exactScan: ScanLimits = { ...scan, exactArguments: true }

  function carryOn(exchange: Exchange, body: ReadMessages | undefined): Promise<Ended> | Ended {
    const { server, virtual, endpoint } = exchange
    if (server !== undefined) return places.take(exchange) ?? call(exchange, server, body)
    if (virtual !== undefined) return places.take(exchange) ?? virtualCall(exchange, virtual, body)
    return { reply: unknownServer(endpoint), outcome: 'denied', reason: 'no_server' }
  }

  return (exchange, body) => {
    if (body === undefined) return carryOn(exchange, undefined)
    switch (body.kind) {
      case 'refused': {
        const code = body.status === 413 ? GatewayCode.TOO_LARGE : JsonRpcCode.INVALID_REQUEST
        return { reply: jsonRpcError(body.status, code, body.message), outcome: 'refused', reason: body.reason }
      }
      case 'consumed':
        return { reply: problem(500), outcome: 'failed', reason: 'body_consumed', detail: body.detail }
      case 'aborted':
        return { reply: problem(400), outcome: 'aborted', reason: 'client_gone' }
    }
    const { bytes } = body
    const messages = parseMessages(bytes, exchange.server?.config.exactArguments === true ? exactScan : scan)
    if (messages.kind === 'problem') {
      const { status, response } = messages
      const reason = status === 413 ? 'too_large' : 'malformed'
      return { reply: jsonReply(status, response), outcome: 'refused', reason, detail: response.error.message }
    }
    exchange.messages = messages
    return carryOn(exchange, { bytes, messages })
  }
}
