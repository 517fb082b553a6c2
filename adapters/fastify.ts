/** sallyport for Fastify 4 and 5. */
import type { IncomingMessage } from 'node:http'
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import { findAuth } from '../src/http/auth-of.ts'
import { carryOut } from '../src/http/carry-out.ts'
import { checkGates, decideInTurn } from '../src/http/decide.ts'
import type { Auth, Gate, Outcome } from '../src/http/gate.ts'
import { type BodyHolder, headOf, NodeRequest } from '../src/http/node-request.ts'
import { notFrom } from '../src/http/not-from.ts'
import { standInFront } from '../src/http/upgrade.ts'

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
 * A plugin for one or more gates; the first that does not skip decides. It guards the instance it is registered on and
 * everything inside it, whenever that is registered.
 *
 * ```ts
 * await app.register(sallyport(guard))
 * ```
 *
 * @throws TypeError for no gates, and for something that is none
 */
export function sallyport(...gates: Gate[]): FastifyPluginCallback {
  checkGates(gates)
  const plugin = (app: FastifyInstance, _options: unknown, done: (error?: Error) => void): void => {
    if (typeof app?.hasRequestDecorator !== 'function') throw notFrom('Fastify')
    standInFront(app.server)
    // A second plugin, here or on a parent, adds its gates to the first one's.
    if (!app.hasRequestDecorator('sallyport')) app.decorateRequest('sallyport')
    app.addHook('onRequest', (request, reply, next) => {
      const gateRequest = new NodeRequest(
        request.raw,
        reply.raw,
        headOf(request.raw, request.originalUrl),
        request,
        request as BodyHolder,
      )
      void decideInTurn(gates, gateRequest, (outcome) => settle(outcome, request, reply, next))
    })
    done()
  }
  // What fastify-plugin does: without it the hook would guard nothing but the plugin's own, empty scope.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'sallyport',
  })
}

function settle(outcome: Outcome, request: FastifyRequest, reply: FastifyReply, next: () => void): void {
  const answers = outcome.kind === 'reply'
  if (answers) reply.hijack()
  carryOut(outcome, request, request.raw, reply.raw, next, answers ? reply.getHeaders() : undefined)
}

/**
 * Who came in: what the gate found out about the caller, or `undefined` where no gate has decided. Takes Fastify's
 * request, or the bare one in an `upgrade` handler.
 */
export function authOf(request: FastifyRequest | IncomingMessage): Auth | undefined {
  return findAuth(request)
}
