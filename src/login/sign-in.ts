/** Signing in: off to the provider, and back with its answer. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { messageOf, StoreError } from '../core/errors.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { readForm, readQuery } from '../http/parameters.ts'
import { redirect, withCookies } from '../http/redirect.ts'
import type { People } from '../identity/people.ts'
import type { TokenVerifier } from '../jwt/token-verifier.ts'
import { safeReturnTo } from '../match/return-to.ts'
import { AuthorizationError } from '../oauth/authorization-error.ts'
import { type LoginFailure, loginFailedPage, signInChoicePage } from '../pages/login-pages.ts'
import type { LoginConfig } from './config.ts'
import type { LoginEvent } from './events.ts'
import { type HandOffs, HOP } from './hand-off.ts'
import { writePerson } from './identity.ts'
import { PAGES, type Places } from './places.ts'
import type { Provider } from './provider.ts'
import type { Sessions, SessionTokens } from './session.ts'
import { makeSession } from './session-tokens.ts'
import type { SignInWish, Transaction, Transactions } from './transaction.ts'

/** What signing in works with. */
export interface SignInParts {
  readonly config: LoginConfig
  readonly places: Places
  readonly providers: ReadonlyMap<string, Provider>
  readonly sessions: Sessions
  readonly transactions: Transactions
  readonly handOffs: HandOffs
  readonly people: People | undefined
  readonly verify: TokenVerifier
  readonly clock: Clock
  tell(event: Pick<LoginEvent, 'kind' | 'integration'> & Partial<LoginEvent>): void
}

/** Signing in, step by step. */
export interface SignInSteps {
  /** Sends a browser off from wherever it is; with several providers to choose from, asks which. */
  start(
    request: GateRequest,
    normalised: NormalisedRequest,
    names: readonly string[],
    returnTo?: string,
    prompt?: string,
  ): Promise<Reply>
  /** The page that begins a sign-in on the login's origin. */
  signInPage(request: GateRequest, normalised: NormalisedRequest): Promise<Reply>
  /** The provider's answer (RFC 6749 §4.1.2). */
  callback(request: GateRequest, normalised: NormalisedRequest, name: string): Promise<Reply>
  /** A session that comes over from the login's origin. */
  handOffPage(request: GateRequest, normalised: NormalisedRequest): Promise<Reply>
}

const MAX_RETURN_TO = 2_048
/** How often an attempt that was lost begins anew by itself. */
const MAX_RENEWALS = 2
/** OpenID Connect Core §3.1.2.1: what a link of ours may ask of the provider. */
const PROMPTS = new Set(['login', 'select_account', 'consent'])

/** See the top of the file. */
export function createSignIn(parts: SignInParts): SignInSteps {
  const { config, places, providers, sessions, transactions, handOffs, people, verify, clock, tell } = parts
  const { brand } = config
  /** Callbacks that are being answered, by what they brought; each comes from a browser that has begun the sign-in. */
  const underWay = new Map<string, Promise<Reply>>()

  /** A page that says what went wrong; the operator finds the same reference in the event. */
  function failed(
    reason: LoginFailure,
    integration: string | null,
    normalised: NormalisedRequest,
    detail: string,
    retryHref?: string,
  ): Reply {
    const reference = randomBytes(5).toString('hex')
    tell({ kind: 'failed', integration, reason, detail, reference, clientAddress: normalised.clientAddress })
    return loginFailedPage({ reason, reference, ...(retryHref && { retryHref }), ...(brand && { brand }) })
  }

  /** Off to the provider, from the login's origin. */
  async function authorize(
    request: GateRequest,
    normalised: NormalisedRequest,
    provider: Provider,
    wish: SignInWish,
  ): Promise<Reply> {
    const { name } = provider
    const { prompt } = wish
    const crossSitePost = provider.oauth2.responseMode === 'form_post'
    const begun = await transactions.begin(name, wish, request.headers.cookie, crossSitePost)
    const { state, nonce, verifier } = begun.transaction
    try {
      const url = await provider.client.authorizationUrl({
        redirectUri: places.callbackUrl(name),
        state,
        verifier,
        ...(provider.scopes.includes('openid') ? { nonce } : {}),
        ...(prompt === undefined ? {} : { parameters: { prompt: promptOf(provider, prompt) } }),
      })
      tell({ kind: 'started', integration: name, clientAddress: normalised.clientAddress })
      return redirect(request.method === 'POST' ? 303 : 302, url, begun.cookies)
    } catch (error) {
      return failed(failureOf(error), name, normalised, messageOf(error), tryAgain(name, wish.returnTo))
    }
  }

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

  /** Over to the login's origin, from `origin`: the provider's answer comes there, and looks for the attempt's cookie. */
  function toLogin(
    request: GateRequest,
    origin: string,
    parameters: { integration: string | undefined; return_to: string; prompt?: string | undefined },
  ): Reply {
    const comesBack = origin !== places.login && new URL(parameters.return_to).origin === origin
    if (!comesBack) return redirect(302, places.url(PAGES.signIn, parameters))
    const { hop, cookies } = handOffs.ask(request.headers.cookie)
    return redirect(302, places.url(PAGES.signIn, { ...parameters, hop }), cookies)
  }

  function tryAgain(integration: string, returnTo: string): string {
    return places.url(PAGES.signIn, { integration, return_to: returnTo })
  }

  /** Where the person wants to go, as an absolute URL of ours; the root of the login's origin for anything else. */
  function wanted(value: string | undefined, base: string): string {
    return safeReturnTo(value, base, places.origins) ?? places.homeOf(places.login)
  }

  /** Over to the origin of `returnTo`, or back there right away. */
  async function goOn(
    transaction: Pick<Transaction, 'integration' | 'returnTo' | 'hop'>,
    handle: string,
    cookies: readonly string[],
  ): Promise<Reply> {
    const { integration, returnTo, hop } = transaction
    const { origin } = new URL(returnTo)
    if (hop === undefined || origin === places.login) return redirect(303, returnTo, cookies)
    const ticket = await handOffs.give({ integration, returnTo, handle }, hop)
    return redirect(303, places.url(PAGES.handOff, { ticket }, origin), cookies)
  }

  /** A session of the login's origin, to the origin of `returnTo`. */
  async function handOver(
    wish: Pick<Transaction, 'integration' | 'returnTo' | 'hop'>,
    handle: string,
    normalised: NormalisedRequest,
  ): Promise<Reply> {
    const { integration } = wish
    try {
      const reply = await goOn(wish, handle, [])
      tell({ kind: 'handed_off', integration, clientAddress: normalised.clientAddress })
      return reply
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      return failed('rejected', integration, normalised, messageOf(error))
    }
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
      const made = await makeSession(provider, set, verify, clock)
      if (made.kind !== 'session') {
        const reason = made.kind === 'bad' ? 'rejected' : 'unavailable'
        return withCookies(failed(reason, name, normalised, made.detail, again), [over])
      }
      tokens = made.tokens
    } catch (error) {
      return withCookies(failed(failureOf(error), name, normalised, messageOf(error), again), [over])
    }
    try {
      const place = { origin: places.login, integration: name }
      const begun = await sessions.begin(tokens, place, request.headers.cookie)
      if (begun === undefined) {
        const detail = 'the provider has ended the session while it began'
        return withCookies(failed('expired', name, normalised, detail, again), [over])
      }
      const who = provider.judged.identify(tokens.claims)
      await writePerson(people, tokens, parts, clock.now())
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

  return {
    async start(request, normalised, names, returnTo, prompt) {
      const { origin, known } = places.originOf(normalised.host)
      const target = wanted(returnTo ?? targetOf(request), origin)
      const single = names.length === 1 ? names[0] : undefined
      const provider = single === undefined ? undefined : providers.get(single)
      if (known && origin === places.login && provider !== undefined) {
        return authorize(request, normalised, provider, { returnTo: target, ...(prompt && { prompt }) })
      }
      return toLogin(request, origin, { integration: names.join(' '), return_to: target, prompt })
    },

    async signInPage(request, normalised) {
      const query = readQuery(request.target)
      const { origin } = places.originOf(normalised.host)
      const returnTo = wanted(query.get('return_to') ?? '/', origin)
      if (origin !== places.login) {
        const [integration, prompt] = [query.get('integration') ?? undefined, query.get('prompt') ?? undefined]
        return toLogin(request, origin, { integration, return_to: returnTo, prompt })
      }
      const asked = (query.get('integration') ?? '').split(' ').filter((name) => providers.has(name))
      const names = asked.length === 0 ? [...providers.keys()] : asked
      const hop = HOP.test(query.get('hop') ?? '') ? (query.get('hop') ?? undefined) : undefined
      const [name] = names
      const provider = name === undefined || names.length > 1 ? undefined : providers.get(name)
      if (provider === undefined) {
        const choices = names.map((integration) => ({
          label: providers.get(integration)?.label ?? integration,
          href: places.url(PAGES.signIn, {
            integration,
            return_to: returnTo,
            hop,
            prompt: query.get('prompt') ?? undefined,
          }),
        }))
        return signInChoicePage({ choices, ...(brand && { brand }) })
      }
      const prompt = query.get('prompt') ?? ''
      // Whoever wants to be somebody else is asked by the provider.
      if (hop !== undefined && !PROMPTS.has(prompt) && new URL(returnTo).origin !== places.login) {
        // Signed in here already: only the other host does not know yet.
        const place = { origin: places.login, integration: provider.name }
        const handle = await sessions.handleOf(request.headers.cookie, place)
        if (handle !== undefined) return handOver({ integration: provider.name, returnTo, hop }, handle, normalised)
      }
      const wish = { returnTo, ...(hop && { hop }), ...(PROMPTS.has(prompt) && { prompt }) }
      return authorize(request, normalised, provider, wish)
    },

    async callback(request, normalised, name) {
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
    },

    async handOffPage(request, normalised) {
      const { origin } = places.originOf(normalised.host)
      const ticket = readQuery(request.target).get('ticket') ?? ''
      const handOff = await handOffs.take(ticket, origin, request.headers.cookie)
      const expired = (integration: string | null) =>
        failed(
          'expired',
          integration,
          normalised,
          'the ticket is used, late, or of another browser',
          places.homeOf(origin),
        )
      if (handOff === undefined) return expired(null)
      const { integration, returnTo, handle, fits } = handOff
      // Of many tabs that began at once, each with a secret of its own, the browser has kept one; with that they begin anew.
      if (!fits) return redirect(303, returnTo)
      const adopted = await sessions.adopt(handle, { origin, integration }, request.headers.cookie)
      return adopted === undefined ? expired(integration) : redirect(303, returnTo, adopted.cookies)
    },
  }
}

/** The one provider that knows no `login`: its `select_account` lets people sign in as somebody else, too. */
function promptOf({ integration }: Provider, prompt: string): string {
  return prompt === 'login' && integration.issuer === 'https://accounts.google.com' ? 'select_account' : prompt
}

/** What the person wanted: the path and query of the request. Too long a one is left out, and they begin at the root. */
function targetOf({ target }: GateRequest): string | undefined {
  return target.startsWith('/') && target.length <= MAX_RETURN_TO ? target : undefined
}

function failureOf(error: unknown): LoginFailure {
  return error instanceof AuthorizationError ? error.kind : 'unavailable'
}
