/**
 * An upstream server's OAuth client: at the authorization server that the configuration names, or at the one that is found by
 * asking the upstream (B5).
 */
import type { SecretResolver } from '../core/secrets.ts'
import type { Fetch } from '../net/fetch.ts'
import { guardedFetch } from '../net/guarded-fetch.ts'
import { rememberCredentials } from '../oauth/client-credentials.ts'
import { findServer } from '../oauth/find-server.ts'
import { rememberMetadata } from '../oauth/remembered-metadata.ts'
import { AUTHORIZATION_SERVER_LIMITS, type BoundClient, createBoundClient } from './bound-client.ts'
import type { OAuth2Server } from './broker.ts'
import { authorizationServerOf, callbackPathOf } from './consent/callback-path.ts'

/** See the top of the file. */
export interface UpstreamClient {
  readonly server: OAuth2Server
  /** Where answers come back to, as far as the configuration says. */
  readonly callbackPath: string | undefined
  /** As this process has known it last; `undefined` where nothing is settled yet. */
  current(): BoundClient | undefined
  /**
   * As all processes know it, or did some seconds ago unless that will not do (`fresh`). Asks nobody but the store, unless what
   * that has cannot be read any more.
   */
  known(fresh?: boolean): Promise<BoundClient | undefined>
  /**
   * What people are told before they agree.
   *
   * @throws AuthorizationError, FetchError (`ERR_FETCH`), StoreError (`ERR_STORE`)
   */
  preview(): Promise<ConsentPreview>
  /**
   * Settles whatever is not: finds the authorization server, and registers.
   *
   * @throws AuthorizationError, FetchError (`ERR_FETCH`), StoreError (`ERR_STORE`)
   */
  bind(): Promise<BoundClient>
  /** Looks whether the upstream has another authorization server now, at most now and then. Never rejects. */
  lookAgain(challenge?: string): Promise<void>
  /** Looks up secrets and endpoints of the configuration; rejects with what is missing. */
  ready(): Promise<void>
}

/** See {@link UpstreamClient.preview}. */
export interface ConsentPreview {
  /** Where people will agree. */
  readonly authorizationHost: string
  readonly scopes: readonly string[]
}

/** Where the broker lives, and how it reaches others. */
export interface UpstreamClientSettings {
  /** The origin of the gateway. */
  readonly url: string
  /** The path that callbacks begin with. */
  readonly callback: string
  readonly fetch: Fetch | undefined
  readonly secrets: SecretResolver | undefined
}

/** The client of a server whose configuration names client and authorization server. Nothing is fetched before it is needed. */
export function createUpstreamClient(server: OAuth2Server, settings: UpstreamClientSettings): UpstreamClient {
  const { auth } = server
  const { authorizationUrl, tokenUrl, revocationUrl, metadataUrl, allowInsecureHttp = false } = auth
  const fetch = guardedFetch({ written: writtenIn(auth), fetch: settings.fetch })
  const configured = {
    // Without one configured, its name is of use in messages only: an `iss` is not compared with it.
    issuer: auth.issuer ?? new URL(authorizationUrl ?? '').origin,
    metadataUrl,
    jwksUri: undefined,
    endpoints: { authorizationUrl, tokenUrl, revocationUrl },
    allowInsecureHttp,
  }
  const metadata = rememberMetadata(() => findServer(configured, fetch, AUTHORIZATION_SERVER_LIMITS))
  const authentication = rememberCredentials(auth, settings.secrets)
  const bound = createBoundClient({
    server,
    origin: {
      issuer: auth.issuer ?? tokenUrl ?? '',
      clientId: auth.clientId ?? '',
      resource: resourceOf(server) ?? null,
    },
    scopes: auth.scopes ?? [],
    callbackPath: callbackPathOf(auth, settings.callback),
    authorizationServer: authorizationServerOf(auth),
    comparesIss: auth.issuer !== undefined,
    demandsIss: false,
    metadata,
    url: settings.url,
    authentication,
    fetch,
  })
  return {
    server,
    callbackPath: bound.callbackPath,
    current: () => bound,
    known: async () => bound,
    preview: async () => ({
      authorizationHost: new URL(auth.authorizationUrl ?? auth.issuer ?? server.url).host,
      scopes: bound.scopes,
    }),
    bind: async () => bound,
    lookAgain: async () => {},
    async ready() {
      await Promise.all([metadata(), authentication()])
    },
  }
}

/** Whether the configuration leaves something to be found out. */
export function isDiscovered({ clientId, issuer, authorizationUrl }: OAuth2Server['auth']): boolean {
  return clientId === undefined || (issuer === undefined && authorizationUrl === undefined)
}

/** The URLs that a configuration has written down. */
export function writtenIn(auth: OAuth2Server['auth']): readonly string[] {
  const { issuer, metadataUrl, authorizationUrl, tokenUrl, revocationUrl } = auth
  return [issuer, metadataUrl, authorizationUrl, tokenUrl, revocationUrl].filter((url) => url !== undefined)
}

/** RFC 8707 §2: an absolute URI without a fragment. `found` is the one that the resource itself goes by. */
export function resourceOf({ url, auth: { resource = true } }: OAuth2Server, found?: string): string | undefined {
  if (resource === false) return undefined
  return resource === true ? (found ?? url.replace(/#.*$/s, '')) : resource
}
