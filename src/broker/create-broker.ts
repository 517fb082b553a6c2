/** The broker, put together: clients of authorization servers, consent in the browser, connections. */
import { type Clock, systemClock } from '../core/clock.ts'
import { ConfigError, FetchError, isOutage, messageOf } from '../core/errors.ts'
import { createEmitter } from '../core/events.ts'
import type { Sealer } from '../core/sealing.ts'
import type { SecretResolver } from '../core/secrets.ts'
import { createAttemptCookies } from '../http/attempt-cookies.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import { ownCookies } from '../http/own-cookies.ts'
import { problem } from '../http/replies.ts'
import type { SignIn } from '../identity/sign-in.ts'
import { safeReturnTo } from '../match/return-to.ts'
import type { Fetch } from '../net/fetch.ts'
import type { Brand } from '../pages/layout.ts'
import type { RefreshTimes } from '../store/refresh-settings.ts'
import type { TokenStore } from '../store/token-store.ts'
import {
  type Broker,
  type ConnectionEvent,
  type ConnectRequest,
  NoSuchServerError,
  type OAuth2Server,
} from './broker.ts'
import { createConnections } from './connections.ts'
import { createConsentCallback } from './consent/callback.ts'
import { DOCUMENT_PART, isOwnCallbackPath } from './consent/callback-path.ts'
import { createConnectedNotes } from './consent/connected-notes.ts'
import { createConsentFlows } from './consent/flows.ts'
import { createConsentLinks, isLinkRandom } from './consent/links.ts'
import { createConsentPage } from './consent/page.ts'
import { type ConsentParts, type ConsentQuestion, consentFailed } from './consent/parts.ts'
import { createSameAnswers } from './consent/same-answer.ts'
import { sharedCallbackProblems } from './consent/shared-callbacks.ts'
import { clientDocument, DOCUMENT_PATH, documentUrl } from './discovery/client-document.ts'
import { createDiscoveredClient } from './discovery/discovered-client.ts'
import { createRegistrations } from './discovery/registrations.ts'
import { createUpstreamClient, isDiscovered, type UpstreamClient } from './upstream-client.ts'

/** What a broker is made of. */
export interface BrokerSettings {
  /** The gateway's origin, as browsers see it: `https://gw.example.com`. */
  readonly url: string
  /** A store that seals. */
  readonly store: TokenStore
  /** Seals cookies and forms: `(purpose) => createSealer(keys, purpose)`, with the same keys on every machine. */
  readonly sealer: (purpose: string) => Sealer
  /** Who is at the browser; `link`: whoever holds a link may use it. Without one, nobody can connect anything. */
  readonly signIn: SignIn | 'link' | undefined
  readonly servers: readonly OAuth2Server[]
  /** Whether somebody may use a server: asked when the page is shown, when consent starts and when it ends (G21). */
  mayConnect(question: ConsentQuestion): boolean | Promise<boolean>
  /** Where links and callbacks are: `/connect` and `/oauth2/callback` by default. */
  readonly paths?: { readonly connect?: string | undefined; readonly callback?: string | undefined } | undefined
  readonly secrets?: SecretResolver | undefined
  /**
   * Reaches authorization servers in place of our own, which connects to no address of this network unless the configuration
   * names one of that kind.
   */
  readonly fetch?: Fetch | undefined
  readonly clock?: Clock | undefined
  /** How long a link is good for; 600,000 (ten minutes) by default. */
  readonly linkMs?: number | undefined
  readonly times?: Partial<RefreshTimes> | undefined
  readonly brand?: Brand | undefined
}

const LINK_MS = 10 * 60_000

/**
 * Makes a broker. Nothing is looked up yet.
 *
 * @throws ConfigError (`ERR_CONFIG`) for servers whose callbacks could be mixed up
 */
export function createBroker(settings: BrokerSettings): Broker {
  const { store, signIn, sealer, clock = systemClock, fetch, secrets } = settings
  const url = new URL(settings.url).origin
  const connectPath = settings.paths?.connect ?? '/connect'
  const callback = settings.paths?.callback ?? '/oauth2/callback'
  const emitter = createEmitter<{ connection: ConnectionEvent }>(['connection'])
  const closing = new AbortController()
  const registrations = createRegistrations(store, url, () => clock.now())
  let clients = makeClients(settings.servers, new Map())

  const connections = createConnections({
    store,
    clock,
    times: settings.times,
    client: (server) => clients.get(server),
    servers: () => clients.keys(),
    tell,
  })
  const links = createConsentLinks(store, clock, settings.linkMs ?? LINK_MS)
  const same = createSameAnswers()
  const parts: Omit<ConsentParts, 'signIn'> = {
    url,
    connectPath,
    links,
    flows: createConsentFlows(store),
    attempts: createAttemptCookies({
      sealer: sealer('consent-attempt'),
      cookies: ownCookies(url),
      prefix: '~consent-',
      clock,
    }),
    connections,
    connected: createConnectedNotes(store),
    same,
    sealer,
    clock,
    brand: settings.brand,
    clients: () => clients,
    mayConnect: settings.mayConnect,
    tell,
  }
  const consent = signIn && {
    page: createConsentPage({ ...parts, signIn }),
    callback: createConsentCallback({ ...parts, signIn }),
  }

  function tell(event: Pick<ConnectionEvent, 'kind' | 'server' | 'owner'> & Partial<ConnectionEvent>): void {
    emitter.emit('connection', { reason: null, detail: null, ...event })
  }

  /** Clients of `servers`. One whose configuration has not changed stays, with all that it remembers. */
  function makeClients(
    servers: readonly OAuth2Server[],
    before: ReadonlyMap<string, UpstreamClient>,
  ): ReadonlyMap<string, UpstreamClient> {
    const made = servers.map((server) => {
      const known = before.get(server.id)
      if (known !== undefined && JSON.stringify(known.server) === JSON.stringify(server)) return known
      const shared = { url, callback, fetch, secrets }
      if (!isDiscovered(server.auth)) return createUpstreamClient(server, shared)
      return createDiscoveredClient(server, {
        ...shared,
        store,
        registrations,
        clock,
        closing: closing.signal,
        tell,
      })
    })
    const mixed = sharedCallbackProblems(made)
    if (mixed.length > 0) throw new ConfigError(mixed)
    return new Map(made.map((client) => [client.server.id, client]))
  }

  function isCallback(path: string): boolean {
    // Also of servers that are gone: their authorization servers may still be sending people back.
    if (isOwnCallbackPath(path, callback)) return true
    for (const { callbackPath } of clients.values()) if (callbackPath === path) return true
    return false
  }

  /** Whether a path is that of our metadata as a client: only where there is a server that it may be wanted for. */
  function isDocument(path: string): boolean {
    if (path !== DOCUMENT_PATH || documentUrl(url) === undefined) return false
    for (const { server } of clients.values()) if (server.auth.clientId === undefined) return true
    return false
  }

  /** The random part of a link's path; `undefined` for what can be none. */
  function randomOf(path: string): string | undefined {
    const random = path.startsWith(`${connectPath}/`) ? path.slice(connectPath.length + 1) : ''
    return isLinkRandom(random) ? random : undefined
  }

  async function page(request: GateRequest, path: string): Promise<Reply> {
    if (isDocument(path)) {
      const { method } = request
      if (method !== 'GET' && method !== 'HEAD') return problem(405, { allow: 'GET, HEAD' })
      return clientDocument(url, `${url}${callback}/${DOCUMENT_PART}`)
    }
    if (consent === undefined) return problem(404)
    // A callback may be configured to lie among the links.
    if (isCallback(path)) return consent.callback(request, path)
    const random = randomOf(path)
    return random === undefined ? problem(404) : consent.page(request, random)
  }

  return {
    tokens: (owner, server, options = {}) => connections.tokens(owner, server, options),
    stepUp: (owner, server, challenge, from) => connections.stepUp(owner, server, challenge, from),

    async connectUrl(request) {
      if (!clients.has(request.server)) {
        throw new NoSuchServerError(`there is no oauth2 server named ${JSON.stringify(request.server)}`)
      }
      const { returnTo: _, by: person, ...asked } = request
      const returnTo = request.returnTo === undefined ? {} : { returnTo: checkedReturnTo(request.returnTo, url) }
      const by = signIn === 'link' ? null : { id: person.id, integration: person.integration }
      return `${url}${connectPath}/${await links.open({ ...asked, by, ...returnTo })}`
    },

    list: (owner) => connections.list(owner),
    all: (page) => connections.all(page),
    disconnect: (owner, server) => connections.disconnect(owner, server),
    disconnectAll: (owner) => connections.disconnectAll(owner),
    owns: (path) => randomOf(path) !== undefined || isCallback(path) || isDocument(path),

    async answer(request, normalised) {
      if (request.kind === 'upgrade') return problem(404)
      if (normalised.otherPaths.length > 0) return problem(400)
      try {
        return await page(request, normalised.path)
      } catch (error) {
        // What the host application's functions throw says nothing about the request either.
        const what = isOutage(error) ? '' : 'while a page was answered: '
        return consentFailed(parts, 'unavailable', undefined, `${what}${messageOf(error)}`)
      }
    },

    redirectUrls: () =>
      [...clients.values()].flatMap(({ server, callbackPath, current }) => {
        const path = callbackPath ?? current()?.callbackPath
        return path === undefined ? [] : [{ server: server.id, redirectUrl: `${url}${path}` }]
      }),

    setServers(servers) {
      clients = makeClients(servers, clients)
    },

    on: (listener) => emitter.on('connection', listener),

    async ready() {
      const results = await Promise.allSettled([...clients.values()].map((client) => client.ready()))
      const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []))
      if (failures.length === 1) throw failures[0]
      if (failures.length > 1) throw new FetchError([...new Set(failures.map(messageOf))].join('; '))
    },

    async close() {
      closing.abort()
      await same.settled()
      await connections.close()
    },
  }
}

/** A path of ours, or a page of the host application, which may live anywhere. */
function checkedReturnTo(value: NonNullable<ConnectRequest['returnTo']>, url: string): string {
  if (value.startsWith('/')) {
    const own = safeReturnTo(value, url, new Set([url]))
    if (own !== undefined) return own
  } else if (URL.canParse(value)) {
    const { protocol, origin } = new URL(value)
    const safe = /^https?:$/.test(protocol) ? safeReturnTo(value, origin, new Set([origin])) : undefined
    if (safe !== undefined) return safe
  }
  throw new TypeError('returnTo is neither an http(s) URL nor a path')
}
