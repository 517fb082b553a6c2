/** How the gateway authenticates to an upstream MCP server, in configuration. */
import type { Secret } from '../core/secrets.ts'
import type { GrantedUpstreamAuth } from './granted/auth.ts'

/** One of these models; docs/gateway.md helps to choose. */
export type UpstreamAuth =
  | NoUpstreamAuth
  | HeaderUpstreamAuth
  | OAuth2UpstreamAuth
  | PassthroughUpstreamAuth
  | GrantedUpstreamAuth

/** No credential at all: for servers whose data everybody may see. */
export interface NoUpstreamAuth {
  readonly type: 'none'
}

/** The same credential for all callers, put in after the access check and never shown to them. */
export interface HeaderUpstreamAuth {
  readonly type: 'header'
  /**
   * Header fields by name. A text may have placeholders: `Bearer {{token}}`. A `Secret` reference is taken as it is, without
   * placeholders.
   */
  readonly headers: Readonly<Record<string, Secret>>
  /** Values of the placeholders. */
  readonly values?: Readonly<Record<string, Secret>>
  /** Other values for some callers: the first that is to them counts, value by value. */
  readonly overrides?: readonly HeaderOverride[]
}

/** Values of placeholders for some callers. */
export interface HeaderOverride {
  /** As in a grant: `group:corp/engineering`, `virtual-account:ci`. */
  readonly to: string | readonly string[]
  /** By the placeholder's name. */
  readonly values: Readonly<Record<string, Secret>>
}

/**
 * Each user's own token, by the authorization code flow at the upstream's authorization server. `{ type: 'oauth2' }` is enough for
 * an upstream that follows the MCP specification: the rest is found out by asking it.
 */
export interface OAuth2UpstreamAuth {
  readonly type: 'oauth2'
  /**
   * As registered at the authorization server. By default the gateway is its own client there: by its metadata document where the
   * server takes that, else by registering (RFC 7591).
   */
  readonly clientId?: string
  /** Mostly as `{ secret: 'env:NAME' }`; none beside `privateKey`. */
  readonly clientSecret?: Secret
  /** `client_secret_basic` where there is a secret, `private_key_jwt` where there is a key, else `none` by default. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'
  /** For `private_key_jwt` (RFC 7523 §2.2): a private key as PKCS#8 PEM or JWK. */
  readonly privateKey?: Secret
  /** The `kid` of its assertions, if the authorization server wants one. */
  readonly privateKeyId?: string
  /** By default those that the upstream asks for, or lists; of a configured authorization server none, and it decides. */
  readonly scopes?: readonly string[]
  /**
   * The authorization server; its endpoints are discovered (RFC 8414, OpenID Connect Discovery) unless they are written out. By
   * default the one that the upstream names (RFC 9728). Required with a secret or a key, which no other one must get.
   */
  readonly issuer?: string
  /** Where its metadata is, if not where the issuer says. */
  readonly metadataUrl?: string
  /** The endpoints, `authorizationUrl` and `tokenUrl` together or neither. */
  readonly authorizationUrl?: string
  /** Where codes and refresh tokens are redeemed (RFC 6749 §3.2). */
  readonly tokenUrl?: string
  /** RFC 7009; tokens are then revoked there too when somebody disconnects. */
  readonly revocationUrl?: string
  /**
   * `auto` (the default) revokes where the authorization server offers that. `never` is for those that end all of the person's
   * tokens for this client with it (Google), where several servers have the same client.
   */
  readonly revocation?: 'auto' | 'never'
  /**
   * `resource` of RFC 8707, the same on authorize, redeem and refresh: the server's URL by default (`true`), another one, or
   * `false` for authorization servers that refuse it (Microsoft Entra).
   */
  readonly resource?: boolean | string
  /** Added to the authorization request: `{ access_type: 'offline', prompt: 'consent' }` for Google. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /** How the answer comes back: `query` (the default) or `form_post`. */
  readonly responseMode?: 'query' | 'form_post'
  /** Where in the token endpoint's answer the tokens are, for Slack's user tokens: `authed_user`. At the top by default. */
  readonly tokensIn?: string
  /** The callback's path, instead of one of its own for each authorization server. */
  readonly callbackPath?: string
  /**
   * Allows a callback path that several authorization servers share though one of them does not send `iss` (RFC 9207), which
   * leaves them open to mix-up (RFC 9700 §4.4).
   */
  readonly allowSharedCallback?: boolean
  /** Allows `http:` endpoints on hosts other than this machine. */
  readonly allowInsecureHttp?: boolean
}

/**
 * The caller's JWT goes upstream as it is. The MCP specification forbids this to servers (Authorization, Token Passthrough), so
 * it has to be typed out; it is for upstreams that trust the same identity provider and are meant by the token's audience.
 */
export interface PassthroughUpstreamAuth {
  readonly type: 'passthrough'
  /** The upstream's own audience, one of which the token's `aud` must have too. Not looked at by default: the upstream must. */
  readonly audience?: string | readonly string[]
}
