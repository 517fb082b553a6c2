/** sallyport for Koa 2 and 3. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { findAuth } from '../src/http/auth-of.ts'
import { carryOut } from '../src/http/carry-out.ts'
import { checkGates, decideInTurn } from '../src/http/decide.ts'
import type { Auth, Gate, Outcome } from '../src/http/gate.ts'
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

/** The parts of Koa's context that are used, by structure, so that it fits every version's types. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly request: object
  readonly originalUrl: string
  readonly state: object
  /** `false` tells Koa that the answer has been written already. */
  respond?: boolean | undefined
}

/** Koa's middleware. */
export type KoaMiddleware = (ctx: KoaContext, next: () => Promise<unknown>) => Promise<unknown>

/**
 * Middleware for one or more gates; the first that does not skip decides.
 *
 * ```ts
 * app.use(sallyport(guard))
 * ```
 *
 * @throws TypeError for no gates, and for something that is none
 */
export function sallyport(...gates: Gate[]): KoaMiddleware {
  checkGates(gates)
  return (ctx, next) => {
    if (ctx?.req === undefined) throw notFrom('Koa')
    // koa-websocket has no response.
    const answer = ctx.res ?? ctx.req.socket
    const request = new NodeRequest(ctx.req, answer, headOf(ctx.req, ctx.originalUrl), ctx, ctx.request as BodyHolder)
    return decideInTurn(gates, request, (outcome) => settle(outcome, ctx, next))
  }
}

function settle(outcome: Outcome, ctx: KoaContext, next: () => Promise<unknown>): Promise<unknown> {
  if (outcome.kind === 'reply') ctx.respond = false
  return carryOut(outcome, ctx.state, ctx.req, ctx.res, next) ?? Promise.resolve()
}

/**
 * Who came in: what the gate found out about the caller, or `undefined` where no gate has decided. Takes Koa's
 * context, or the bare request in an `upgrade` handler.
 */
export function authOf(ctx: { readonly state: object } | IncomingMessage): Auth | undefined {
  return findAuth(ctx)
}
