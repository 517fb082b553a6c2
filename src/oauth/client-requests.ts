/** Requests of a client to the endpoints of its authorization server: how it authenticates, and how they are sent. */
import * as oauth from 'oauth4webapi'
import { FetchError, messageOf } from '../core/errors.ts'
import { boundedFetch, type Fetch, type FetchLimits, presentable } from '../net/fetch.ts'
import { AuthorizationError } from './authorization-error.ts'
import { type ClientAuthentication, toClientAuth } from './client-authentication.ts'
import type { ServerMetadata } from './metadata.ts'
import { withoutSecrets } from './presentable.ts'

/** What a client sends requests with. */
export interface ClientRequestSettings {
  /** Asked for with every request that needs it; as long as the same object comes back, a key is read once. */
  readonly authentication: () => Promise<ClientAuthentication>
  readonly fetch: Fetch
  readonly limits: FetchLimits
}

/** See the top of the file. */
export interface ClientRequests {
  /** How this client authenticates. What of it must not be repeated is added to `secrets`. */
  authenticate(secrets: string[]): Promise<oauth.ClientAuth>
  /**
   * Options for oauth4webapi's requests that carry credentials, codes or tokens: a redirect would take these elsewhere. They
   * fail with FetchError (`ERR_FETCH`), whose message has none of `secrets`.
   *
   * @param deadline - `signal` where nothing else is to end them; the configured limit by default, too
   */
  transport(secrets: string[], signal?: AbortSignal, deadline?: 'signal'): Transport
}

interface Transport {
  readonly [oauth.allowInsecureRequests]: true
  readonly [oauth.customFetch]: (url: string, sent: Sent) => Promise<Response>
}

/** What oauth4webapi gives to a fetch function. */
interface Sent {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: URLSearchParams | null | undefined
}

/** See the top of the file. */
export function createClientRequests(settings: ClientRequestSettings): ClientRequests {
  let prepared: { readonly from: ClientAuthentication; readonly auth: Promise<oauth.ClientAuth> } | undefined

  return {
    async authenticate(secrets) {
      const from = await settings.authentication()
      if ('secret' in from) secrets.push(from.secret)
      if (prepared?.from !== from) prepared = { from, auth: toClientAuth(from) }
      return prepared.auth
    },

    transport(secrets, signal, deadline) {
      const { maxBytes } = settings.limits
      const limits = deadline === 'signal' ? { maxBytes } : settings.limits
      async function send(url: string, { method, headers, body = null }: Sent): Promise<Response> {
        const credentials = headers.authorization?.replace(/^\w+ /, '')
        const assertion = body?.get('client_assertion')
        for (const secret of [credentials, assertion]) if (secret) secrets.push(secret)
        try {
          const init = { method, headers, body, redirect: 'error', signal: signal ?? null } as const
          return await boundedFetch(settings.fetch, url, limits, init)
        } catch (error) {
          // Without its cause: the user's own fetch may have put the whole request there.
          throw new FetchError(withoutSecrets(messageOf(error), secrets))
        }
      }
      // The configuration has decided already which addresses may be plain http.
      return { [oauth.allowInsecureRequests]: true, [oauth.customFetch]: send }
    },
  }
}

const ENDPOINTS = {
  authorizationUrl: 'authorization_endpoint',
  tokenUrl: 'token_endpoint',
  userInfoUrl: 'userinfo_endpoint',
} as const

/** @throws AuthorizationError `unavailable` for one that the metadata does not name */
export function endpointOf(server: ServerMetadata, name: keyof typeof ENDPOINTS): string {
  const url = server[name]
  if (url !== undefined) return url
  throw new AuthorizationError(
    'unavailable',
    `the metadata of ${presentable(server.issuer)} names no ${ENDPOINTS[name]}`,
  )
}

/** The metadata in oauth4webapi's terms. */
export function toServer(server: ServerMetadata): oauth.AuthorizationServer {
  return {
    issuer: server.issuer,
    authorization_response_iss_parameter_supported: server.issParameter,
    ...(server.tokenUrl !== undefined && { token_endpoint: server.tokenUrl }),
    ...(server.userInfoUrl !== undefined && { userinfo_endpoint: server.userInfoUrl }),
    ...(server.revocationUrl !== undefined && { revocation_endpoint: server.revocationUrl }),
    ...(server.pushedAuthorizationUrl !== undefined && {
      pushed_authorization_request_endpoint: server.pushedAuthorizationUrl,
    }),
  }
}
