/** What the broker answers when it is asked for the credential of a call. */
import type { IncomingHttpHeaders } from 'node:http'
import type { Caller } from '../identity/caller.ts'

/** Where a credential comes from; `caller_headers` is `x-tfy-mcp-headers`. */
export type CredentialKind =
  | 'none'
  | 'header'
  | 'oauth2'
  | 'passthrough'
  | 'token_exchange'
  | 'identity_assertion'
  | 'client_credentials'
  | 'caller_headers'

/** Whether it is a token of which there may be a newer one, where the upstream does not take it. */
export function isRenewable(kind: CredentialKind): boolean {
  return kind === 'oauth2' || isGranted(kind)
}

/** Whether it is a token that an authorization server gives without asking anybody: there is no consent to send people to. */
export function isGranted(kind: CredentialKind): boolean {
  return kind === 'token_exchange' || kind === 'identity_assertion' || kind === 'client_credentials'
}

/** What has to be done before a caller can use a server. */
export type AuthorizationNeed =
  /** The caller visits these URLs: `http` or `https`, visible ASCII. */
  | { readonly kind: 'visit'; readonly urls: readonly string[] }
  /** The caller is no person, and none of its owners has connected the server. */
  | { readonly kind: 'person' }

/** The answer. */
export type CredentialResult =
  | {
      readonly kind: 'credential'
      readonly credential: CredentialKind
      /** Header fields for the upstream, names in lower case. They win over whatever the client sent. */
      readonly headers: Readonly<Record<string, string>>
      /** Names the token, where there may be another: give it back as `rejected` when the upstream refuses it. */
      readonly stamp: string | undefined
      /** Of `oauth2`: names the connection that the token is of, whenever it is refreshed. */
      readonly connection?: string | undefined
    }
  | { readonly kind: 'authorization_required'; readonly need: AuthorizationNeed }
  /** Nothing that trying again would mend. `message` is for the caller. */
  | {
      readonly kind: 'refused'
      readonly status: 400 | 403
      /** `anonymous`: the server needs somebody's own credential, and the caller is nobody in particular. */
      readonly reason:
        | 'caller_headers'
        | 'passthrough_key'
        | 'passthrough_audience'
        | 'exchange_key'
        | 'exchange_refused'
        | 'anonymous'
      readonly message: string
      /** For the operator. */
      readonly detail?: string
    }
  /** 502: an authorization server does not take the gateway, or what it asks for. `detail` is for the operator, who has to mend it. */
  | { readonly kind: 'misconfigured'; readonly detail: string }
  /** 503. `detail` is for the operator. */
  | { readonly kind: 'unavailable'; readonly retryAfterMs: number; readonly detail: string }

/** What a credential is asked for. */
export interface CredentialRequest {
  readonly caller: Caller
  /** The caller's, from `principalsOf`. */
  readonly principals: readonly string[]
  readonly server: string
  /** Where it is a member of a virtual server: the names of all of them. `x-tfy-mcp-headers` is by server then. */
  readonly members?: readonly string[] | undefined
  /** The client's header fields, for `x-tfy-mcp-headers`. */
  readonly headers: IncomingHttpHeaders
  /** The same as they came, names and values in turn: only there can be seen whether a field has several lines. */
  readonly rawHeaders?: readonly string[]
  /** The `stamp` of a credential that the upstream has just refused. */
  readonly rejected?: string
  /** Its `WWW-Authenticate` then; with `insufficient_scope` (RFC 6750 §3.1) the token is good, and good for too little. */
  readonly challenge?: string | undefined
}

/** One for every MCP method. */
export interface Credentials {
  /** Never rejects for a request's sake. */
  resolve(request: CredentialRequest): CredentialResult | Promise<CredentialResult>
  /** Looks up secrets; rejects with all that are missing. */
  ready(): Promise<void>
}
