/** What the gateway answers beside MCP: metadata for clients, pages for people. All else is the application's. */
import type { Broker } from '../broker/broker.ts'
import { isOutage } from '../core/errors.ts'
import type { GateRequest, Outcome, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { readPath } from '../http/path.ts'
import { problem } from '../http/replies.ts'
import type { Admission } from './admission.ts'
import type { LiveStates } from './live-state.ts'

/** See the top of the file. */
export interface Pages {
  /** The outcome of a request that is for no MCP endpoint. `closed`: nothing is answered any more. */
  answer(request: GateRequest, normalised: NormalisedRequest, closed: boolean): Outcome | Promise<Outcome>
  /** The same for one without a normal form: 400 where any reading of it could be ours, else somebody else's to refuse. */
  ambiguous(request: GateRequest): Outcome
}

/** What pages need. */
export interface PageParts {
  readonly live: LiveStates
  readonly admission: Pick<Admission, 'host'>
  readonly broker: Pick<Broker, 'owns' | 'answer'>
}

const SKIP: Outcome = { kind: 'skip' }
const RETRY_AFTER = { 'retry-after': '1' }
const METADATA = '/.well-known/oauth-protected-resource'
/** Of a target that cannot be read. */
const COULD_BE_OURS = /mcp|oauth-protected-resource|connect|callback/i

/** Puts them together. */
export function createPages({ live, admission, broker }: PageParts): Pages {
  return {
    ambiguous({ target }) {
      const reading = readPath(target)
      if (reading === undefined) return COULD_BE_OURS.test(target) ? replyOf(problem(400)) : SKIP
      const { path, others: otherPaths } = reading
      const ours =
        live.current.endpoints.find({ path, otherPaths }) !== undefined ||
        [path, ...otherPaths].some((each) => broker.owns(each) || each.startsWith(METADATA))
      return ours ? replyOf(problem(400)) : SKIP
    },
    answer(request, normalised, closed) {
      const { path, otherPaths } = normalised
      const metadata = live.current.protectedResource.answer(request, normalised)
      const isBrokers = broker.owns(path) || otherPaths.some((each) => broker.owns(each))
      if (metadata === undefined && !isBrokers) return SKIP
      if (metadata === 'ambiguous' || otherPaths.length > 0) return replyOf(problem(400))
      if (closed) return replyOf(problem(503, RETRY_AFTER))
      const foreign = admission.host(normalised)
      if (foreign !== undefined) return replyOf(foreign.reply)
      if (metadata !== undefined) return replyOf(metadata)
      return broker
        .answer(request, normalised)
        .then(replyOf, (error: unknown) => replyOf(isOutage(error) ? problem(503, RETRY_AFTER) : problem(500)))
    },
  }
}

function replyOf(reply: Reply): Outcome {
  return { kind: 'reply', reply }
}
