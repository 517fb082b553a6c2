/** The gateway's configuration: plain data that also reads well in JSON or YAML, functions only where a user plugs in code. */
import type { Dispatcher } from 'undici'
import type { Grant } from '../access/grants.ts'
import type { CallerHeaderRules } from '../broker/caller-headers.ts'
import type { UpstreamAuth } from '../broker/upstream-auth.ts'
import type { Clock } from '../core/clock.ts'
import type { Secret, SecretResolver } from '../core/secrets.ts'
import type { ExternalIdentity } from '../identity/external-identities.ts'
import type { Integration } from '../identity/integration.ts'
import type { SignIn } from '../identity/sign-in.ts'
import type { Directory } from '../identity/token-owners.ts'
import type { VirtualAccountConfig } from '../identity/virtual-account.ts'
import type { Fetch } from '../net/fetch.ts'
import type { Brand } from '../pages/layout.ts'
import type { TokenStore } from '../store/token-store.ts'
import type { AuditEvent } from './audit-event.ts'
import type { Decide } from './decide.ts'
import type { VirtualMcpServer } from './virtual/config.ts'

/** What {@link createGateway} takes. */
export interface GatewayConfig {
  /** The gateway's public origin, `https://gw.example.com`. Links, redirect URLs and resource ids begin with it. */
  readonly url: string
  /** Where connections, API keys and people are kept: `sqliteStore('tokens.db')`. Sealed with `keys`. */
  readonly store: TokenStore
  /** Keys made by `generateKey()`: the first seals, all of them open. */
  readonly keys: readonly Secret[]
  /** MCP servers by name, `group/server`: the endpoint is `/mcp/{group}/{server}/server`. */
  readonly servers: Readonly<Record<string, McpServer>>
  /** Chosen tools, prompts and resources of several servers under one endpoint, by name as servers. */
  readonly virtualServers?: Readonly<Record<string, VirtualMcpServer>>
  /** Who may use what. Nothing is given but by grants. */
  readonly access?: readonly Grant[]
  /**
   * Decides in place of the grants, or after them: it is told what they say. For a caller without any role on a server it is asked
   * too, so that it can give one. Methods that MCP does not know take a grant of everything, whatever it says. What it throws is
   * answered 503.
   */
  readonly decide?: Decide
  /** Identity providers by name, whose JWTs callers may bring. */
  readonly integrations?: Readonly<Record<string, Integration>>
  /**
   * What MCP clients should ask the identity providers for when they sign their user in: `['openid', 'email']`, say. It is in the
   * metadata of the endpoints (RFC 9728 §2, `scopes_supported`) and in the challenges (RFC 6750 §3, `scope`). Nothing is checked
   * of tokens by it. By default clients ask for what they like. `offline_access` does not belong here.
   */
  readonly scopes?: readonly string[]
  /** Names for callers whose JWT meets some rules. */
  readonly externalIdentities?: Readonly<Record<string, ExternalIdentity>>
  /** Services with an identity of their own. */
  readonly virtualAccounts?: Readonly<Record<string, VirtualAccountConfig>>
  /**
   * Signs people in who follow a consent link: a guard with login on the gateway's origin, or the host application. `link`: whoever
   * holds a link may use it, which lets a link that was sent on connect the wrong person's account. Needed for `oauth2` servers.
   */
  readonly signIn?: SignIn | 'link'
  /** Looks up the owners of personal tokens in place of the records that sign-ins leave. */
  readonly directory?: Directory
  /** How old the record of a personal token's owner may be, in seconds; 30 days by default. */
  readonly maxPersonAgeSeconds?: number
  /** Paths of the gateway's own pages. */
  readonly paths?: {
    /** Consent begins here; `/connect` by default. */
    readonly connect?: string
    /** Callbacks of authorization servers; `/oauth2/callback` by default, with a part for each of them behind it. */
    readonly callback?: string
  }
  /** The gateway's own pages for people. Without them it has none but those of consent. Needs `signIn` that can tell who somebody is. */
  readonly pages?: GatewayPages
  /** How many audit events `gateway.recentAudit()` remembers; 500 by default where there are pages, else 0. */
  readonly recentAudit?: number
  /** `x-tfy-mcp-headers`: what callers may send to upstreams themselves. `false` turns it off: 400. */
  readonly callerHeaders?: CallerHeaderRules | false
  /** Reverse proxies whose `X-Forwarded-*` headers are believed, by network. None by default. */
  readonly trustProxy?: readonly string[]
  /** Hosts beside that of `url` that requests may be for, against DNS rebinding. */
  readonly allowedHosts?: readonly string[]
  /** Origins of web pages that may call MCP endpoints, beside `url`. They get CORS headers. */
  readonly allowedOrigins?: readonly string[]
  /** Sizes, times and numbers; each has a default. */
  readonly limits?: GatewayLimits
  /** How long a session id is good for, in seconds; 86,400 (a day) by default. */
  readonly sessionSeconds?: number
  /** How long a consent link is good for, in seconds; 600 by default. */
  readonly linkSeconds?: number
  /** Told of every request, consent, refresh, revocation and key use. The same as `gateway.on('audit', …)`. */
  readonly audit?: (event: AuditEvent) => void
  /** Looks up secrets that are neither `env:` nor `file:`. */
  readonly secrets?: SecretResolver
  /** Used for fetching keys, metadata and tokens in place of `globalThis.fetch`. */
  readonly fetch?: Fetch
  /** Used for requests to MCP servers, say to go through a proxy. */
  readonly dispatcher?: Dispatcher
  /** Used in place of the machine's clock. */
  readonly clock?: Clock
}

/** The gateway's own pages, and what they look like. */
export interface GatewayPages {
  /**
   * Where they are, `/gateway`: somebody's servers, connections and access tokens, and what administrators see. Left out, there are
   * none; `brand` is then that of the pages of consent.
   */
  readonly path?: string
  /** Name, logo and colours of all pages. A guard has one of its own for those of sign-in and sign-out: give it the same. */
  readonly brand?: Brand
}

/** An MCP server behind the gateway. */
export interface McpServer {
  /** Its Streamable HTTP endpoint. */
  readonly url: string
  /** The credential that calls go with; `{ type: 'none' }`, typed out, for none. */
  readonly auth: UpstreamAuth
  /** Answers on `/api/llm/mcp/{id}/server` too. */
  readonly id?: string
  /** What people know it as; its name by default. */
  readonly label?: string
  /** What it is for, shown to people who connect it; at most 1,000 characters. */
  readonly description?: string
  /** `text`: missing consent is always said in plain text, for clients that declare more than they can. `best` by default. */
  readonly signal?: 'best' | 'text'
  /** Which era it speaks, where that is known; by default found out from its answers. */
  readonly era?: 'legacy' | 'modern'
  /**
   * Speaks every revision of MCP to its clients, whatever the server speaks: clients of 2026-07-28 to a server of 2025-11-25 or
   * before, and the other way round. Where both speak the same it is relayed as ever. Off by default.
   */
  readonly bridge?: boolean
  /** Whether arguments that differ only in case are two, for tools whose parameters do. Grants on arguments are not safe then. */
  readonly exactArguments?: boolean
  /** Allows `http:` on hosts other than this machine. */
  readonly allowInsecureHttp?: boolean
}

/** Bounds, in bytes and milliseconds. */
export interface GatewayLimits {
  /** Of a request's body; 4 MiB by default. */
  readonly maxBodyBytes?: number
  /**
   * Of an answer that has to be read as a whole (any in JSON, to callers from whom something is left out of lists), or one event of
   * a stream; 16 MiB by default.
   */
  readonly maxAnswerBytes?: number
  /** For a connection to an upstream; 5,000 by default. */
  readonly connectMs?: number
  /** From a request to the headers of the upstream's answer; 60,000 by default. */
  readonly answerMs?: number
  /** How long a stream may be silent; 0, the default, for as long as it likes. */
  readonly silenceMs?: number
  /**
   * Keys of all objects in a request's body together; 20,000 by default. They are what takes longest to read, compare and make, about
   * a microsecond each: a body of 4 MiB can have 400,000 of them.
   */
  readonly maxKeys?: number
  /** Values of all kinds in a request's body; 200,000 by default. */
  readonly maxValues?: number
  /** Connections to one upstream; 256 by default. */
  readonly connections?: number
  /**
   * Requests to one server, or virtual server, that one caller may have under way, until their answers are whole; 64 by default. One
   * more is answered 429. As many may be under way of what asks for no answer (notifications, answers to the server, DELETE), so that
   * a caller who has no call left can still give one up. Somebody who does not say who they are counts by the network they come from.
   */
  readonly callsPerCaller?: number
  /** The same of streams that stay open to listen (GET, `subscriptions/listen`); 128 by default. */
  readonly streamsPerCaller?: number
  /**
   * How often it is looked at whether the callers of open streams still may (a key revoked, a token expired); 15,000 by default.
   * After a change of the configuration that is done at once.
   */
  readonly recheckMs?: number
}
