/**
 * Who calls, and whether they have a role on the server. Nobody learns by the answer whether there is a server that they have no
 * role on, nor by the time that the grants take. (A `decide` that takes long does tell: it is not asked of servers that are not there.)
 */
import { CALLER_HEADERS_FIELD } from '../broker/caller-headers.ts'
import type { Reply } from '../http/gate.ts'
import type { Caller } from '../identity/caller.ts'
import type { CallerProblem } from '../identity/caller-problem.ts'
import { GatewayCode } from '../mcp/error-codes.ts'
import { jsonRpcError } from '../mcp/json-rpc-reply.ts'
import { type Ended, unavailable } from './ending.ts'
import type { Endpoint } from './endpoints.ts'
import type { Exchange } from './exchange.ts'
import type { Permission, Permissions } from './permissions.ts'

/** The answer to those who may not; `undefined` for those who may, who are in the exchange then. At once where it can be. */
export type CallerStep = (exchange: Exchange) => Ended | undefined | Promise<Ended | undefined>

/** What the step works with. */
export interface CallerStepParts {
  readonly permissions: Permissions
  readonly principalsFor: (caller: Caller) => readonly string[]
}

const CONNECT = { kind: 'connect' } as const
const NO_SERVER: Permission = { kind: 'denied', reason: 'no_role', rule: undefined, argument: undefined }

/** Puts the step together. */
export function createCallerStep({ permissions, principalsFor }: CallerStepParts): CallerStep {
  function known(exchange: Exchange, found: Caller | CallerProblem): Ended | undefined | Promise<Ended | undefined> {
    const { state, endpoint } = exchange
    if (found.kind === 'unauthenticated') {
      const { reason, detail } = found
      const reply = state.protectedResource.unauthenticated(endpoint, found)
      return { reply, outcome: 'unauthenticated', reason, detail }
    }
    if (found.kind === 'unavailable') {
      const { reason, detail } = found
      return { reply: state.protectedResource.unavailable(found), outcome: 'failed', reason, detail }
    }
    exchange.caller = found
    exchange.principals = principalsFor(found)
    const asked = roleOf(exchange, found)
    return asked instanceof Promise
      ? asked.then((role) => judged(exchange, found, role))
      : judged(exchange, found, asked)
  }

  function roleOf(exchange: Exchange, caller: Caller): Permission | Promise<Permission> {
    const { state, endpoint, principals } = exchange
    const server = exchange.server ?? exchange.virtual
    const { access } = state
    if (server !== undefined) return permissions.ask({ access, caller, principals, server: server.name }, CONNECT)
    // The same work for a server that is not there, so that nobody can tell by the time that it takes; `decide` knows of none such.
    access.decide(principals, endpoint.label, CONNECT)
    return NO_SERVER
  }

  return (exchange) => {
    const { state, endpoint, normalised } = exchange
    const asking = state.callers.authenticate(normalised.authorization, endpoint.url)
    return asking instanceof Promise ? asking.then((found) => known(exchange, found)) : known(exchange, asking)
  }
}

function judged(exchange: Exchange, caller: Caller, role: Permission): Ended | undefined {
  if (role.kind === 'unavailable') return unavailable('decide', role.detail)
  const isThere = exchange.server !== undefined || exchange.virtual !== undefined
  if (role.kind === 'denied' || !isThere) {
    // Nobody in particular is asked who they are, whatever is behind the endpoint.
    if (caller.kind === 'anonymous') return noCredentials(exchange)
    return { reply: unknownServer(exchange.endpoint), outcome: 'denied', reason: isThere ? 'no_role' : 'no_server' }
  }
  exchange.rule = role.rule
  return caller.kind === 'anonymous' && needsSomebody(exchange) ? noCredentials(exchange) : undefined
}

function noCredentials({ state, endpoint }: Exchange): Ended {
  const reply = state.protectedResource.unauthenticated(endpoint)
  return { reply, outcome: 'unauthenticated', reason: 'no_credentials' }
}

/** The same for a server that is not there as for one that the caller has no role on. */
export function unknownServer({ label }: Endpoint): Reply {
  return jsonRpcError(404, GatewayCode.UNKNOWN_SERVER, `Unknown server: ${label}`)
}

/** Whether the server's credential is the caller's own, who is nobody in particular and brings none. */
function needsSomebody({ server, virtual, request }: Exchange): boolean {
  const members = virtual?.config.require === 'any' ? [] : (virtual?.members.map((member) => member.server) ?? [])
  const types = [...(server === undefined ? [] : [server]), ...members].map(({ config }) => config.auth.type)
  if (!types.some((type) => OF_SOMEBODY.has(type))) return false
  return request.headers[CALLER_HEADERS_FIELD] === undefined
}

/** Kinds of `auth` that make the credential of what the caller has or is. */
const OF_SOMEBODY: ReadonlySet<string> = new Set(['oauth2', 'passthrough', 'token_exchange', 'identity_assertion'])
