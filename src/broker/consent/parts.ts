/** What the two halves of a consent share: the link and its button, and the authorization server's answer. */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../core/clock.ts'
import type { Sealer } from '../../core/sealing.ts'
import type { AttemptCookies } from '../../http/attempt-cookies.ts'
import type { GateRequest, Reply } from '../../http/gate.ts'
import type { Identity, SignIn } from '../../identity/sign-in.ts'
import { whoIsSignedIn } from '../../identity/signed-in.ts'
import { displayName } from '../../login/sign-out.ts'
import { AuthorizationError } from '../../oauth/authorization-error.ts'
import { type ConnectFailedOptions, type ConnectFailure, connectFailedPage } from '../../pages/connect-pages.ts'
import type { Brand } from '../../pages/layout.ts'
import type { ConnectionEvent, KeptConnectRequest } from '../broker.ts'
import type { Connections } from '../connections.ts'
import type { UpstreamClient } from '../upstream-client.ts'
import type { ConnectedNotes } from './connected-notes.ts'
import type { ConsentFlows } from './flows.ts'
import type { ConsentLinks } from './links.ts'
import type { SameAnswers } from './same-answer.ts'

/** Asked before consent starts, and when it ends (G21). */
export interface ConsentQuestion {
  readonly server: string
  /** Whose connection it will be. */
  readonly owner: string
  /** Whom the link was made for. */
  readonly by: Pick<Identity, 'id' | 'integration'> | null
  /** Who is signed in with the browser, as known at this moment; `null` with `signIn: 'link'`. */
  readonly identity: Identity | null
}

/** What consents work with. */
export interface ConsentParts {
  /** The origin of the gateway. */
  readonly url: string
  /** The path that links begin with. */
  readonly connectPath: string
  readonly signIn: SignIn | 'link'
  readonly links: ConsentLinks
  readonly flows: ConsentFlows
  readonly attempts: AttemptCookies
  readonly connections: Connections
  readonly connected: ConnectedNotes
  readonly same: SameAnswers
  readonly sealer: (purpose: string) => Sealer
  readonly clock: Clock
  readonly brand: Brand | undefined
  /** Clients by server, as they are configured now. */
  clients(): ReadonlyMap<string, UpstreamClient>
  mayConnect(question: ConsentQuestion): boolean | Promise<boolean>
  tell(event: Pick<ConnectionEvent, 'kind' | 'server' | 'owner'> & Partial<ConnectionEvent>): void
}

/** What an attempt of a consent is for, to its cookie. */
export const CONSENT = 'consent'

/** Who is at the browser: whoever holds the link, nobody who is signed in, or somebody. */
export type Visitor = { readonly kind: 'anyone' | 'nobody' } | { readonly kind: 'person'; readonly identity: Identity }

/** Looks who is at the browser; `by` is who should be. What a host application's `identify` throws comes out,
 * and an error where it answers with something that is no identity. */
export async function visitorOf(
  signIn: SignIn | 'link',
  request: GateRequest,
  by: KeptConnectRequest['by'] | undefined,
): Promise<Visitor> {
  if (signIn === 'link') return { kind: 'anyone' }
  const identity = await whoIsSignedIn(signIn, request, wayOf(by))
  return identity === null ? { kind: 'nobody' } : { kind: 'person', identity }
}

/** At which provider somebody signs in. */
export function wayOf(by: KeptConnectRequest['by'] | undefined): { readonly integration?: string } {
  return by ? { integration: by.integration } : {}
}

/** Whether a consent of `by` is this visitor's to give. */
export function isFor(by: KeptConnectRequest['by'], visitor: Visitor): boolean {
  return visitor.kind === 'anyone' || (visitor.kind === 'person' && visitor.identity.id === by?.id)
}

/** What a visitor is shown as. */
export function nameOf(visitor: Visitor): string | undefined {
  if (visitor.kind !== 'person') return undefined
  const { claims, email, subject } = visitor.identity
  return displayName(claims) ?? email ?? subject
}

/** The page and the event for a consent that came to nothing. */
export function consentFailed(
  { tell, brand, clients }: Pick<ConsentParts, 'tell' | 'brand' | 'clients'>,
  reason: ConnectFailure,
  about: KeptConnectRequest | undefined,
  detail: string,
  page: Pick<ConnectFailedOptions, 'retryHref' | 'who'> & { readonly by?: string | null } = {},
): Reply {
  const reference = randomBytes(5).toString('hex')
  const { by, ...shown } = page
  tell({
    kind: 'consent_failed',
    server: about?.server ?? null,
    owner: about?.owner ?? null,
    by: by ?? about?.by?.id ?? null,
    reason,
    detail,
    reference,
  })
  const label = about && clients().get(about.server)?.server.label
  return connectFailedPage({
    reason,
    reference,
    ...shown,
    // Whoever else holds the link learns nothing from it.
    ...(label !== undefined && reason !== 'other_person' && { label }),
    ...(about?.returnTo !== undefined && reason !== 'other_person' && { backHref: about.returnTo }),
    ...(brand && { brand }),
  })
}

/** What kind of failure a thrown error is, to the person. */
export function reasonOf(error: unknown): ConnectFailure {
  return error instanceof AuthorizationError ? error.kind : 'unavailable'
}
