/**
 * The OAuth client of a server whose configuration leaves something out: the authorization server, the client id, or both (B5).
 * What is found out is kept in the store, so that all processes have the same; tokens are used and refreshed by what is kept, and
 * nobody is asked anew for them.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { StoreError } from '../../core/errors.ts'
import { guardedFetch } from '../../net/guarded-fetch.ts'
import { AuthorizationError } from '../../oauth/authorization-error.ts'
import { readBearerChallenge } from '../../oauth/challenge-parameters.ts'
import type { DocumentFetch } from '../../oauth/fetch-document.ts'
import { findServer } from '../../oauth/find-server.ts'
import type { ServerMetadata } from '../../oauth/metadata.ts'
import type { TokenStore } from '../../store/token-store.ts'
import { AUTHORIZATION_SERVER_LIMITS, type BoundClient } from '../bound-client.ts'
import type { OAuth2Server } from '../broker.ts'
import { type UpstreamClient, writtenIn } from '../upstream-client.ts'
import { type BindingClientSettings, createBindingClients } from './binding-clients.ts'
import { type Binding, createBindings } from './bindings.ts'
import {
  defaultEndpoints,
  type FoundServer,
  findAuthorization,
  findResource,
  usableServer,
  wayOf,
} from './find-authorization.ts'
import type { Probe } from './probe.ts'

/** What one works with. */
export interface DiscoveredClientSettings extends BindingClientSettings {
  readonly store: TokenStore
}

/** What is read from the store is believed for so long. */
const READ_MS = 5_000
/** What was found so recently is not looked for again, whoever asks. */
const FRESH_MS = 60_000
/** In use, it is looked again so often: servers move. */
const STALE_MS = 60 * 60_000
/** For all questions of one search together. */
const SEARCH_MS = 25_000
/** How long a call waits that has been refused, before it goes on with what is known. */
const PATIENCE_MS = 5_000

/** See the top of the file. Nothing is fetched before it is needed. */
export function createDiscoveredClient(server: OAuth2Server, settings: DiscoveredClientSettings): UpstreamClient {
  const { auth } = server
  const { store, registrations, clock, closing, tell } = settings
  const { allowInsecureHttp = false } = auth
  const fetch = guardedFetch({ written: [server.url, ...writtenIn(auth)], fetch: settings.fetch })
  const bindings = createBindings(store, server)
  const clients = createBindingClients({
    server,
    settings,
    fetch,
    metadataOf,
    async forget({ issuer, clientId }) {
      await registrations.forget(issuer, clientId)
      last = undefined
      tell({ kind: 'client_forgotten', server: server.id, owner: null, detail: issuer })
    },
  })
  const { document } = clients
  /** What the store had last. */
  let last:
    | {
        readonly at: number
        readonly binding: Binding | undefined
        readonly client: BoundClient | undefined
        /** There was a binding, which nobody can read any more. */
        readonly isLost: boolean
      }
    | undefined
  let found: { readonly at: number; readonly server: FoundServer } | undefined
  let looking: Promise<Binding> | undefined
  let triedAt = Number.NEGATIVE_INFINITY
  /** When it was last looked for since a token was refused. */
  let refusedAt = Number.NEGATIVE_INFINITY

  /** A clock that is set back, here or where the time was written down, prolongs nothing by more than `ms`. */
  const isWithin = (ms: number, at: number): boolean => Math.abs(clock.now() - at) < ms

  const documentsFor = (timeoutMs: number): DocumentFetch => ({
    fetch,
    limits: AUTHORIZATION_SERVER_LIMITS,
    signal: AbortSignal.any([closing, AbortSignal.timeout(timeoutMs)]),
    allowInsecureHttp,
  })

  /** The endpoints by a configured issuer, which wins over whatever the resource says. */
  async function configuredServer(issuer: string): Promise<ServerMetadata> {
    const { metadataUrl, revocationUrl } = auth
    const endpoints = { revocationUrl }
    const named = { issuer, metadataUrl, jwksUri: undefined, endpoints, allowInsecureHttp }
    return findServer(named, fetch, AUTHORIZATION_SERVER_LIMITS)
  }

  async function metadataOf({ issuer, source }: Pick<Binding, 'issuer' | 'source'>): Promise<ServerMetadata> {
    if (found?.server.issuer === issuer && isWithin(FRESH_MS, found.at)) return found.server.metadata
    if (source === 'configured') return configuredServer(issuer)
    if (source === 'default') return defaultEndpoints(issuer)
    return usableServer(issuer, documentsFor(SEARCH_MS))
  }

  async function search(before: Binding | undefined, named: Probe | undefined): Promise<FoundServer> {
    const documents = documentsFor(SEARCH_MS)
    const hasDocument = document !== undefined
    const isRegistered = async () => before?.way === 'registration' && (await clients.find(before)) !== undefined
    if (auth.issuer !== undefined) {
      const metadata = await configuredServer(auth.issuer)
      const way = wayOf(server, metadata, hasDocument, before?.way, await isRegistered())
      if (way !== undefined) return { issuer: auth.issuer, source: 'configured', way, scopes: [], metadata }
      const message = `"${server.id}" needs a client id: ${auth.issuer} registers no clients by itself`
      throw new AuthorizationError('rejected', message)
    }
    const resource = await findResource(server.url, documents, named)
    return findAuthorization(server, resource, { documents, hasDocument, isRegistered }, before)
  }

  async function lookNow(named: Probe | undefined): Promise<Binding> {
    const begun = clock.now()
    const { binding: before, version } = await bindings.read()
    const next = await search(before, named)
    const moved = before !== undefined && before.issuer !== next.issuer
    if (moved && auth.clientId !== undefined) {
      throw new AuthorizationError(
        'rejected',
        `the client id of "${server.id}" is one of ${before.issuer}, and the server names ${next.issuer} now; write the right ` +
          'issuer into the configuration',
      )
    }
    const { metadata: _, ...plain } = next
    // The challenge to a request without a token is not asked for again where the server has named its metadata.
    const scopes = named !== undefined && before !== undefined && !moved ? before.scopes : plain.scopes
    const binding = await bindings.write(
      {
        ...plain,
        scopes,
        url: server.url,
        ...(auth.clientId === undefined ? {} : { clientId: auth.clientId }),
        checkedAt: Math.round(begun),
      },
      version,
    )
    if (binding.issuer === next.issuer) found = { at: clock.now(), server: next }
    last = { at: clock.now(), binding, client: await clients.find(binding), isLost: false }
    if (before?.issuer !== binding.issuer) {
      const kind = before === undefined ? 'authorization_server_found' : 'authorization_server_changed'
      tell({ kind, server: server.id, owner: null, detail: binding.issuer })
    }
    return binding
  }

  /** Looks, once for everybody who asks. */
  function look(named?: Probe): Promise<Binding> {
    triedAt = clock.now()
    looking ??= lookNow(named).finally(() => {
      looking = undefined
    })
    return looking
  }

  /** What the store has, or had a moment ago: without the store there are no tokens either, but for those that are held here. */
  async function remembered(fresh = false): Promise<NonNullable<typeof last>> {
    const before = last
    // That there is nothing may be otherwise at any moment: somebody consents in another process.
    if (!fresh && before?.client !== undefined && isWithin(READ_MS, before.at)) return before
    try {
      const { binding, isLost } = await bindings.read()
      const now = { at: clock.now(), binding, client: binding && (await clients.find(binding)), isLost }
      last = now
      return now
    } catch (error) {
      if (!(error instanceof StoreError) || before?.client === undefined) throw error
      return before
    }
  }

  /** Fresh enough to send somebody there. */
  async function settled(): Promise<Binding> {
    const { binding } = await bindings.read()
    // The gateway may have moved, or got a callback of its own for this server.
    const stands = binding !== undefined && (binding.way !== 'document' || document !== undefined)
    return stands && isWithin(FRESH_MS, binding.checkedAt) ? binding : look()
  }

  /** What is lost is found out anew before anybody is asked for a consent that they have given. */
  async function regained(): Promise<BoundClient | undefined> {
    if (looking === undefined && isWithin(FRESH_MS, triedAt)) return undefined
    await withinPatience(look()).catch(() => {})
    return last?.client
  }

  return {
    server,
    callbackPath: auth.callbackPath,
    current: () => last?.client,

    async known(fresh) {
      const { binding, client, isLost } = await remembered(fresh)
      if (isLost) return regained()
      const isDue = binding !== undefined && !isWithin(STALE_MS, binding.checkedAt) && !isWithin(STALE_MS, triedAt)
      if (isDue) look().catch(() => {})
      return client
    },

    async preview() {
      const binding = await settled()
      const { authorizationUrl } = await metadataOf(binding)
      return {
        authorizationHost: new URL(authorizationUrl ?? binding.issuer).host,
        scopes: auth.scopes ?? binding.scopes,
      }
    },

    async bind() {
      const binding = await settled()
      const client = await clients.obtain(binding)
      last = { at: clock.now(), binding, client, isLost: false }
      return client
    },

    async lookAgain(challenge) {
      try {
        const { binding } = await remembered()
        // A token that is refused is news, however fresh what is known is; not so the next ones.
        if (binding === undefined || isWithin(FRESH_MS, refusedAt)) return
        refusedAt = clock.now()
        const said = readBearerChallenge(challenge)
        // What it says to a token that is no good need not be what it says to somebody without one.
        const named: Probe | undefined = said && {
          statuses: [],
          challenged: true,
          challenge: { ...said, scopes: undefined },
        }
        await withinPatience(look(said?.resourceMetadata === undefined ? undefined : named))
      } catch {
        // What is known goes on to count.
      }
    },

    async ready() {
      await clients.ready()
      await remembered()
    },
  }
}

async function withinPatience(work: Promise<unknown>): Promise<void> {
  const timer = new AbortController()
  try {
    await Promise.race([work, pause(PATIENCE_MS, undefined, { signal: timer.signal, ref: false })])
  } finally {
    timer.abort()
  }
}
