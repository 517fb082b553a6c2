/**
 * sallyport for Express 4 and 5. Not for what else takes such middleware: Connect serves `/admin.x` under a mount of `/admin`. A target
 * with scheme and host stays as it is: Express finds its path, and a mounted router puts back what it has cut off by that length.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { findAuth, readAuth } from '../src/http/auth-of.ts'
import { carryOut } from '../src/http/carry-out.ts'
import { checkGates, decideInTurn } from '../src/http/decide.ts'
import type { Auth, Gate } from '../src/http/gate.ts'
import { type BodyHolder, type Head, NodeRequest } from '../src/http/node-request.ts'
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
    if (typeof next !== 'function' || read(req, 'headers') === undefined) throw notFrom('Express')
    const request = new NodeRequest(req, res, headOf(req), req, req as BodyHolder)
    void decideInTurn(gates, request, (outcome) => carryOut(outcome, localsOf(res) ?? req, req, res, next))
  }
}

/** A mounted router rewrites `url`; routes are about what the client asked for. */
function headOf(req: IncomingMessage): Head {
  const target = read(req, 'originalUrl') ?? read(req, 'url') ?? ''
  const method = read(req, 'method') ?? 'GET'
  return { method, target, rawHeaders: read(req, 'rawHeaders') } as Head
}

/** Express's own place for what is known of a request; engine.io has none. */
function localsOf(res: unknown): object | undefined {
  const locals = typeof res === 'object' && res !== null ? read(res, 'locals') : undefined
  return typeof locals === 'object' && locals !== null ? locals : undefined
}

/**
 * Express changes the prototype of every request and response, after which each has a hidden class that no other object has.
 * V8 finds a property of such an object three times as fast by a key that varies as by a name in the source, and adding one
 * makes another class, for about a microsecond.
 */
function read(object: object, key: string): unknown {
  return (object as Readonly<Record<string, unknown>>)[key]
}

/** Who came in: what the gate found out about the caller, or `undefined` where no gate has decided. */
export function authOf(req: IncomingMessage): Auth | undefined {
  return readAuth(localsOf(read(req, 'res')) ?? req) ?? findAuth(req)
}
