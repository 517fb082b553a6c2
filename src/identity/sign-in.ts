/** Who somebody is, and how they sign in: what one gate can ask another, or the host application. */
import type { GateRequest, Reply } from '../http/gate.ts'

/** A person or service. The same person is the same identity whatever they come with (G22). */
export interface Identity {
  /** See `identityId`. */
  readonly id: string
  readonly integration: string
  /** What the integration calls them. */
  readonly subject: string
  readonly groups: readonly string[]
  /** Only where the provider has verified it. */
  readonly email?: string
  readonly claims: Readonly<Record<string, unknown>>
}

/** Signs people in by their browser. A guard is one; the host application can be one. */
export interface SignIn {
  /** Who is signed in with the browser that sent `request`; `null` for nobody. */
  identify(request: GateRequest): Promise<Identity | null>
  /** Sends the browser to sign in, and then to `returnTo` (a path, or a URL of one of our own origins). */
  start(request: GateRequest, returnTo: string): Reply | Promise<Reply>
}
