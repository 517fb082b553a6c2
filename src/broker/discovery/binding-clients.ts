/** The OAuth clients that the gateway is by what is kept of a server: one that is configured, registered, or a document (RFC 7591, CIMD). */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Fetch } from '../../net/fetch.ts'
import type { ClientAuthentication } from '../../oauth/client-authentication.ts'
import { rememberCredentials } from '../../oauth/client-credentials.ts'
import type { ServerMetadata } from '../../oauth/metadata.ts'
import { registerClient } from '../../oauth/register-client.ts'
import { rememberMetadata } from '../../oauth/remembered-metadata.ts'
import { failureOf } from '../../store/redeem-error.ts'
import { AUTHORIZATION_SERVER_LIMITS, type BoundClient, createBoundClient } from '../bound-client.ts'
import type { ConnectionEvent, OAuth2Server } from '../broker.ts'
import { callbackPathOf, DOCUMENT_PART } from '../consent/callback-path.ts'
import { resourceOf, type UpstreamClientSettings } from '../upstream-client.ts'
import type { Binding } from './bindings.ts'
import { CLIENT_NAME, documentUrl } from './client-document.ts'
import type { Registration, Registrations } from './registrations.ts'

/** See the top of the file. */
export interface BindingClients {
  /** The URL of the document that says who the gateway is, where there can be one. */
  readonly document: string | undefined
  /** The client by what is kept; `undefined` where something is missing. */
  find(binding: Binding): Promise<BoundClient | undefined>
  /** The same, registered where it has to be. */
  obtain(binding: Binding): Promise<BoundClient>
  /** Rejects where the configured client has no credentials. */
  ready(): Promise<void>
}

/** What the gateway has for them. */
export interface BindingClientSettings extends UpstreamClientSettings {
  readonly registrations: Registrations
  readonly clock: Clock
  /** Aborts when nothing new is to be begun. */
  readonly closing: AbortSignal
  tell(event: Pick<ConnectionEvent, 'kind' | 'server' | 'owner'> & Partial<ConnectionEvent>): void
}

/** What they are made with. */
export interface BindingClientParts {
  readonly server: OAuth2Server
  readonly settings: BindingClientSettings
  readonly fetch: Fetch
  readonly metadataOf: (binding: Binding) => Promise<ServerMetadata>
  /** An authorization server does not know a registration any more. */
  forget(registration: Registration): Promise<void>
}

const REGISTRATION_MS = 20_000
/** Longer ago than this, an authorization server may have lost a registered client. */
const PROOF_MS = 6 * 60 * 60_000
/** Whoever is sent to one that knows the client is mostly back within this. */
const CONSENT_MS = 60_000

/** Makes them. */
export function createBindingClients({
  server,
  settings,
  fetch,
  metadataOf,
  forget,
}: BindingClientParts): BindingClients {
  const { auth } = server
  const { url, registrations, clock, closing, tell } = settings
  const configuredAuthentication = rememberCredentials(auth, settings.secrets)
  const document = auth.callbackPath === undefined ? documentUrl(url) : undefined
  let bound: { readonly from: string; readonly client: BoundClient } | undefined
  /** When a registered client was proven good last, and since when somebody has been sent off by it who is not back yet. */
  let proof: { readonly clientId: string; readonly at: number; readonly sentAt?: number } | undefined

  /** Where answers of this authorization server come back to. */
  function pathOf({ issuer, way }: Pick<Binding, 'issuer' | 'way'>): string {
    return way === 'document'
      ? `${settings.callback}/${DOCUMENT_PART}`
      : callbackPathOf({ ...auth, issuer }, settings.callback)
  }

  function toBound(binding: Binding, registration: Registration | undefined): BoundClient {
    const { issuer, source, way } = binding
    const clientId = way === 'document' ? document : way === 'configured' ? auth.clientId : registration?.clientId
    // The same object as long as nothing has changed: it remembers things.
    const from = JSON.stringify([issuer, source, way, binding.resource, binding.scopes, clientId, registration])
    if (bound?.from === from) return bound.client
    const client = createBoundClient({
      server,
      origin: { issuer, clientId: clientId ?? '', resource: resourceOf(server, binding.resource) ?? null },
      scopes: auth.scopes ?? binding.scopes,
      callbackPath: pathOf(binding),
      authorizationServer: issuer,
      // Nobody has said what the default endpoints would call themselves.
      comparesIss: source !== 'default',
      demandsIss: way === 'document',
      metadata: rememberMetadata(() => metadataOf(binding)),
      url,
      authentication: authenticationOf(way, registration),
      fetch,
      ...(registration === undefined
        ? {}
        : { onUnknownClient: () => forget(registration), onKnownClient: () => proven(registration) }),
    })
    bound = { from, client }
    return client
  }

  function authenticationOf(
    way: Binding['way'],
    registration: Registration | undefined,
  ): () => Promise<ClientAuthentication> {
    if (way === 'configured') return configuredAuthentication
    const { authentication = 'none', clientSecret = '' } = registration ?? {}
    const known: ClientAuthentication =
      authentication === 'none' ? { method: 'none' } : { method: authentication, secret: clientSecret }
    return async () => known
  }

  async function register(binding: Binding): Promise<Registration> {
    const redirectUri = `${url}${pathOf(binding)}`
    return registrations.obtain(binding.issuer, redirectUri, async (redirectUris) => {
      const metadata = await metadataOf(binding)
      const signal = AbortSignal.any([closing, AbortSignal.timeout(REGISTRATION_MS)])
      const transport = { fetch, limits: AUTHORIZATION_SERVER_LIMITS, signal, now: () => clock.now() }
      const made = await registerClient(metadata, { name: CLIENT_NAME, url, redirectUris }, transport)
      tell({ kind: 'client_registered', server: server.id, owner: null, detail: binding.issuer })
      return made
    })
  }

  function proven({ clientId }: Registration): void {
    proof = { clientId, at: clock.now() }
  }

  /**
   * An authorization server that has lost a client sends nobody back (RFC 6749 §4.1.2.1), so that nothing would be heard of it. To
   * a refresh token that is made up, its token endpoint says whether it knows the client (§5.2); if not, it is forgotten here.
   */
  async function prove(client: BoundClient, registration: Registration): Promise<void> {
    const { clientId, registeredAt } = registration
    const before = proof?.clientId === clientId ? proof : { clientId, at: registeredAt }
    const { at, sentAt = clock.now() } = before
    proof = { ...before, sentAt }
    // A clock that is set back does not prolong this.
    if (Math.abs(clock.now() - at) < PROOF_MS && Math.abs(clock.now() - sentAt) < CONSENT_MS) return
    const signal = AbortSignal.any([closing, AbortSignal.timeout(AUTHORIZATION_SERVER_LIMITS.timeoutMs)])
    try {
      await client.client.refresh(randomBytes(24).toString('base64url'), signal)
    } catch (error) {
      if (failureOf(error) !== 'transient') proof = { clientId, at: clock.now(), sentAt: clock.now() }
    }
  }

  return {
    document,
    async find(binding) {
      if (binding.way === 'document' && document === undefined) return undefined
      if (binding.way !== 'registration') return toBound(binding, undefined)
      const registration = await registrations.find(binding.issuer, `${url}${pathOf(binding)}`)
      return registration && toBound(binding, registration)
    },
    async obtain(binding) {
      if (binding.way !== 'registration') return toBound(binding, undefined)
      const registration = await register(binding)
      await prove(toBound(binding, registration), registration)
      return toBound(binding, await register(binding))
    },
    async ready() {
      if (auth.clientId !== undefined) await configuredAuthentication()
    },
  }
}
