/** The entry point `sallyport/gateway`. */
export type { AccessDecision, GrantRef, Wanted } from '../access/decision.ts'
export type { Explanation, GrantExplanation } from '../access/explain.ts'
export type { Grant, Role } from '../access/grants.ts'
export type { Connection, ConnectionEvent, ConnectionPage } from '../broker/broker.ts'
export type { CallerHeaderRules } from '../broker/caller-headers.ts'
export type { CredentialKind } from '../broker/credential.ts'
export type {
  ClientCredentialsUpstreamAuth,
  GrantClient,
  GrantedUpstreamAuth,
  GrantTarget,
  IdentityAssertionUpstreamAuth,
  SubjectTokenType,
  TokenExchangeUpstreamAuth,
} from '../broker/granted/auth.ts'
export type {
  HeaderOverride,
  HeaderUpstreamAuth,
  NoUpstreamAuth,
  OAuth2UpstreamAuth,
  PassthroughUpstreamAuth,
  UpstreamAuth,
} from '../broker/upstream-auth.ts'
export { ConfigError, type ConfigProblem, SallyportError } from '../core/errors.ts'
export type { EventSource, Unsubscribe } from '../core/events.ts'
export type { ApiKey, NewApiKey } from '../identity/api-keys.ts'
export type { Caller } from '../identity/caller.ts'
export type { ExternalIdentity } from '../identity/external-identities.ts'
export { ApiKeyError, VirtualAccountError } from '../identity/identity-errors.ts'
export type { KeyEvent } from '../identity/key-event.ts'
export type { KeyOwner } from '../identity/key-owner.ts'
export type { Person } from '../identity/people.ts'
export type { Directory, DirectoryEntry } from '../identity/token-owners.ts'
export type { VirtualAccount, VirtualAccountConfig } from '../identity/virtual-account.ts'
export type { VirtualAccounts } from '../identity/virtual-accounts.ts'
export type { Brand } from '../pages/layout.ts'
export type { ConnectionOwner, KnownConnection } from '../portal/parts.ts'
export type { VisibleMember, VisibleServer } from '../portal/visible-server.ts'
export type {
  AuditCaller,
  AuditEvent,
  ConnectionAuditEvent,
  KeyAuditEvent,
  RequestEvent,
} from './audit-event.ts'
export type { GatewayConfig, GatewayLimits, GatewayPages, McpServer } from './config.ts'
export { createGateway } from './create-gateway.ts'
export type { AccessQuestion, Decide } from './decide.ts'
export type { DoctorFinding, DoctorReport } from './doctor-report.ts'
export type {
  Gateway,
  GatewayConnections,
  GatewayEvents,
  GatewayGrants,
  GatewayKeys,
  GatewayPeople,
  GatewayServers,
  GatewayVirtualAccounts,
  LiveConfig,
  PersonSubject,
  Subject,
} from './gateway.ts'
export { GatewayError, type GatewayErrorCode } from './gateway-error.ts'
export { type NdjsonAudit, type NdjsonAuditOptions, ndjsonAudit } from './ndjson-audit.ts'
export type { RenamedSelection, VirtualMcpServer, VirtualSelection } from './virtual/config.ts'
