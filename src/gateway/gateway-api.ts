/** The gateway as the host application has it: what it may ask and change, made of the parts that do it. */
import { ownedBy } from '../access/owners.ts'
import type { Broker } from '../broker/broker.ts'
import { messageOf, SallyportError } from '../core/errors.ts'
import { findPeople, personWith } from '../identity/find-people.ts'
import type { TokenStore } from '../store/token-store.ts'
import { warnOfNoAccounts } from './access-warnings.ts'
import type { GatewayConfig } from './config.ts'
import { createDoctor } from './doctor.ts'
import { explainAccess } from './explain.ts'
import type { Gateway, GatewayConnections } from './gateway.ts'
import type { Identification } from './identification.ts'
import type { IdentityParts } from './identity-parts.ts'
import { createKnownConnections } from './known-connections.ts'
import type { LiveStates } from './live-state.ts'
import type { Permissions } from './permissions.ts'
import { createGatewayGrants, createGatewayServers } from './runtime-changes.ts'
import { createVisibleServers } from './visible-servers.ts'

/** What it is made of. */
export interface GatewayApiParts extends Pick<Gateway, 'handle' | 'on' | 'recentAudit' | 'close'> {
  readonly connections: Omit<GatewayConnections, 'all'>
  readonly config: Pick<GatewayConfig, 'paths' | 'fetch' | 'secrets'>
  /** The gateway's public origin. */
  readonly url: string
  /** Seals what it keeps. */
  readonly store: TokenStore
  readonly live: LiveStates
  readonly people: Pick<IdentityParts, 'accounts' | 'records' | 'gatewayKeys'>
  readonly identification: Pick<Identification, 'identify' | 'identityOf' | 'callerOfSubject'>
  readonly permissions: Permissions
  readonly broker: Pick<Broker, 'redirectUrls' | 'all'>
  /** Something was taken away: whoever has a stream open by it is looked at. */
  checkStreams(): void
  /** Whether everything that requests need is there; each rejects with what is missing. */
  checks(): readonly Promise<unknown>[]
  /** Why keys of identity providers cannot be had. */
  failures(): readonly string[]
}

/** Where callbacks begin, unless the configuration says otherwise. */
const CALLBACK = '/oauth2/callback'

/** Puts it together. `close` is called once. */
export function createGatewayApi(parts: GatewayApiParts): Gateway {
  const { config, url, live, people, connections, identification, permissions, broker, checkStreams } = parts
  const { accounts, gatewayKeys, records } = people
  let closing: Promise<void> | undefined

  async function andCheckStreams<Done>(ending: Promise<Done>): Promise<Done> {
    const done = await ending
    checkStreams()
    return done
  }

  return {
    handle: parts.handle,
    on: parts.on,
    keys: {
      ...gatewayKeys,
      revoke: (owner, id) => andCheckStreams(gatewayKeys.revoke(owner, id)),
    },
    virtualAccounts: {
      create: accounts.create,
      get: accounts.get,
      list: accounts.list,
      async ownedBy(who) {
        const identity = await identification.identityOf(who)
        return ownedBy(await accounts.known(), identity)
      },
      delete: (name) => andCheckStreams(accounts.delete(name)),
    },
    connections: {
      ...connections,
      revoke: (owner, server) => andCheckStreams(connections.revoke(owner, server)),
      all: createKnownConnections({ broker, people: records, accounts }),
    },
    servers: {
      ...createGatewayServers(live),
      for: createVisibleServers({ live, permissions, callerOfSubject: identification.callerOfSubject }),
    },
    people: { find: (text) => findPeople(parts.store, records, text), get: (id) => personWith(records, id) },
    recentAudit: parts.recentAudit,
    access: createGatewayGrants(live),
    configure: (changed) => live.change(() => changed),
    identify: identification.identify,
    async explain(who, server, wanted) {
      return explainAccess(live.current, permissions, await identification.callerOfSubject(who), server, wanted)
    },
    redirectUrls: broker.redirectUrls,
    doctor: createDoctor({
      live,
      url,
      callback: config.paths?.callback ?? CALLBACK,
      fetch: config.fetch,
      secrets: config.secrets,
    }),
    endpoints() {
      const { servers, virtualServers, endpoints } = live.current
      const all = [...servers.values()].map(({ name, config: { auth } }) => ({ name, auth: auth.type as string }))
      const virtuals = [...virtualServers.keys()].map((name) => ({ name, auth: 'virtual' }))
      return [...all, ...virtuals].map(({ name, auth }) => ({ server: name, urls: endpoints.urlsOf(name), auth }))
    },
    async ready() {
      const results = await Promise.allSettled(parts.checks())
      const failed = results.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []))
      if (failed.length === 0) return warnOfNoAccounts(live.current.config.access ?? [], accounts)
      const reasons = [...new Set([...failed, ...parts.failures()])]
      throw new SallyportError('ERR_NOT_READY', `the gateway is not ready:\n  ${reasons.join('\n  ')}`)
    },
    close() {
      closing ??= parts.close()
      return closing
    },
  }
}
