/** Who is registered at the identity providers of the demo, and what tokens there are for. */
import type { ClientMetadata } from 'oidc-provider'
import type { RedirectUrls } from 'sallyport'

/** What the services of the demo accept tokens for. */
export const ORDERS_API = 'urn:demo:orders'
/** Another service, whose tokens they must not accept. */
export const BILLING_API = 'urn:demo:billing'
/** The gateway, whose callers bring such tokens. */
export const TOOLS_API = 'urn:demo:tools'
/** The client that people sign in to; the audience of their ID tokens. */
export const APP_CLIENT = { id: 'demo-app', secret: 'demo-app-secret' }
/** Like {@link APP_CLIENT}, but its access tokens live for five seconds. */
export const KIOSK_CLIENT = { id: 'demo-kiosk', secret: 'demo-kiosk-secret' }
/** A service that gets tokens for itself (RFC 6749 §4.4). */
export const JOB_CLIENT = { id: 'nightly-job', secret: 'nightly-job-secret' }
/** Where browsers would be sent back to; the demo reads the code off the redirect and never goes there. */
export const REDIRECT_URI = 'http://127.0.0.1/callback'

/** The secret of all the clients that people sign in with. */
export const LOGIN_SECRET = 'demo-login-secret'
/** What the provider knows the login of a server as. */
export const loginClientId = (server: string, integration: string) => `${server.toLowerCase()}-${integration}`

/** Such a client: what its guard's `redirectUrls()` reports is what it is registered with. */
export interface LoginClient {
  readonly id: string
  readonly redirectUrls: RedirectUrls
  /** How long its tokens last. */
  readonly tokenSeconds?: number
}

/** A gateway, which many replicas are. */
export interface GatewayClient {
  readonly id: string
  readonly secret: string
  readonly callbacks: readonly string[]
  readonly tokenSeconds: number
}

/** Those of the walk, which sign people in without a browser. */
export const SCRIPT_CLIENTS: ClientMetadata[] = [APP_CLIENT, KIOSK_CLIENT].map(({ id, secret }) => ({
  client_id: id,
  client_secret: secret,
  redirect_uris: [REDIRECT_URI],
  grant_types: ['authorization_code'],
  response_types: ['code'],
}))

/** Such a service. */
export const JOB: ClientMetadata = {
  client_id: JOB_CLIENT.id,
  client_secret: JOB_CLIENT.secret,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
}

/** How a provider knows a guard. */
export function toMetadata({ id, redirectUrls }: LoginClient): ClientMetadata {
  const { callback, signedOut, backChannelSignOut } = redirectUrls
  return {
    client_id: id,
    client_secret: LOGIN_SECRET,
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    post_logout_redirect_uris: [signedOut],
    ...(backChannelSignOut === null
      ? {}
      : { backchannel_logout_uri: backChannelSignOut, backchannel_logout_session_required: true }),
  }
}

/** How it knows a gateway. */
export function gatewayMetadata({ id, secret, callbacks }: GatewayClient): ClientMetadata {
  return {
    client_id: id,
    client_secret: secret,
    redirect_uris: [...callbacks],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
  }
}
