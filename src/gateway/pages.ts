/** What the gateway answers beside MCP: metadata for clients, pages for people. All else is the application's. */
import type { Broker } from '../broker/broker.ts'
import { isOutage } from '../core/errors.ts'
import type { GateRequest, Outcome, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { readPath } from '../http/path.ts'
import { problem } from '../http/replies.ts'
import type { Portal } from '../portal/create-portal.ts'
import type { Admission } from './admission.ts'
import type { Audit } from './audit.ts'
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
  /** The gateway's own pages; made of the gateway, so that they are asked for late. */
  readonly portal: () => Portal | undefined
  readonly audit: Pick<Audit, 'failed'>
}

const SKIP: Outcome = { kind: 'skip' }
const RETRY_AFTER = { 'retry-after': '1' }
const METADATA = '/.well-known/oauth-protected-resource'
/** Of a target that cannot be read. */
const COULD_BE_OURS = /mcp|oauth-protected-resource|connect|callback/i

/** Puts them together. */
export function createPages({ live, admission, broker, portal, audit }: PageParts): Pages {
  /** Who answers requests to a path. */
  const ownerOf = (path: string) => (broker.owns(path) ? broker : portal()?.owns(path) === true ? portal() : undefined)

  return {
    ambiguous({ target }) {
      const reading = readPath(target)
      if (reading === undefined) return COULD_BE_OURS.test(target) ? replyOf(problem(400)) : SKIP
      const { path, others: otherPaths } = reading
      const ours =
        live.current.endpoints.find({ path, otherPaths }) !== undefined ||
        [path, ...otherPaths].some((each) => ownerOf(each) !== undefined || each.startsWith(METADATA))
      return ours ? replyOf(problem(400)) : SKIP
    },
    answer(request, normalised, closed) {
      const { path, otherPaths } = normalised
      const metadata = live.current.protectedResource.answer(request, normalised)
      const owner = [path, ...otherPaths].map(ownerOf).find((each) => each !== undefined)
      if (metadata === undefined && owner === undefined) return SKIP
      if (metadata === 'ambiguous' || otherPaths.length > 0) return replyOf(problem(400))
      if (closed) return replyOf(problem(503, RETRY_AFTER))
      const foreign = admission.host(normalised)
      if (foreign !== undefined) return replyOf(foreign.reply)
      if (metadata !== undefined) return replyOf(metadata)
      if (owner === undefined) return SKIP
      return owner.answer(request, normalised).then(replyOf, (error: unknown) => {
        audit.failed(error)
        return replyOf(isOutage(error) ? problem(503, RETRY_AFTER) : problem(500))
      })
    },
  }
}

function replyOf(reply: Reply): Outcome {
  return { kind: 'reply', reply }
}
