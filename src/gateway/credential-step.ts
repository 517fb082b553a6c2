/**
 * The last part of a request's path: the credential, the relay, one more try where the upstream refuses a token that may be
 * renewed, and what the caller is told where somebody has to consent first.
 */
import type { Access } from '../access/access.ts'
import type { Broker, StepUp } from '../broker/broker.ts'
import { consentNeed } from '../broker/consent-need.ts'
import {
  type AuthorizationNeed,
  type CredentialKind,
  type CredentialResult,
  isGranted,
  isRenewable,
} from '../broker/credential.ts'
import type { RefusedTokens } from '../broker/refused-tokens.ts'
import { GatewayCode, JsonRpcCode } from '../mcp/error-codes.ts'
import { errorsReply, jsonReply } from '../mcp/json-rpc-reply.ts'
import type { ListJudge, Relay, RelayResult } from '../mcp/relay-call.ts'
import type { RequestStates } from '../mcp/request-state.ts'
import { authorizationSignal, takesRequestState } from '../mcp/signal.ts'
import { isInsufficientScope, readBearerChallenge } from '../oauth/challenge-parameters.ts'
import type { Call } from './call-step.ts'
import { discard, type Ended, failure, unavailable } from './ending.ts'
import { type Asker, DecideError, type Permissions } from './permissions.ts'
import { signalSituation } from './signal-situation.ts'

/** What the step works with. */
export interface CredentialStepParts {
  readonly permissions: Permissions
  /** The grants that count now. */
  readonly access: () => Access
  readonly relay: Relay
  readonly requestStates: Pick<RequestStates, 'seal'>
  readonly broker: Pick<Broker, 'connectUrl' | 'stepUp'>
  readonly refusedTokens: RefusedTokens
}

type RelayAnswer = Extract<RelayResult, { kind: 'answer' }>
type Found = Extract<CredentialResult, { kind: 'credential' }>

/** Puts the step together. */
export function createCredentialStep(parts: CredentialStepParts): (call: Call) => Promise<Ended> {
  const { permissions, access, relay, requestStates, broker, refusedTokens } = parts

  function resolve(
    { exchange, server, asker }: Call,
    refusal?: { readonly rejected: string | undefined; readonly challenge: string | undefined },
  ): CredentialResult | Promise<CredentialResult> {
    const { headers, rawHeaders } = exchange.request
    const { caller, principals } = asker
    const request = { caller, principals, server: server.name, headers, rawHeaders }
    const { credentials } = exchange.state
    const { rejected, challenge } = refusal ?? {}
    return credentials.resolve(rejected === undefined ? request : { ...request, rejected, challenge })
  }

  function send(call: Call, credential: Readonly<Record<string, string>>): Promise<RelayResult> {
    const { exchange, server, asker, era, session, place, body } = call
    const { request } = exchange
    const { gone = request.signal } = request
    return relay.send({
      server: server.relay,
      method: request.method as 'POST' | 'GET' | 'DELETE',
      headers: request.headers,
      signal: gone,
      era,
      session,
      place,
      body,
      credential,
      lists: request.method === 'GET' ? listsOfStream(asker) : permissions.lists(asker),
    })
  }

  /** Of a stream that outlives grants. One that nothing was left out of is ended where something would be (`judge-stream.ts`). */
  function listsOfStream(asker: Asker): ListJudge | undefined {
    if (permissions.lists(asker) === undefined) return undefined
    const now = () => permissions.lists({ ...asker, access: access() })
    return { allows: (list, name) => now()?.allows(list, name) ?? true }
  }

  async function sealedState({ body, place }: Call): Promise<string | undefined> {
    const [message] = body?.messages.messages ?? []
    return message?.kind === 'request' ? requestStates.seal(message, place) : undefined
  }

  /** What is there to do where there is no credential to send. */
  async function withoutCredential(
    call: Call,
    result: Exclude<CredentialResult, { kind: 'credential' }>,
  ): Promise<Ended> {
    const { exchange, asker, body } = call
    if (result.kind === 'unavailable') {
      return unavailable('credential_unavailable', result.detail, result.retryAfterMs, body?.messages)
    }
    if (result.kind === 'authorization_required') return signal(call, result.need, null)
    if (result.kind === 'misconfigured') return misconfigured(call, result.detail)
    const { reason, status, message, detail } = result
    // Somebody who has not said who they are may be anybody.
    if (asker.caller.kind === 'anonymous' && reason !== 'caller_headers') {
      const reply = exchange.state.protectedResource.unauthenticated(exchange.endpoint)
      return { reply, outcome: 'unauthenticated', reason: 'no_credentials' }
    }
    const reply = errorsReply(status, JsonRpcCode.INVALID_REQUEST, message, body?.messages)
    return { reply, outcome: 'refused', reason, ...(detail === undefined ? {} : { detail }) }
  }

  async function signal(call: Call, need: AuthorizationNeed, reason: string | null): Promise<Ended> {
    const situation = signalSituation(call, need, relay.eraOf(call.server.relay))
    const requestState = takesRequestState(situation) ? await sealedState(call) : undefined
    const { status, headers, body } = authorizationSignal({ ...situation, requestState })
    return { reply: jsonReply(status, body, headers), outcome: 'authorization_required', reason }
  }

  /** The upstream takes none of the caller's tokens, not even a new one: somebody has to consent anew. */
  async function rejected(call: Call, credential: CredentialKind): Promise<Ended> {
    // Where nobody is asked, there is nobody to ask again.
    if (isGranted(credential)) return notTaken(call, credential)
    return askAgain(call, 'token_rejected')
  }

  async function askAgain(call: Call, reason: string, stepUp?: StepUp): Promise<Ended> {
    const found = await consentNeed(broker, call.asker.caller, call.server.name, stepUp)
    return found.kind === 'unavailable' ? withoutCredential(call, found) : signal(call, found.need, reason)
  }

  /** The token is good for less than the call needs (RFC 6750 §3.1): `undefined` where asking for more would not help. */
  async function insufficient(call: Call, { challenge, reply }: RelayAnswer): Promise<Ended | undefined> {
    if (challenge === undefined) return undefined
    const { name, config } = call.server
    const stepUp = await broker.stepUp(call.asker.caller.identity.id, name, challenge, config.url)
    if (stepUp === undefined) return undefined
    discard(reply)
    return askAgain(call, 'insufficient_scope', stepUp)
  }

  /** The same for a token that nobody has to be asked for: the call goes again with one that is good for more, if there is one. */
  async function widened(call: Call, { stamp }: Found, answer: RelayAnswer): Promise<RelayResult> {
    const { challenge, reply } = answer
    if (!isInsufficientScope(challenge)) return answer
    const wider = await resolve(call, { rejected: stamp, challenge })
    if (wider.kind !== 'credential' || wider.stamp === stamp) return answer
    discard(reply)
    return noted(call, await send(call, wider.headers))
  }

  /** The token that is good for too little is the caller's own: whoever issued it can make a better one, if they know which. */
  function withScopes({ exchange }: Call, { challenge, reply }: RelayAnswer): Ended {
    const { error, scopes } = readBearerChallenge(challenge) ?? {}
    if (error !== 'insufficient_scope') return { reply, outcome: 'relayed' }
    const { endpoint, state } = exchange
    const headers = state.protectedResource.insufficientScope(endpoint, scopes)
    return { reply: { ...reply, headers: { ...reply.headers, ...headers } }, outcome: 'relayed' }
  }

  async function carryOut(call: Call): Promise<Ended> {
    try {
      const resolved = resolve(call)
      const first = resolved instanceof Promise ? await resolved : resolved
      if (first.kind !== 'credential') return await withoutCredential(call, first)
      call.exchange.credential = first.credential
      let used: Found = first
      let result = noted(call, await send(call, first.headers))
      if (result.kind === 'unauthorized' && isRenewable(first.credential)) {
        // Another new one would be refused as well, and a retrying agent would have one made with every call.
        if (refusedTokens.has(first.stamp)) return await rejected(call, first.credential)
        const second = await resolve(call, { rejected: first.stamp, challenge: result.challenge })
        if (second.kind !== 'credential') return await withoutCredential(call, second)
        call.exchange.credential = second.credential
        // Where it cannot be renewed, it is the same one.
        if (second.stamp === first.stamp) return await rejected(call, second.credential)
        used = second
        result = noted(call, await send(call, second.headers))
        if (result.kind === 'unauthorized') {
          refusedTokens.add(second.stamp)
          return await rejected(call, second.credential)
        }
      }
      if (result.kind === 'answer' && isGranted(used.credential)) result = await widened(call, used, result)
      switch (result.kind) {
        case 'answer':
          if (result.challenge !== undefined && first.credential === 'oauth2') {
            const ended = await insufficient(call, result)
            if (ended !== undefined) return ended
          }
          if (result.challenge !== undefined && first.credential === 'passthrough') return withScopes(call, result)
          return { reply: result.reply, outcome: 'relayed' }
        case 'failed': {
          const { reply, reason, detail } = result
          return { reply, outcome: reason === 'aborted' ? 'aborted' : 'failed', reason, detail }
        }
        case 'unauthorized':
          return notTaken(call, first.credential)
      }
    } catch (error) {
      if (error instanceof DecideError) return unavailable('decide', error.message, undefined, call.body?.messages)
      return failure(error, call.body?.messages)
    }
  }

  return carryOut
}

/** For the audit, also where more is tried afterwards. */
function noted({ exchange }: Call, result: RelayResult): RelayResult {
  exchange.upstreamStatus = result.upstreamStatus
  return result
}

/** An authorization server does not take the gateway, or what it asks for: 502, since the caller can do nothing about it. */
function misconfigured({ server, body }: Call, detail: string): Ended {
  const message = `The authorization server of ${server.name} gives the gateway no token: it is set up wrongly`
  const reply = errorsReply(502, GatewayCode.UPSTREAM_NONSENSE, message, body?.messages)
  return { reply, outcome: 'failed', reason: 'credential_misconfigured', detail }
}

/** The upstream refuses a credential that is nobody's to renew. */
function notTaken({ server, body }: Call, credential: CredentialKind): Ended {
  const { name } = server
  if (credential === 'caller_headers' || credential === 'passthrough') {
    const whose = credential === 'passthrough' ? 'your token' : 'the credential in x-tfy-mcp-headers'
    const reply = errorsReply(403, JsonRpcCode.INVALID_REQUEST, `${name} does not accept ${whose}`, body?.messages)
    return { reply, outcome: 'refused', reason: 'credential_rejected' }
  }
  const message = `${name} does not accept the gateway's credential`
  const reply = errorsReply(502, GatewayCode.UPSTREAM_NONSENSE, message, body?.messages)
  return {
    reply,
    outcome: 'failed',
    reason: 'credential_rejected',
    detail: `the upstream answered 401 (${credential})`,
  }
}
