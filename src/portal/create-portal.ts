/**
 * The gateway's own pages for people who are signed in (G13): finds out who is at the browser, which page is meant, and whether a
 * form is one of ours, before any page does anything.
 */
import { createSameAnswers } from '../broker/consent/same-answer.ts'
import { isOutage, messageOf, SallyportError } from '../core/errors.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import { kindOfRequest, type RequestKind } from '../http/navigation.ts'
import type { NormalisedRequest } from '../http/normalise.ts'
import { readForm, readQuery } from '../http/parameters.ts'
import { withCookies } from '../http/redirect.ts'
import { problem } from '../http/replies.ts'
import type { Identity } from '../identity/sign-in.ts'
import { whoIsSignedIn } from '../identity/signed-in.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'
import { sessionEndedPage } from '../pages/login-pages.ts'
import { accessRoutes } from './admin-access.ts'
import { accountRoutes } from './admin-accounts.ts'
import { auditRoutes } from './admin-audit.ts'
import { checkRoutes } from './admin-checks.ts'
import { connectionRoutes } from './admin-connections.ts'
import { administered } from './admin-parts.ts'
import { clientSetupRoutes } from './client-setup.ts'
import { createPortalForms } from './forms.ts'
import { foreignFormPage, notFoundPage, unavailablePage, wrongMethodPage } from './messages.ts'
import { ownAccountRoutes } from './own-accounts.ts'
import type { PortalParts, PortalRoute, Visit } from './parts.ts'
import { serverRoutes } from './servers.ts'
import { tokenRoutes } from './tokens.ts'
import { virtualRoutes } from './virtual.ts'
import type { VisibleServer } from './visible-server.ts'

/** See the top of the file. */
export interface Portal {
  /** Whether a path is among the pages. */
  owns(path: string): boolean
  /** Answers a request to one. Rejects for what is nobody's fault but ours. */
  answer(request: GateRequest, normalised: NormalisedRequest): Promise<Reply>
  /** Waits for forms that are being carried out. */
  close(): Promise<void>
}

/** What paths of pages are made of; anything else is none, and is not repeated anywhere. */
const PLAIN_PATH = /^[\w./~-]*$/

/** Puts the pages together. */
export function createPortal(parts: PortalParts): Portal {
  const { origin, path: base, signIn, gateway, brand } = parts
  const forms = createPortalForms(parts)
  const same = createSameAnswers()
  const routes: readonly PortalRoute[] = [
    ...serverRoutes(parts, forms),
    ...virtualRoutes(parts),
    ...tokenRoutes(parts, forms),
    ...clientSetupRoutes(parts),
    ...ownAccountRoutes(parts, forms),
    ...accountRoutes(parts, forms),
    ...accessRoutes(parts),
    ...connectionRoutes(parts),
    ...auditRoutes(parts),
    ...checkRoutes(parts),
  ]

  async function answer(request: GateRequest, { path }: NormalisedRequest, renewed: string[]): Promise<Reply> {
    const { method } = request
    if (request.kind === 'upgrade') return problem(404)
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return problem(405, { allow: 'GET, HEAD, POST' })
    const setCookies = (lines: readonly string[]) => renewed.push(...lines)
    const identity = await signedIn(() => whoIsSignedIn(signIn, request, { setCookies }))
    if (identity === null) return signedOut(request, path)
    const found = find(path.slice(base.length))
    if (found === undefined) return notFoundPage(parts)
    const { route, params } = found
    if (method !== 'POST') return look(request, identity, params, route)
    if (!(await isThere(route, { servers: () => gateway.servers.for(identity) }))) return notFoundPage(parts)
    return route.post === undefined ? wrongMethodPage(parts, 'GET, HEAD') : send(request, identity, params, route)
  }

  function find(path: string): { readonly route: PortalRoute; readonly params: readonly string[] } | undefined {
    for (const route of routes) {
      const match = route.path.exec(path)
      if (match !== null) return { route, params: match.slice(1) }
    }
    return undefined
  }

  /** Nobody is signed in: people sign in first, scripts get a status, and what a form held is not done. */
  async function signedOut(request: GateRequest, path: string): Promise<Reply> {
    const kind = kindOfRequest(request)
    if (request.method === 'POST') {
      return sessionEndedPage({ status: 403, signInHref: base, ...(brand && { brand }) })
    }
    if (kind === 'script' || kind === 'prefetch') return problem(401)
    const query = readQuery(request.target).toString()
    const wanted = PLAIN_PATH.test(path) ? `${origin}${path}${query === '' ? '' : `?${query}`}` : `${origin}${base}`
    return signedIn(() => signIn.start(request, wanted))
  }

  async function look(
    request: GateRequest,
    identity: Identity,
    params: readonly string[],
    route: PortalRoute,
  ): Promise<Reply> {
    const { csrf, cookies } = await forms.offer(request, identity)
    // Neither a script of another tab must take away what the next page has to say, nor what is loaded in advance, perhaps for nobody.
    const isSeen = request.method !== 'HEAD' && isPage(kindOfRequest(request))
    const note = isSeen ? forms.readNote(request) : undefined
    const visit = visitOf(request, identity, params, { csrf, note, form: new URLSearchParams(), formId: '' })
    const reply = (await isThere(route, visit)) ? await route.get(visit) : undefined
    return withCookies(reply ?? notFoundPage(parts), note === undefined ? cookies : [...cookies, forms.clearNote()])
  }

  async function send(
    request: GateRequest,
    identity: Identity,
    params: readonly string[],
    route: PortalRoute,
  ): Promise<Reply> {
    const form = await readForm(request)
    const formId = form && (await forms.idOf(request, identity, form))
    if (form === undefined || formId === undefined) return foreignFormPage(parts)
    // An impatient second click: browsers show the answer to the last one.
    // The form's own token is what only this browser knows.
    const question = [request.target, form, identity.id].join(' ')
    return same.once(question, async () => {
      const { csrf } = await forms.offer(request, identity)
      const visit = visitOf(request, identity, params, { csrf, note: undefined, form, formId })
      // Asked again: the role may have ended while the form was on its way.
      const reply = (await isThere(route, visit)) ? await route.post?.(visit) : undefined
      return reply ?? notFoundPage(parts)
    })
  }

  function visitOf(
    request: GateRequest,
    identity: Identity,
    params: readonly string[],
    more: Pick<Visit, 'csrf' | 'note' | 'form' | 'formId'>,
  ): Visit {
    let servers: Promise<readonly VisibleServer[]> | undefined
    let accounts: Promise<readonly VirtualAccount[]> | undefined
    return {
      request,
      identity,
      params,
      query: readQuery(request.target),
      servers() {
        servers ??= gateway.servers.for(identity)
        return servers
      },
      accounts() {
        accounts ??= gateway.virtualAccounts.ownedBy(identity)
        return accounts
      },
      ...more,
    }
  }

  return {
    owns: (path) => path === base || path.startsWith(`${base}/`),
    async answer(request, normalised) {
      try {
        const renewed: string[] = []
        const reply = await answer(request, normalised, renewed)
        // What the page's script asks every few seconds is no sign of life.
        return isPage(kindOfRequest(request)) ? withCookies(reply, renewed) : reply
      } catch (error) {
        const isUnavailable = error instanceof SallyportError && error.code === 'ERR_UNAVAILABLE'
        if (isUnavailable || isOutage(error)) {
          // A sign-in may be the application's own.
          parts.failed(isUnavailable ? (error.cause ?? error) : error)
          return unavailablePage(parts)
        }
        throw error
      }
    },
    close: () => same.settled(),
  }
}

/** Whether a page is there for somebody. */
async function isThere({ adminsOnly }: PortalRoute, visit: Pick<Visit, 'servers'>): Promise<boolean> {
  return adminsOnly !== true || (await administered(visit)).length > 0
}

/** Asks a sign-in, which may be the application's own: whatever that throws, it is not there right now. */
async function signedIn<Answer>(ask: () => Answer | Promise<Answer>): Promise<Answer> {
  try {
    return await ask()
  } catch (error) {
    throw new SallyportError('ERR_UNAVAILABLE', messageOf(error), { cause: error })
  }
}

function isPage(kind: RequestKind): boolean {
  return kind === 'navigation' || kind === 'form'
}
