/** The provider's answer to a sign-in (RFC 6749 §4.1.2): a session, or what is to be done instead. */
import { messageOf, StoreError } from '../core/errors.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { readForm, readQuery } from '../http/parameters.ts'
import { redirect, withCookies } from '../http/redirect.ts'
import { writePerson } from './identity.ts'
import type { Provider } from './provider.ts'
import { failureOf, type Sending } from './sending.ts'
import type { SessionTokens } from './session.ts'
import { makeSession } from './session-tokens.ts'
import type { SignInParts } from './sign-in-parts.ts'
import type { Transaction } from './transaction.ts'

/** Answers what the provider of the integration `name` has sent a browser back with. */
export type Callback = (request: GateRequest, normalised: NormalisedRequest, name: string) => Promise<Reply>

/** How often an attempt that was lost begins anew by itself. */
const MAX_RENEWALS = 2

/** See the top of the file. */
export function createCallback(parts: SignInParts, sending: Sending): Callback {
  const { config, places, providers, sessions, transactions, people, verify, clock, tell } = parts
  const { failed, authorize, tryAgain, goOn } = sending
  /** Callbacks that are being answered, by what they brought; each comes from a browser that has begun the sign-in. */
  const underWay = new Map<string, Promise<Reply>>()

  /**
   * An answer to an attempt that this browser has not: used already (back button, a second click), too old, begun in another
   * browser, or overwritten by one of many tabs that began at once. The answer is not looked at.
   */
  async function lost(
    request: GateRequest,
    normalised: NormalisedRequest,
    provider: Provider,
    parameters: URLSearchParams,
    state: string,
  ): Promise<Reply> {
    const { name } = provider
    const wish = await transactions.recall(state, name)
    if (wish !== undefined && wish.prompt === undefined) {
      // As a link to there would. Whoever wants to be somebody else may have a session, and is asked.
      const place = { origin: places.login, integration: name }
      if ((await sessions.handleOf(request.headers.cookie, place)) !== undefined) return redirect(303, wish.returnTo)
    }
    const { renewals = 0 } = wish ?? {}
    // A browser that keeps no cookies does not go round for ever, and those of other hosts are not kept here.
    const isHere = places.originOf(normalised.host).origin === places.login
    if (wish !== undefined && isHere && parameters.has('code') && renewals < MAX_RENEWALS) {
      return authorize(request, normalised, provider, { ...wish, renewals: renewals + 1 })
    }
    const detail = 'this browser has no such sign-in under way'
    return failed('expired', name, normalised, detail, wish?.returnTo ?? places.homeOf(places.login))
  }

  /** From the provider's answer to a session. */
  async function finish(
    request: GateRequest,
    normalised: NormalisedRequest,
    provider: Provider,
    transaction: Transaction,
    parameters: URLSearchParams,
  ): Promise<Reply> {
    const { name } = provider
    const over = transactions.end(transaction.state)
    const again = tryAgain(name, transaction.returnTo)
    let tokens: SessionTokens
    try {
      const set = await provider.client.redeem(parameters, {
        redirectUri: places.callbackUrl(name),
        state: transaction.state,
        verifier: transaction.verifier,
        ...(provider.scopes.includes('openid') ? { nonce: transaction.nonce } : {}),
      })
      const made = await makeSession(provider, set, { verify, clock, refreshes: config.store !== undefined })
      if (made.kind !== 'session') {
        const reason = made.kind === 'bad' ? 'rejected' : 'unavailable'
        return withCookies(failed(reason, name, normalised, made.detail, again), [over])
      }
      tokens = made.tokens
    } catch (error) {
      const detail = messageOf(error)
      const why = withoutBrowsersWords(detail, parameters)
      return withCookies(failed(failureOf(error), name, normalised, detail, again, why), [over])
    }
    try {
      const place = { origin: places.login, integration: name }
      const begun = await sessions.begin(tokens, place, request.headers.cookie)
      if (begun === undefined) {
        const detail = 'the provider has ended the session while it began'
        return withCookies(failed('expired', name, normalised, detail, again), [over])
      }
      const who = provider.judged.identify(tokens.claims)
      await writePerson(people, tokens, parts)
      const reply = await goOn(transaction, begun.handle, [over, ...begun.cookies])
      tell({
        kind: 'signed_in',
        integration: name,
        id: who.id ?? null,
        subject: who.subject ?? null,
        clientAddress: normalised.clientAddress,
      })
      return reply
    } catch (error) {
      if (!(error instanceof StoreError || error instanceof RangeError)) throw error
      const reason = error instanceof StoreError ? 'unavailable' : 'rejected'
      return withCookies(failed(reason, name, normalised, messageOf(error), again), [over])
    }
  }

  return async (request, normalised, name) => {
    const provider = providers.get(name)
    if (provider === undefined) return failed('invalid', null, normalised, 'there is no such integration')
    const byPost = provider.oauth2.responseMode === 'form_post'
    if (request.method !== (byPost ? 'POST' : 'GET')) {
      return failed('invalid', name, normalised, `the answer came by ${request.method}`)
    }
    const parameters = byPost ? await readForm(request) : readQuery(request.target)
    if (parameters === undefined) return failed('invalid', name, normalised, 'the answer is not a form')
    const states = parameters.getAll('state')
    const state = states.length === 1 ? (states[0] ?? '') : ''
    const transaction = await transactions.find(state, name, request.headers.cookie)
    if (transaction === undefined) return lost(request, normalised, provider, parameters, state)
    // An impatient second click gets the first one's answer: of a code that comes twice, providers revoke everything that
    // the first has brought (RFC 6749 §4.1.2).
    const key = `${name} ${parameters}`
    const answer = underWay.get(key) ?? finish(request, normalised, provider, transaction, parameters)
    underWay.set(key, answer)
    try {
      return await answer
    } finally {
      underWay.delete(key)
    }
  }
}

/** RFC 6749 §4.1.2.1. */
const ERRORS = new Set([
  'invalid_request',
  'invalid_scope',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_response_type',
])

/** Why it has failed. Of an error that the browser has brought no more than its code: anybody can write such an answer. */
function withoutBrowsersWords(detail: string, parameters: URLSearchParams): string {
  const error = parameters.get('error')
  if (error === null) return detail
  return `the browser came back with ${ERRORS.has(error) ? `the error ${error}` : 'an error'}`
}
