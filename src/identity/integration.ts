/** An identity provider in configuration: described once, for the guard and for the gateway. */
import type { Secret } from '../core/secrets.ts'

/** An identity provider. */
export interface Integration {
  /**
   * Compared with the `iss` of tokens exactly, trailing slash included. `{tenantid}` in it stands for the token's `tid`,
   * which must be among `tenants` (Microsoft Entra).
   */
  readonly issuer: string
  /** For an issuer with `{tenantid}`: the tenants whose people may come in; `['*']`, typed out, for all of them. */
  readonly tenants?: readonly string[]
  /** Where its metadata is, if not where the issuer says (OpenID Connect Discovery, RFC 8414). */
  readonly metadataUrl?: string
  /** Where its keys are. By default found in its metadata (OpenID Connect Discovery, RFC 8414). */
  readonly jwksUri?: string
  /**
   * Accepted `aud` values, one of which must be there. `null` for "not checked", which lets in tokens made for others. At a
   * gateway's endpoint an access token for the endpoint's own URL is good too (RFC 8707), where no other integration has this
   * issuer: `aud` is what tells the tokens of two apart.
   */
  readonly audience: string | readonly string[] | null
  /** The claim that `audience` is compared with; `aud` by default. Amazon Cognito's access tokens have `client_id` in its place. */
  readonly audienceClaim?: string
  /** Which of the provider's tokens are accepted: `access_token` (the default) or `id_token`. */
  readonly jwtSource?: 'access_token' | 'id_token'
  /** Accepted `alg` values; all asymmetric ones by default. */
  readonly algorithms?: readonly string[]
  /** The claim that names the subject, or several that do so together (Entra: `['tid', 'oid']`); `sub` by default. */
  readonly subjectClaim?: string | readonly string[]
  /** The claim that lists the person's groups; `groups` by default. */
  readonly groupsClaim?: string
  /** Leeway for `exp` and `nbf`, in seconds; 5 by default, at most 300. */
  readonly clockToleranceSeconds?: number
  /** Allows `http:` for `issuer` and `jwksUri` on hosts other than this machine. Whoever sits in between can then make tokens. */
  readonly allowInsecureHttp?: boolean
  /** When keys are fetched. */
  readonly keys?: KeyTimes
  /** The client that people sign in with, registered at the provider. */
  readonly oauth2?: OAuth2
}

/** A client at an identity provider (RFC 6749 §2), for browser login by the authorization code flow with PKCE. */
export interface OAuth2 {
  /** As registered at the provider. */
  readonly clientId: string
  /** Of a confidential client, mostly as `{ secret: 'env:NAME' }`; none for a public one, and none beside `privateKey`. */
  readonly clientSecret?: Secret
  /**
   * How the client proves itself at the token endpoint: `client_secret_basic` where there is a secret, `private_key_jwt` where
   * there is a key, else `none` (a public client) by default.
   */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'
  /** For `private_key_jwt` (RFC 7523 §2.2): a private key as PKCS#8 PEM or JWK. */
  readonly privateKey?: Secret
  /** The `kid` of its assertions, if the provider wants one. */
  readonly privateKeyId?: string
  /** `['openid']` by default. An integration whose source is the ID token cannot do without `openid`. */
  readonly scopes?: readonly string[]
  /** The API that access tokens shall be for (RFC 8707), for providers that want it said so. */
  readonly resource?: string
  /** The endpoints, `authorizationUrl` and `tokenUrl` together or neither; found in the provider's metadata by default. */
  readonly authorizationUrl?: string
  /** Where codes and refresh tokens are redeemed (RFC 6749 §3.2). */
  readonly tokenUrl?: string
  /** For `userInfo` (OpenID Connect Core §5.3). */
  readonly userInfoUrl?: string
  /** Where tokens of ended sessions are revoked (RFC 7009). */
  readonly revocationUrl?: string
  /** The provider's own sign-out page (OpenID Connect RP-Initiated Logout). */
  readonly endSessionUrl?: string
  /** Added to the authorization request, say `{ audience: 'orders-api' }` for Auth0 or `{ access_type: 'offline' }` for Google. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /** How the provider sends people back: `query` (the default) or `form_post`, which needs https. */
  readonly responseMode?: 'query' | 'form_post'
  /** RFC 9126: `auto` (the default) uses pushed authorization requests where the provider offers them. */
  readonly pushedAuthorizationRequests?: 'auto' | 'never'
  /**
   * RFC 7009: `auto` (the default) revokes the tokens of a session that ends, where the provider offers that. `never` is for
   * providers that end all of the person's sessions with it (Google).
   */
  readonly revocation?: 'auto' | 'never'
  /** Whether to ask the userinfo endpoint at sign-in and with each refresh; what the token says wins over it. */
  readonly userInfo?: boolean
  /** What the provider's sign-out page calls the URL to come back to; `post_logout_redirect_uri` by default, `logout_uri` at Cognito. */
  readonly logoutReturnParameter?: string
  /** What people know the provider as, where they have to choose; the integration's name by default. */
  readonly label?: string
}

/** When an integration's keys are fetched. */
export interface KeyTimes {
  /** Age at which keys are stale, in seconds; 600 by default. They are renewed in the background before that. */
  readonly maxAgeSeconds?: number
  /** Age beyond which keys are never used, also when the provider is down, in seconds; 21,600 (6 hours) by default. */
  readonly ceilingSeconds?: number
  /** Time for one fetch, in milliseconds; 5,000 by default. */
  readonly timeoutMs?: number
}
