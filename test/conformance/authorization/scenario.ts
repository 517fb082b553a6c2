/**
 * Scenarios on a server's side of MCP authorization, of which the official suite has none. They look at nothing but what goes over
 * the wire, and know of a server what {@link AuthorizationTarget} says, so that any server can be tried: their shape is that of
 * the suite's own (`ClientScenario`), and the target is what it would hand over as context.
 */
import type { Check } from '../verdict.ts'

/** A server that wants tokens, and tokens for it: made beforehand, since the suite knows no authorization server of it. */
export interface AuthorizationTarget {
  readonly serverUrl: string
  readonly tokens: {
    /** Good for everything on the server. */
    readonly good: string
    /** By the name of what is wrong with it: `expired`, `another issuer`. Each is like `good` but for that. */
    readonly bad: Readonly<Record<string, string>>
    /** Good, but for another resource: RFC 8707. */
    readonly otherAudience: Readonly<Record<string, string>>
  }
  /** Something that takes more than a token that is good for the server. Left out by servers whose tokens have no scopes. */
  readonly stepUp?: {
    readonly serverUrl: string
    readonly lesser: string
    readonly greater: string
    /** What the greater one has, and the lesser has not. */
    readonly scopes: readonly string[]
  }
}

/** See the top of the file. */
export interface AuthorizationScenario {
  readonly name: string
  readonly source: { readonly introducedIn: string }
  readonly description: string
  run(target: AuthorizationTarget, specVersion: string): Promise<Check[]>
}

/** What a check rests on. */
export interface SpecReference {
  readonly id: string
  readonly url: string
}

/** Where the requirements are. */
export const SPEC = {
  authorization: {
    id: 'MCP-Authorization',
    url: 'https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization',
  },
  challenge: { id: 'RFC-6750-3', url: 'https://www.rfc-editor.org/rfc/rfc6750.html#section-3' },
  metadata: { id: 'RFC-9728-3', url: 'https://www.rfc-editor.org/rfc/rfc9728.html#section-3' },
  resource: { id: 'RFC-8707-2', url: 'https://www.rfc-editor.org/rfc/rfc8707.html#section-2' },
} as const satisfies Record<string, SpecReference>

/** Collects checks. */
export interface Checks {
  readonly all: Check[]
  /** `problem` is `undefined` where all is well; `should` makes a warning of it. */
  add(id: string, description: string, on: SpecReference, problem: string | undefined, should?: 'should'): void
}

/** An empty collection. */
export function collectChecks(): Checks {
  const all: Check[] = []
  return {
    all,
    add(id, description, on, problem, should) {
      const missed = should === 'should' ? 'WARNING' : 'FAILURE'
      all.push({
        id,
        name: id,
        description,
        status: problem === undefined ? 'SUCCESS' : missed,
        timestamp: new Date().toISOString(),
        specReferences: [on],
        ...(problem === undefined ? {} : { errorMessage: problem }),
      })
    },
  }
}
