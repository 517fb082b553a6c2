/** sallyport: authentication in front of the Node server you already run. */

export { hashPassword } from './basic/scrypt.ts'
export type { Clock } from './core/clock.ts'
export {
  ConfigError,
  type ConfigProblem,
  DependencyError,
  FetchError,
  SallyportError,
  SealError,
  SecretError,
  StoreError,
} from './core/errors.ts'
export type { EventSource, Unsubscribe } from './core/events.ts'
export { generateKey } from './core/sealing.ts'
export type { Secret, SecretReference, SecretResolver } from './core/secrets.ts'
export type {
  BasicAuth,
  BasicUser,
  GuardConfig,
  JwtAuth,
  NoAuth,
  Route,
  RouteAuth,
} from './guard/config.ts'
export { createGuard, type Guard } from './guard/create-guard.ts'
export type { Decision, GuardEvents } from './guard/decision.ts'
export type { Endpoint } from './guard/endpoints.ts'
export type {
  AbortSource,
  Auth,
  Gate,
  GateRequest,
  OpenAuth,
  Outcome,
  Pass,
  PasswordAuth,
  Reply,
  ReplyHeaders,
  RequestBody,
  TokenAuth,
} from './http/gate.ts'
export type { Integration, KeyTimes, OAuth2 } from './identity/integration.ts'
export type { KeyReport } from './identity/integrations.ts'
export type { IdentifyOptions, Identity, SignIn, SignInOptions } from './identity/sign-in.ts'
export type { ClaimRules, ClaimValue } from './jwt/claim-rules.ts'
export type { RefusedKey } from './jwt/jwk.ts'
export type { KeySetEvent } from './jwt/key-set.ts'
export type { LoginConfig } from './login/config.ts'
export type { RedirectUrls } from './login/create-login.ts'
export type { LoginEvent } from './login/events.ts'
export {
  type Auth0Options,
  auth0,
  type CognitoOptions,
  cognito,
  type EntraOptions,
  entra,
  type GoogleOptions,
  google,
  type KeycloakOptions,
  keycloak,
  type OktaOptions,
  okta,
  type PresetOptions,
  type SignInIntegration,
} from './login/presets/index.ts'
export { publicUrl, publicUrls } from './match/domains.ts'
export type { Fetch } from './net/fetch.ts'
export type { Brand } from './pages/layout.ts'
export { RedeemError, type RedeemFailure } from './store/redeem-error.ts'
export type { RefreshEvent, RefreshSettings, RefreshTimes } from './store/refresh-settings.ts'
export { createRefresher, type FoundTokens, type Refresher } from './store/refresher.ts'
export { type SealedStore, sealed } from './store/sealed.ts'
export type { Key, Lease, Page, PageRequest, PutOptions, StoredRecord, TokenStore } from './store/token-store.ts'
