/** Who somebody is, and how they sign in: what one gate can ask another, or the host application. */
import type { GateRequest, Reply } from '../http/gate.ts'

/** A person or service. The same person is the same identity whatever they come with. */
export interface Identity {
  /** See `identityId`. */
  readonly id: string
  /** The name of the integration that they are of. */
  readonly integration: string
  /** What the integration calls them. */
  readonly subject: string
  /** Names, as the provider spells them. */
  readonly groups: readonly string[]
  /** Only where the provider has verified it. */
  readonly email?: string
  /** Of the ID token and UserInfo, or of the access token. */
  readonly claims: Readonly<Record<string, unknown>>
}

/** How somebody is to sign in. Whoever has only one way may leave it unread. */
export interface SignInOptions {
  /** The integration whose person it has to be, so that nobody has to be asked at which of several providers. */
  readonly integration?: string
  /** Whoever is signed in wants to be somebody else, so that the provider should ask who it is. */
  readonly anotherAccount?: boolean
}

/** What {@link SignIn.identify} is told. */
export interface IdentifyOptions {
  /** The integration whose person is looked for first. */
  readonly integration?: string
  /**
   * Told the `Set-Cookie` lines that the answer to a page load should have, so that a session that is in use does not end as if it
   * were not. They are as secret as the session.
   */
  readonly setCookies?: (lines: readonly string[]) => void
}

/** Signs people in by their browser. A guard is one; the host application can be one. */
export interface SignIn {
  /**
   * Who is signed in with the browser that sent `request`; `null` for nobody. With `integration` somebody of that one is looked
   * for: of a browser that is signed in at several, that one counts.
   */
  identify(request: GateRequest, options?: IdentifyOptions): Promise<Identity | null>
  /** Sends the browser to sign in, and then to `returnTo` (a path, or a URL of one of our own origins). */
  start(request: GateRequest, returnTo: string, options?: SignInOptions): Reply | Promise<Reply>
  /**
   * Names of the integrations whose people can sign in. Where it is left out, nobody knows: a gateway then cannot say of a
   * grant that whoever it is to will never be able to consent.
   */
  readonly integrations?: readonly string[]
  /** Where somebody signs out: a page on the gateway's origin. Where it is left out, no page of the gateway has a link to it. */
  readonly signOutUrl?: string | undefined
}
