/** sallyport for Express 4 and 5 (and anything else with connect's middleware signature). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { readAuth } from '../src/http/auth-of.ts'
import { carryOut } from '../src/http/carry-out.ts'
import { checkGates, decide } from '../src/http/decide.ts'
import type { Auth, Gate } from '../src/http/gate.ts'
import { type BodyHolder, NodeRequest } from '../src/http/node-request.ts'

export type {
  AbortSource,
  Auth,
  Gate,
  GateRequest,
  Outcome,
  Pass,
  Reply,
  ReplyHeaders,
  RequestBody,
} from '../src/http/gate.ts'
export { guardUpgrade, type UpgradeListener } from '../src/http/upgrade.ts'

/** Express's middleware, by structure, so that it fits every version's types. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Middleware for one or more gates; the first that does not skip decides.
 *
 * ```ts
 * app.use(sallyport(guard))
 * ```
 *
 * @throws TypeError for no gates, and for something that is none
 */
export function sallyport(...gates: Gate[]): Middleware {
  checkGates(gates)
  return (req, res, next) => {
    // A mounted router rewrites `url`; routes are about what the client asked for.
    const target = (req as { originalUrl?: string }).originalUrl ?? req.url ?? ''
    const outcome = decide(gates, new NodeRequest(req, res, target, req, req as BodyHolder))
    if ('then' in outcome) void outcome.then((later) => carryOut(later, req, res, next))
    else carryOut(outcome, req, res, next)
  }
}

/** Who came in: what the gate found out about the caller, or `undefined` where no gate has decided. */
export function authOf(req: IncomingMessage): Auth | undefined {
  return readAuth(req)
}
