/** sallyport for `node:http`, `node:https` and `node:http2` (compatibility API): a wrapper around the handler. */
import type { IncomingMessage, RequestListener } from 'node:http'
import { splitAbsoluteForm } from '../src/http/absolute-form.ts'
import { findAuth } from '../src/http/auth-of.ts'
import { carryOut } from '../src/http/carry-out.ts'
import { checkGates, decideInTurn } from '../src/http/decide.ts'
import type { Auth, Gate } from '../src/http/gate.ts'
import { type BodyHolder, headOf, NodeRequest } from '../src/http/node-request.ts'
import { notFrom } from '../src/http/not-from.ts'

export type {
  AbortSource,
  Auth,
  Gate,
  GateRequest,
  OpenAuth,
  Outcome,
  Pass,
  PasswordAuth,
  Reply,
  ReplyHeaders,
  RequestBody,
  TokenAuth,
} from '../src/http/gate.ts'
export { guardUpgrade, type UpgradeListener } from '../src/http/upgrade.ts'

/**
 * Wraps a request handler behind one or more gates; the first that does not skip decides.
 *
 * ```ts
 * createServer(sallyport(guard)((req, res) => res.end(`hello ${authOf(req)?.subject}`)))
 * ```
 *
 * @throws TypeError for no gates, and for something that is none
 */
export function sallyport(...gates: Gate[]): (handler: RequestListener) => RequestListener {
  checkGates(gates)
  return (handler) => {
    if (typeof handler !== 'function') throw notFrom('node:http', 'a handler, as in sallyport(guard)((req, res) => …)')
    return (req, res) => {
      const request = new NodeRequest(req, res, headOf(req), req, req as BodyHolder)
      const proceed = () => {
        toOriginForm(req)
        handler(req, res)
      }
      void decideInTurn(gates, request, (outcome) => carryOut(outcome, req, req, res, proceed))
    }
  }
}

/** A handler that compares `req.url` with paths must not take `GET http://host/healthz` for another path (RFC 9112 §3.2.2). */
function toOriginForm(req: IncomingMessage): void {
  if (req.url === undefined || req.url.startsWith('/')) return
  req.url = splitAbsoluteForm(req.url)?.originForm ?? req.url
}

/** Who came in: what the gate found out about the caller, or `undefined` where no gate has decided. */
export function authOf(req: IncomingMessage): Auth | undefined {
  return findAuth(req)
}
