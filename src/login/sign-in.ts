/** Signing in: off to the provider, and back with its answer. */
import { messageOf } from '../core/errors.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { readQuery } from '../http/parameters.ts'
import { redirect } from '../http/redirect.ts'
import { safeReturnTo } from '../match/return-to.ts'
import { signInChoicePage } from '../pages/login-pages.ts'
import { type Callback, createCallback } from './callback.ts'
import { HOP } from './hand-off.ts'
import { PAGES } from './places.ts'
import { createSending } from './sending.ts'
import type { SignInParts } from './sign-in-parts.ts'
import type { Transaction } from './transaction.ts'

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
  readonly callback: Callback
  /** A session that comes over from the login's origin. */
  handOffPage(request: GateRequest, normalised: NormalisedRequest): Promise<Reply>
}

const MAX_RETURN_TO = 2_048
/** OpenID Connect Core §3.1.2.1: what a link of ours may ask of the provider. */
const PROMPTS = new Set(['login', 'select_account', 'consent'])

/** See the top of the file. */
export function createSignIn(parts: SignInParts): SignInSteps {
  const { config, places, providers, sessions, handOffs, tell } = parts
  const { brand } = config
  const sending = createSending(parts)
  const { failed, authorize, toLogin, goOn } = sending

  /** Where the person wants to go, as an absolute URL of ours; the root of the login's origin for anything else. */
  function wanted(value: string | undefined, base: string): string {
    return safeReturnTo(value, base, places.origins) ?? places.homeOf(places.login)
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

    callback: createCallback(parts, sending),

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

/** What the person wanted: the path and query of the request. Too long a one is left out, and they begin at the root. */
function targetOf({ target }: GateRequest): string | undefined {
  return target.startsWith('/') && target.length <= MAX_RETURN_TO ? target : undefined
}
