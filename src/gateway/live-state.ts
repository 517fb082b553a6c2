/**
 * What can change while a gateway runs, in one immutable piece (G23). A request takes the piece that is there when it begins and
 * keeps it, so that it never sees half of a change. Changes are made one after the other, each checked as a whole before
 * anything of it counts.
 */
import { type Access, createAccess } from '../access/access.ts'
import type { Credentials } from '../broker/credential.ts'
import { deepFreeze } from '../core/freeze.ts'
import { copyParts } from '../core/plain.ts'
import type { Callers } from '../identity/callers.ts'
import { createExternalIdentities, type ExternalIdentities } from '../identity/external-identities.ts'
import type { McpServer } from './config.ts'
import { createEndpoints, type Endpoints } from './endpoints.ts'
import type { LiveConfig } from './gateway.ts'
import type { LiveServer } from './live-server.ts'
import { createProtectedResource, type ProtectedResource } from './protected-resource.ts'
import { type LiveVirtualServer, toLiveVirtual } from './virtual/live.ts'

/** See the top of the file. */
export interface LiveState {
  /** Frozen, and complete: what was left out is empty. */
  readonly config: Required<LiveConfig>
  readonly servers: ReadonlyMap<string, LiveServer>
  readonly virtualServers: ReadonlyMap<string, LiveVirtualServer>
  readonly access: Access
  readonly externalIdentities: ExternalIdentities
  readonly callers: Callers
  /** The same, for looking at callers again: tells nobody that a key was used. */
  readonly watchers: Callers
  readonly credentials: Credentials
  readonly endpoints: Endpoints
  readonly protectedResource: ProtectedResource
}

/** The parts of a state that others make. */
export interface LiveParts {
  /** The gateway's public origin. */
  readonly origin: string
  /** See `issuersOf`. */
  readonly issuers: readonly string[]
  /** What clients should ask the issuers for; their own default otherwise. */
  readonly scopes: readonly string[]
  /** @throws ConfigError for what cannot be used */
  check(config: LiveConfig): void
  /** `quiet`: tells nobody that a key was used. */
  makeCallers(externalIdentities: ExternalIdentities, quiet: boolean): Callers
  makeCredentials(servers: ReadonlyMap<string, LiveServer>): Credentials
  /**
   * Tells those who keep parts of the configuration themselves that it counts from now on. All of it has been checked.
   *
   * @throws ConfigError and then has changed nothing
   */
  apply(state: LiveState): void
  /** Told that a new state counts. */
  applied(): void
}

/** Holds the state, and changes it. */
export interface LiveStates {
  readonly current: LiveState
  /**
   * Makes `next` of the configuration count. Secrets of new servers are looked up first.
   *
   * @throws ConfigError (`ERR_CONFIG`), SecretError (`ERR_SECRET`); then nothing has changed
   */
  change(next: (now: Required<LiveConfig>) => LiveConfig): Promise<void>
}

/** What a configuration holds of it. */
export const LIVE_PARTS = ['servers', 'virtualServers', 'access', 'virtualAccounts', 'externalIdentities'] as const

/** The first state is that of `config`, which has been checked. */
export function createLiveStates(config: LiveConfig, parts: LiveParts): LiveStates {
  let current = makeState(config, parts)
  let last: Promise<void> = Promise.resolve()

  async function changeNow(next: (now: Required<LiveConfig>) => LiveConfig): Promise<void> {
    const wanted = next(current.config)
    if (wanted === current.config) return
    // Copied before it is checked: its owner may change the object meanwhile, and a getter may say something else the next time.
    const changed = copyParts(wanted, LIVE_PARTS)
    parts.check(changed)
    const state = makeState(changed, parts, current)
    await state.credentials.ready()
    parts.apply(state)
    current = state
    parts.applied()
  }

  return {
    get current() {
      return current
    },
    change(next) {
      const done = last.then(() => changeNow(next))
      last = done.catch(() => {})
      return done
    },
  }
}

function makeState(given: LiveConfig, parts: LiveParts, before?: LiveState): LiveState {
  const { origin, issuers, scopes } = parts
  const config = copyOf(given)
  const endpoints = createEndpoints({ ...config.servers, ...config.virtualServers }, origin)
  const servers = new Map(
    Object.entries(config.servers).map(([name, server]) => {
      const known = before?.servers.get(name)
      return [name, known !== undefined && isEqual(known.config, server) ? known : toLive(name, server)]
    }),
  )
  const externalIdentities = createExternalIdentities(config.externalIdentities)
  return Object.freeze({
    config,
    servers,
    virtualServers: new Map(
      Object.entries(config.virtualServers).map(([name, each]) => [name, toLiveVirtual(name, each, servers)]),
    ),
    access: createAccess(config.access),
    externalIdentities,
    callers: parts.makeCallers(externalIdentities, false),
    watchers: parts.makeCallers(externalIdentities, true),
    credentials: parts.makeCredentials(servers),
    endpoints,
    protectedResource: createProtectedResource({ origin, endpoints, issuers, scopes }),
  })
}

function copyOf({
  servers,
  virtualServers = {},
  access = [],
  virtualAccounts = {},
  externalIdentities = {},
}: LiveConfig) {
  return deepFreeze(structuredClone({ servers, virtualServers, access, virtualAccounts, externalIdentities }))
}

function toLive(name: string, config: McpServer): LiveServer {
  const relay = Object.freeze({ id: name, url: new URL(config.url) })
  return Object.freeze({ name, config, relay })
}

/** Whether two pieces of plain data say the same. */
export function isEqual(one: unknown, other: unknown): boolean {
  return canonical(one) === canonical(other)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : each,
  )
}
