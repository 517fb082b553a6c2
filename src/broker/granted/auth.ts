/**
 * Upstream auth by which the gateway asks an authorization server for a token by itself, in configuration: nobody has to consent
 * in a browser, since the authorization server decides by its own rules.
 */
import type { Secret } from '../../core/secrets.ts'

/** One of the three. */
export type GrantedUpstreamAuth =
  | TokenExchangeUpstreamAuth
  | IdentityAssertionUpstreamAuth
  | ClientCredentialsUpstreamAuth

/** Who the gateway is at an authorization server, and where that is. */
export interface GrantClient {
  /** As registered there. */
  readonly clientId: string
  /** Mostly as `{ secret: 'env:NAME' }`; none beside `privateKey`. */
  readonly clientSecret?: Secret
  /** `client_secret_basic` where there is a secret, `private_key_jwt` where there is a key, else `none` by default. */
  readonly clientAuthentication?: 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt' | 'none'
  /** For `private_key_jwt` (RFC 7523 §2.2): a private key as PKCS#8 PEM or JWK. */
  readonly privateKey?: Secret
  /** The `kid` of its assertions, if the authorization server wants one. */
  readonly privateKeyId?: string
  /** The authorization server; its token endpoint is discovered (RFC 8414, OpenID Connect Discovery) unless it is written out. */
  readonly issuer?: string
  /** Where tokens are had (RFC 6749 §3.2). */
  readonly tokenUrl?: string
  /** Allows `http:` on hosts other than this machine. */
  readonly allowInsecureHttp?: boolean
}

/** What the token is for. */
export interface GrantTarget {
  /**
   * By default those that the upstream asks for, or lists; more of them where it answers `insufficient_scope`. Where they are
   * configured, never others.
   */
  readonly scopes?: readonly string[]
  /** `resource` of RFC 8707: the server's URL by default (`true`), another one, or `false` for none. */
  readonly resource?: boolean | string
}

/** Which token of a caller it is that an authorization server is given. RFC 8693 §3 has their URNs. */
export type SubjectTokenType = 'access_token' | 'id_token' | 'jwt'

/**
 * The caller's own JWT is exchanged for an access token for this server (RFC 8693), so that the server gets no token that is good
 * elsewhere. Callers have to come with a JWT: a gateway key is nothing that an identity provider knows.
 */
export interface TokenExchangeUpstreamAuth extends GrantClient, GrantTarget {
  readonly type: 'token_exchange'
  /** The name of the target at the authorization server, where it has one. `resource` is left out then, unless it is configured. */
  readonly audience?: string | readonly string[]
  /** `access_token` by default. */
  readonly subjectTokenType?: SubjectTokenType
  /** `access_token` by default. */
  readonly requestedTokenType?: 'access_token' | 'id_token' | 'jwt'
}

/**
 * Enterprise-managed authorization (the MCP extension `io.modelcontextprotocol/enterprise-managed-authorization`): the identity
 * provider turns the caller's own token into an Identity Assertion JWT Authorization Grant (ID-JAG) for the MCP server's
 * authorization server, which gives an access token for it (RFC 7523 §2.1).
 */
export interface IdentityAssertionUpstreamAuth extends Partial<GrantClient>, GrantTarget {
  readonly type: 'identity_assertion'
  /** The identity provider whose tokens callers come with. */
  readonly idp: GrantClient
  /** As registered at the MCP server's authorization server. */
  readonly clientId: string
  /**
   * The MCP server's authorization server. By default the one that the MCP server names (RFC 9728). Required with a secret or a
   * key, which no other one must get, and with `tokenUrl`.
   */
  readonly issuer?: string
  /** What callers come with; `id_token` by default. */
  readonly subjectTokenType?: SubjectTokenType
}

/** The gateway's own token, the same for all callers (RFC 6749 §4.4). */
export interface ClientCredentialsUpstreamAuth extends GrantClient, GrantTarget {
  readonly type: 'client_credentials'
  /** The name of the target, for authorization servers that want one (Auth0). `resource` is left out then, unless it is configured. */
  readonly audience?: string
}
