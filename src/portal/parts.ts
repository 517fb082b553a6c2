/** What the pages are made of: the gateway as its own methods have it, and what a request to a page comes down to. */
import type { Wanted } from '../access/decision.ts'
import type { Explanation } from '../access/explain.ts'
import type { Connection, ConnectionEvent, ConnectionPage } from '../broker/broker.ts'
import type { Clock } from '../core/clock.ts'
import type { Sealer } from '../core/sealing.ts'
import type { GateRequest, Reply } from '../http/gate.ts'
import type { ApiKey, NewApiKey } from '../identity/api-keys.ts'
import type { KeyEvent } from '../identity/key-event.ts'
import type { Identity, SignIn } from '../identity/sign-in.ts'
import type { VirtualAccount } from '../identity/virtual-account.ts'
import type { Brand } from '../pages/layout.ts'
import type { TokenStore } from '../store/token-store.ts'
import type { VisibleServer } from './visible-server.ts'

/** What {@link createPortal} works with. */
export interface PortalParts {
  /** The gateway's origin, as browsers see it. */
  readonly origin: string
  /** Where the pages are: `/gateway`. */
  readonly path: string
  readonly brand: Brand | undefined
  readonly signIn: SignIn
  /** Seals forms, with the same keys on every machine. */
  readonly sealer: (purpose: string) => Sealer
  /** Remembers which forms have been used. */
  readonly store: Pick<TokenStore, 'get' | 'put' | 'delete'>
  readonly clock: Clock
  readonly gateway: PortalGateway
  /** Whether a virtual account has a role of its own on one of the servers; rejects where that cannot be told for now. */
  readonly usesAny: (account: VirtualAccount, servers: readonly string[]) => Promise<boolean>
  /** Told why a page says that it is not available. */
  readonly failed: (error: unknown) => void
}

/** Whose things are meant: the person's own, or those of a virtual account. */
export type PortalOwner = Identity | { readonly virtualAccount: string }

/** The methods of the gateway that the pages are made of: the host application can make its own of them. */
export interface PortalGateway {
  readonly servers: { for(who: PortalOwner): Promise<VisibleServer[]> }
  readonly connections: {
    list(owner: PortalOwner): Promise<Connection[]>
    connectUrl(request: {
      readonly server: string
      readonly who: Identity
      readonly forVirtualAccount?: string
      readonly returnTo?: string
    }): Promise<string>
    revoke(owner: PortalOwner, server: string): Promise<boolean>
    all(page?: ConnectionPage): Promise<{ readonly connections: readonly KnownConnection[]; readonly next?: string }>
  }
  readonly keys: {
    create(owner: PortalOwner, key: { readonly name: string; readonly ttlSeconds?: number }): Promise<NewApiKey>
    list(owner: PortalOwner): Promise<ApiKey[]>
    revoke(owner: PortalOwner, id: string): Promise<boolean>
  }
  readonly virtualAccounts: {
    list(): Promise<VirtualAccount[]>
    get(name: string): Promise<VirtualAccount | undefined>
    ownedBy(who: Identity): Promise<VirtualAccount[]>
  }
  readonly people: { find(text: string): Promise<Identity[]>; get(id: string): Promise<Identity | undefined> }
  explain(who: PortalOwner, server: string, wanted?: Wanted | string): Promise<Explanation>
  doctor(server: string): Promise<ServerReport>
  recentAudit(): readonly AuditEntry[]
}

/** A connection, and what is known of whose it is. */
export interface KnownConnection extends Connection {
  /** The person or the virtual account. */
  readonly owner: ConnectionOwner
}

/** Whose a connection is. What is not known of them is left out. */
export interface ConnectionOwner {
  /** The `id` of their identity. */
  readonly id: string
  /** The name, of a virtual account. */
  readonly virtualAccount?: string
  /** Of a person. */
  readonly integration?: string
  /** Of a person: see `Identity.subject`. */
  readonly subject?: string
  /** Of a person, as their provider said last. */
  readonly email?: string
}

/** What the doctor found of a server. */
export interface ServerReport {
  readonly server: string
  readonly verdict: 'good' | 'attention' | 'bad'
  readonly findings: readonly { readonly level: 'good' | 'odd' | 'bad'; readonly message: string }[]
  readonly suggestion: Readonly<Record<string, unknown>> | undefined
}

/** What the audit has told, as far as it is shown. */
export type AuditEntry =
  | {
      readonly type: 'request'
      readonly at: number
      readonly caller: { readonly subject: string; readonly kind: string; readonly via: string } | null
      readonly server: string | null
      readonly member: string | null
      readonly methods: readonly string[]
      readonly targets: readonly { readonly kind: string; readonly name: string }[]
      readonly outcome: string
      readonly reason: string | null
      readonly status: number
    }
  | ({ readonly type: 'connection'; readonly at: number } & ConnectionEvent)
  | ({ readonly type: 'key'; readonly at: number } & KeyEvent)

/** Somebody who is signed in looks at a page, or sends a form of ours. */
export interface Visit {
  readonly request: GateRequest
  readonly identity: Identity
  /** What the route's pattern has found in the path. */
  readonly params: readonly string[]
  readonly query: URLSearchParams
  /** The form, which has been found to be one of ours for this person and browser; empty of a GET. */
  readonly form: URLSearchParams
  /** Of the form: the same however often it is sent; `''` of a GET. */
  readonly formId: string
  /** For the forms of the answer. */
  readonly csrf: string
  /** What was done by the form before this page. */
  readonly note: string | undefined
  /** What they may use, looked up once. */
  servers(): Promise<readonly VisibleServer[]>
  /** The virtual accounts that they are an owner of, looked up once. */
  accounts(): Promise<readonly VirtualAccount[]>
}

/** Answers a visit; `undefined` for what is not there, or not theirs to see: the two look alike. */
export type PortalAnswer = (visit: Visit) => Promise<Reply | undefined>

/** A page. */
export interface PortalRoute {
  /** Of the path below that of the pages: `''` or `/tokens`. */
  readonly path: RegExp
  readonly get: PortalAnswer
  readonly post?: PortalAnswer
  /** To anybody but administrators it is not there in any way. */
  readonly adminsOnly?: boolean
}
