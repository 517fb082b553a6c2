/** An MCP server as somebody who may use it sees it. */
import type { Role } from '../access/grants.ts'
import type { UpstreamAuth } from '../broker/upstream-auth.ts'

/** See the top of the file. Never holds what the gateway reaches the server with, nor where that is. */
export interface VisibleServer {
  /** `group/server`. */
  readonly name: string
  /** One that is configured, or made of others. */
  readonly kind: 'server' | 'virtual'
  /** What people know it as; its name where nothing is configured. */
  readonly label: string
  /** For people, as configured. */
  readonly description?: string
  /** Where clients connect: by its name, then by its id. */
  readonly urls: readonly string[]
  /** How the gateway is authorized there; `virtual` of a virtual server, whose members have ways of their own. */
  readonly auth: UpstreamAuth['type'] | 'virtual'
  /** Of `header`: whether `overrides` have values for them that are not everybody's. */
  readonly ownValues: boolean
  /** What consent asks for, of `oauth2`, as far as that is configured; of connections, `scope` has what was given. */
  readonly scopes: readonly string[]
  /** Of a virtual server: what it is made of. */
  readonly members: readonly VisibleMember[]
  /** Of a virtual server: whether all of its members have to be ready before anything can be used, or `any` of them. */
  readonly require?: 'all' | 'any'
  /** The highest role that they have. */
  readonly role: Role
  /** Whether all of its tools, prompts and resources are theirs by the grants. */
  readonly everything: boolean
  /** Whether they have a role of their own, and not only the one that everybody has (`anonymous`). */
  readonly byName: boolean
  /** Whether an API key of theirs may use it too: not where only their token of the identity provider meets an external identity. */
  readonly byKey: boolean
}

/** A member of a virtual server. */
export interface VisibleMember {
  /** `group/server`. */
  readonly name: string
  /** What people know it as. */
  readonly label: string
  /** How the gateway is authorized there. */
  readonly auth: UpstreamAuth['type']
  /** As of a server. */
  readonly ownValues: boolean
  /** As of a server. */
  readonly scopes: readonly string[]
}
