/** What `createGateway` returns. */
import type { Wanted } from '../access/decision.ts'
import type { Explanation } from '../access/explain.ts'
import type { Grant } from '../access/grants.ts'
import type { Connection, ConnectionPage } from '../broker/broker.ts'
import type { EventSource } from '../core/events.ts'
import type { Auth, Gate } from '../http/gate.ts'
import type { ApiKey, NewApiKey } from '../identity/api-keys.ts'
import type { KeyReport } from '../identity/integrations.ts'
import type { Identity } from '../identity/sign-in.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'
import type { VirtualAccounts } from '../identity/virtual-accounts.ts'
import type { KnownConnection } from '../portal/parts.ts'
import type { VisibleServer } from '../portal/visible-server.ts'
import type { AuditEvent } from './audit-event.ts'
import type { GatewayConfig, McpServer } from './config.ts'
import type { DoctorReport } from './doctor-report.ts'

/** A person, as `authOf(req)` or a `SignIn` has them. With an id and an integration only, as they were when they last signed in. */
export type PersonSubject = Pick<Auth, 'id' | 'integration'> | Identity
/** Whom something is about: a person, or a virtual account by its name. */
export type Subject = PersonSubject | { readonly virtualAccount: string }

/** What a gateway tells. */
export interface GatewayEvents {
  audit: AuditEvent
  /** Keys of an identity provider were fetched, or could not be. */
  keys: KeyReport
}

/** A gate between AI agents and MCP servers. */
export interface Gateway extends Gate, EventSource<GatewayEvents> {
  /** API keys: personal tokens, and those of virtual accounts. */
  readonly keys: GatewayKeys
  /** Virtual accounts, made and deleted while it runs. */
  readonly virtualAccounts: GatewayVirtualAccounts
  /** A user's connections to `oauth2` servers. */
  readonly connections: GatewayConnections
  /** Servers, changed while it runs. */
  readonly servers: GatewayServers
  /** Grants, changed while it runs. */
  readonly access: GatewayGrants
  /** What is known of people. */
  readonly people: GatewayPeople
  /**
   * Takes over a changed configuration as a whole, without dropping a request: each is served by the one that it began under.
   * What is left out becomes empty. What cannot change while it runs (`url`, `store`, `keys`, …) is not part of it.
   *
   * @throws ConfigError (`ERR_CONFIG`) with every problem; then nothing changes
   */
  configure(config: LiveConfig): Promise<void>
  /**
   * Who a JWT or API key is, `Bearer …`: for code of the host application. `null` for credentials that are no good. A JWT has to be
   * for the integration's `audience`: one that a client got for a single endpoint (RFC 8707) is good at that endpoint only.
   * Somebody with a JWT who has not signed in here is remembered as if they had, so that personal tokens can be made for them.
   *
   * @throws GatewayError (`ERR_UNAVAILABLE`) where nobody can tell at present
   */
  identify(authorization: string): Promise<Identity | null>
  /**
   * Why somebody may or may not do something. Takes its time: for people, not for requests. Of a person with an id and an
   * integration only, what was known when they last signed in counts.
   *
   * @throws GatewayError (`ERR_SUBJECT`) for what names nobody, (`ERR_UNKNOWN_VIRTUAL_ACCOUNT`), (`ERR_UNKNOWN_PERSON`) for
   *   somebody of whom there is no record
   */
  explain(who: Subject, server: string, wanted?: Wanted | string): Promise<Explanation>
  /**
   * What to register at the authorization servers of `oauth2` servers. Those that are discovered are left out until somebody has
   * begun to connect them; the gateway registers itself there.
   */
  redirectUrls(): { readonly server: string; readonly redirectUrl: string }[]
  /**
   * Looks at a server from outside and says in plain words what it found: whether it can be reached, how it wants to be authorized
   * to, what its authorization server does oddly, and what to put into the configuration. Takes its time, sends nothing secret and
   * registers nothing.
   *
   * ```ts
   * console.log((await gateway.doctor('dev/github')).text)
   * ```
   *
   * @throws GatewayError (`ERR_UNKNOWN_SERVER`)
   */
  doctor(server: string): Promise<DoctorReport>
  /**
   * The latest audit events that this process remembers, oldest first: for a page, not for the record. Other processes have their
   * own, and a restart forgets them. How many is set by `recentAudit`.
   */
  recentAudit(): readonly AuditEvent[]
  /** The endpoints of all servers. */
  endpoints(): { readonly server: string; readonly urls: readonly string[]; readonly auth: string }[]
}

/** What can be changed while a gateway runs. */
export type LiveConfig = Pick<
  GatewayConfig,
  'servers' | 'virtualServers' | 'access' | 'virtualAccounts' | 'externalIdentities'
>

/** API keys of people and virtual accounts. */
export interface GatewayKeys {
  /**
   * Makes a key, whose text is shown this once.
   *
   * A personal token takes its owner's groups from the record of their last sign-in. Where there is none, or it is too old, one is
   * made of `owner`, if that is a whole identity (of `identify`, say): whoever asks vouches for it.
   *
   * @throws ApiKeyError (`ERR_API_KEY`) for a bad name or time, an option that does not exist, or too many keys
   * @throws GatewayError (`ERR_SUBJECT`) for an owner that names nobody
   * @throws GatewayError (`ERR_UNKNOWN_VIRTUAL_ACCOUNT`) for an account that does not exist; (`ERR_UNKNOWN_PERSON`) for a person
   *   without such a record, whose key would let nobody in, unless there is a `directory`; (`ERR_UNAVAILABLE`)
   */
  create(
    owner: Subject,
    key: { readonly name: string; readonly expiresAt?: number; readonly ttlSeconds?: number },
  ): Promise<NewApiKey>
  /** Keys of an owner, oldest first; expired ones too, for 30 days. */
  list(owner: Subject): Promise<ApiKey[]>
  /** Ends a key; `false` where the owner has none of this id. */
  revoke(owner: Subject, id: string): Promise<boolean>
}

/** Virtual accounts, and who answers for them. */
export interface GatewayVirtualAccounts extends VirtualAccounts {
  /**
   * Those that somebody is an owner of, by name. On servers with consent they use connections that an owner has made for them. What
   * another process has changed is believed for 5 seconds at most, or until the store tells of it.
   *
   * @throws GatewayError (`ERR_SUBJECT`, `ERR_UNKNOWN_PERSON`)
   */
  ownedBy(who: PersonSubject): Promise<VirtualAccount[]>
}

/** Connections of people and virtual accounts. */
export interface GatewayConnections {
  /** Those of an owner, by server. */
  list(owner: Subject): Promise<Connection[]>
  /**
   * The URL where somebody connects a server. For a virtual account, `who` is the owner of it who will.
   *
   * @throws GatewayError (`ERR_ACCESS`) where they may not use the server or do not own the virtual account,
   *   (`ERR_UNKNOWN_SERVER`) for a server that does not exist or is not `oauth2`, (`ERR_UNKNOWN_VIRTUAL_ACCOUNT`),
   *   (`ERR_UNAUTHENTICATED`) for credentials that are no good, or empty, (`ERR_SUBJECT`, `ERR_UNKNOWN_PERSON`) as `explain`,
   *   (`ERR_UNAVAILABLE`)
   */
  connectUrl(request: {
    readonly server: string
    /** Or what they came with, `Bearer …`: an API key, or a JWT for the integration's `audience` or an endpoint of this server. */
    readonly who: PersonSubject | { readonly authorization: string }
    readonly forVirtualAccount?: string
    readonly returnTo?: string
  }): Promise<string>
  /** Ends a connection; whether there was one. */
  revoke(owner: Subject, server: string): Promise<boolean>
  /**
   * Connections of everybody, about a hundred at a time, for administrators: whoever shows them sees to it that nobody else does. A
   * page can be empty and have a next one.
   */
  all(page?: ConnectionPage): Promise<{ readonly connections: readonly KnownConnection[]; readonly next?: string }>
}

/** People who have signed in, or made a personal token. */
export interface GatewayPeople {
  /**
   * The person with this id, at once; else those with this e-mail address or subject, at most 20, for which every record is looked
   * at. As they were when they last signed in.
   */
  find(text: string): Promise<Identity[]>
  /** The person with this id, as they were when they last signed in; `undefined` for one who is not known. */
  get(id: string): Promise<Identity | undefined>
}

/** MCP servers. */
export interface GatewayServers {
  /**
   * What somebody may use, servers and virtual servers, as they may know them: what a page of their own is made of. Connections are
   * in `gateway.connections.list`.
   *
   * @throws GatewayError (`ERR_SUBJECT`, `ERR_UNKNOWN_PERSON`) as `explain`, (`ERR_UNKNOWN_VIRTUAL_ACCOUNT`, `ERR_UNAVAILABLE`)
   */
  for(who: Subject): Promise<VisibleServer[]>
  /** As they are now, by name. */
  list(): Readonly<Record<string, McpServer>>
  /** Adds a server, or replaces the one of that name. @throws ConfigError (`ERR_CONFIG`) */
  set(name: string, server: McpServer): Promise<void>
  /**
   * Takes a server away, its connections stay; whether there was one.
   *
   * @throws ConfigError (`ERR_CONFIG`) as long as a grant names it: take that away first, or both at once with `configure`
   */
  remove(name: string): Promise<boolean>
}

/** Grants. */
export interface GatewayGrants {
  /** As they are now, in order. */
  list(): readonly Grant[]
  /** Replaces them all. @throws ConfigError (`ERR_CONFIG`) */
  set(grants: readonly Grant[]): Promise<void>
  /** Adds some. @throws ConfigError (`ERR_CONFIG`) */
  add(...grants: readonly Grant[]): Promise<void>
  /** Removes those that are equal to one of these; how many. */
  remove(...grants: readonly Grant[]): Promise<number>
}
