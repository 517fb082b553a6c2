/**
 * The page behind a consent link, and its button (B2). Looking at it changes nothing, however often and whoever does: link
 * previews come first. The button sends the browser off to the authorization server.
 */
import { randomBytes } from 'node:crypto'
import { messageOf } from '../../core/errors.ts'
import type { GateRequest, Reply } from '../../http/gate.ts'
import { readForm, readQuery } from '../../http/parameters.ts'
import { redirect } from '../../http/redirect.ts'
import { problem } from '../../http/replies.ts'
import { isSameOrigin } from '../../http/same-origin.ts'
import { connectCancelledPage, connectedPage, connectPage, linkGonePage } from '../../pages/connect-pages.ts'
import { CSRF_FIELD } from '../../pages/login-pages.ts'
import type { ConsentPreview, UpstreamClient } from '../upstream-client.ts'
import type { ConsentFlow } from './flows.ts'
import type { ConsentLink } from './links.ts'
import {
  CONSENT,
  type ConsentParts,
  consentFailed,
  isFor,
  nameOf,
  reasonOf,
  type Visitor,
  visitorOf,
  wayOf,
} from './parts.ts'
import { assertNoMixUp, boundOf } from './shared-callbacks.ts'

/** Answers requests to a link; `random` is what stands behind the path. */
export type ConsentPage = (request: GateRequest, random: string) => Promise<Reply>

/** A form is good for as long as a link can be, and a little more. */
const FORM_MS = 60 * 60_000
/** In the query of a link: the person wants to sign in as somebody else first. */
const SWITCH = 'switch'
/** In the query of a link: the person does not want to connect anything. */
const CANCEL = 'cancel'

/** See the top of the file. */
export function createConsentPage(parts: ConsentParts): ConsentPage {
  const { url, connectPath, signIn, links, flows, attempts, connected, same, clock, clients, mayConnect, tell, brand } =
    parts
  const forms = parts.sealer('consent-form')
  const gone = () => linkGonePage({ ...(brand && { brand }) })
  const urlOf = (random: string) => `${url}${connectPath}/${random}`
  /** A form opens for the link and the person that it was made for. */
  const formPlace = (random: string, visitor: Visitor) =>
    `consent ${random} ${visitor.kind === 'person' ? visitor.identity.id : ''}`

  async function isOurs(token: string, random: string, visitor: Visitor): Promise<boolean> {
    try {
      const { plaintext } = await forms.openText(token, formPlace(random, visitor))
      return clock.now() - Number(plaintext) < FORM_MS
    } catch {
      return false
    }
  }

  /** Why this visitor cannot use the link, as an answer; `undefined` where they can. */
  async function refusal(random: string, link: ConsentLink, visitor: Visitor): Promise<Reply | undefined> {
    const { server, owner, by } = link
    const who = nameOf(visitor)
    const identity = visitor.kind === 'person' ? visitor.identity : null
    const shown = { ...(who && { who }), by: identity?.id ?? null }
    if (!isFor(by, visitor)) {
      const detail = 'the link was opened by another person than it was made for'
      return consentFailed(parts, 'other_person', link, detail, { ...shown, retryHref: `${urlOf(random)}?${SWITCH}` })
    }
    if (await mayConnect({ server, owner, by, identity })) return undefined
    return consentFailed(parts, 'no_access', link, 'they may not use the server', shown)
  }

  async function show(request: GateRequest, random: string): Promise<Reply> {
    const link = await links.look(random)
    const upstream = link && clients().get(link.server)
    if (link === undefined) return connectedOr(request, random)
    if (upstream === undefined) return gone()
    const query = readQuery(request.target)
    if (query.has(CANCEL)) return connectCancelledPage({ retryHref: urlOf(random), ...(brand && { brand }) })
    const visitor = await visitorOf(signIn, request, link.by)
    const way = wayOf(link.by)
    if (visitor.kind === 'nobody' && signIn !== 'link') return signIn.start(request, urlOf(random), way)
    if (visitor.kind === 'person' && signIn !== 'link' && query.has(SWITCH)) {
      return signIn.start(request, urlOf(random), { ...way, anotherAccount: true })
    }
    return (await refusal(random, link, visitor)) ?? form(random, link, upstream, visitor)
  }

  /** Where the callback has sent the browser on to. The path says nothing, and the page is there once. */
  async function connectedOr(request: GateRequest, random: string): Promise<Reply> {
    const label = request.method === 'GET' ? await connected.take(random) : undefined
    return label === undefined ? gone() : connectedPage({ label, ...(brand && { brand }) })
  }

  async function form(random: string, link: ConsentLink, upstream: UpstreamClient, visitor: Visitor): Promise<Reply> {
    const { server } = upstream
    const who = nameOf(visitor)
    let preview: ConsentPreview
    try {
      preview = await upstream.preview()
    } catch (error) {
      return consentFailed(parts, reasonOf(error), link, messageOf(error), { retryHref: urlOf(random) })
    }
    return connectPage({
      label: server.label,
      ...(server.description !== undefined && { description: server.description }),
      serverHost: new URL(server.url).host,
      authorizationHost: preview.authorizationHost,
      scopes: link.stepUp?.scopes ?? preview.scopes,
      ...(who && { who }),
      ...(link.by !== null && link.by.id !== link.owner && { owner: link.ownerLabel ?? true }),
      action: `${connectPath}/${random}`,
      ...(visitor.kind === 'person' && { switchHref: `${urlOf(random)}?${SWITCH}` }),
      cancelHref: link.returnTo ?? `${urlOf(random)}?${CANCEL}`,
      csrfToken: await forms.sealText(String(clock.now()), formPlace(random, visitor)),
      ...(brand && { brand }),
    })
  }

  /** The button: uses the link up and sends the browser off. Nothing is used up where that does not succeed. */
  async function start(request: GateRequest, random: string, visitor: Visitor): Promise<Reply> {
    const link = await links.look(random)
    const upstream = link && clients().get(link.server)
    if (link === undefined || upstream === undefined) return gone()
    const refused = await refusal(random, link, visitor)
    if (refused !== undefined) return refused

    const { createdAt: _, ...asked } = link
    const verifier = randomBytes(32).toString('base64url')
    const crossSitePost = upstream.server.auth.responseMode === 'form_post'
    const { attempt, cookies } = await attempts.begin(
      CONSENT,
      {},
      { cookieHeader: request.headers.cookie, crossSitePost },
    )
    const { state } = attempt
    let location: string
    let flow: ConsentFlow
    try {
      const bound = await upstream.bind()
      await assertNoMixUp(bound, await boundOf(clients().values()))
      const { origin, redirectUri, scopes } = bound
      flow = { ...asked, origin, redirectUri, scopes, verifier }
      const wanted = link.stepUp === undefined ? {} : { scopes: link.stepUp.scopes }
      location = await bound.client.authorizationUrl({ redirectUri, state, verifier, ...wanted })
    } catch (error) {
      return consentFailed(parts, reasonOf(error), link, messageOf(error), { retryHref: urlOf(random) })
    }
    // Before the link is taken: a flow that nobody has the cookie of is worth nothing, a link that is gone is missed.
    await flows.put(state, flow)
    if ((await links.take(random)) === undefined) return gone()
    tell({ kind: 'consent_started', server: link.server, owner: link.owner, by: link.by?.id ?? null })
    return redirect(303, location, cookies)
  }

  async function press(request: GateRequest, random: string): Promise<Reply> {
    const token = (await readForm(request))?.get(CSRF_FIELD) ?? ''
    const visitor = await visitorOf(signIn, request, (await links.look(random))?.by)
    // Signed out since the page was loaded: it begins by signing in again.
    if (visitor.kind === 'nobody') return redirect(303, urlOf(random))
    if (!isSameOrigin(request, url) || !(await isOurs(token, random, visitor))) {
      const detail = 'the form was not sent from our page, or not from one for this person and link'
      return consentFailed(parts, 'invalid', undefined, detail, { retryHref: urlOf(random) })
    }
    return same.once(`${random} ${token}`, () => start(request, random, visitor))
  }

  return (request, random) => {
    if (request.method === 'GET' || request.method === 'HEAD') return show(request, random)
    if (request.method === 'POST') return press(request, random)
    return Promise.resolve(problem(405, { allow: 'GET, HEAD, POST' }))
  }
}
