/** Connections in the store: tokens by owner and server, refreshed in time, told of without ever being shown (G9, G13, G14). */
import type { Clock } from '../core/clock.ts'
import { messageOf, SealError } from '../core/errors.ts'
import { createLastUse, type LastUseOptions } from '../identity/last-use.ts'
import { AuthorizationError } from '../oauth/authorization-error.ts'
import { everyRecord } from '../store/every-record.ts'
import { RedeemError } from '../store/redeem-error.ts'
import type { RefreshEvent, RefreshTimes } from '../store/refresh-settings.ts'
import { createRefresher, type FoundTokens, HalfEnded } from '../store/refresher.ts'
import type { Key, Page, TokenStore } from '../store/token-store.ts'
import { readable, type UnopenedRecords, warnOnce } from '../store/unopened.ts'
import type { BoundClient } from './bound-client.ts'
import type { Broker, Connection, ConnectionEvent, OwnedConnection, StepUp, TokenOptions } from './broker.ts'
import { describeConnection, readConnectionRecord } from './describe-connection.ts'
import { stepUpFor } from './step-up.ts'
import { isSameTokenOrigin, toUpstreamTokens, type UpstreamTokens } from './tokens.ts'
import type { UpstreamClient } from './upstream-client.ts'

/** What connections work with. */
export interface ConnectionSettings {
  readonly store: TokenStore
  readonly clock: Clock
  readonly times: Partial<RefreshTimes> | undefined
  /** The client of a server, as it is configured now. */
  client(server: string): UpstreamClient | undefined
  /** The servers that are configured now. */
  servers(): Iterable<string>
  tell(event: Pick<ConnectionEvent, 'kind' | 'server' | 'owner'> & Partial<ConnectionEvent>): void
}

/** See the top of the file. */
export interface Connections {
  /** At once where they are at hand and nothing is due. */
  tokens(
    owner: string,
    server: string,
    options?: TokenOptions,
  ): FoundTokens<UpstreamTokens> | Promise<FoundTokens<UpstreamTokens>>
  /** See `Broker.stepUp`. */
  stepUp(owner: string, server: string, challenge: string, url?: string): Promise<StepUp | undefined>
  /** Stores new tokens in place of whatever was there. */
  connect(owner: string, tokens: UpstreamTokens): Promise<void>
  list(owner: string): Promise<Connection[]>
  /** See `Broker.all`. */
  readonly all: Broker['all']
  disconnect(owner: string, server: string): Promise<boolean>
  /** See `Broker.disconnectAll`. */
  disconnectAll(owner: string): Promise<void>
  /**
   * Revokes tokens upstream that have not been stored, unless a connection of the owner could end with them: why they were left to
   * run out. Never rejects.
   */
  discard(owner: string, tokens: UpstreamTokens): Promise<string | undefined>
  /** Waits for refreshes under way. */
  close(): Promise<void>
}

const SPACE = 'connections'
/** A write an hour for each connection that is in use, by each process. */
const LAST_USE: LastUseOptions = { space: 'connections-last-use', writeEveryMs: 3_600_000 }
/** Of the store's pages, for one of ours; what else there is comes on the next. */
const MAX_SCANS = 20
const ENOUGH = 100
/** Where it is now, the next call finds it. */
const MOVED: FoundTokens<UpstreamTokens> = Object.freeze({ kind: 'unavailable', retryAfterMs: 1_000 })

/** See the top of the file. */
export function createConnections({ store, clock, times, client, servers, tell }: ConnectionSettings): Connections {
  const keyOf = (owner: string, server: string): Key => ({ space: SPACE, owner, id: server })
  const lastUse = createLastUse(store, clock, LAST_USE)
  const leftOut = warnOnce('connections are left out')
  const refresher = createRefresher<UpstreamTokens>({
    store,
    clock,
    ...(times === undefined ? {} : { times }),
    // Tokens of an authorization server that is no longer the configured one have expired, and are not refreshed anywhere.
    expiresAt: (tokens) => (clientOf(tokens) === undefined ? 0 : tokens.expiresAt),
    canRefresh: (tokens) => tokens.refreshToken !== undefined && clientOf(tokens) !== undefined,
    async redeem(tokens, signal) {
      const upstream = clientOf(tokens)
      if (upstream === undefined || tokens.refreshToken === undefined) {
        throw new RedeemError('rejected', 'the server is configured for another authorization server or client now')
      }
      const set = await upstream.client.refresh(tokens.refreshToken, signal)
      return toUpstreamTokens(tokens.server, upstream.origin, set, Math.round(clock.now()), tokens)
    },
    revoke,
    report: ({ key, kind, detail }) => {
      const event = EVENTS[kind]
      if (event === undefined) return
      const reason = event === 'refreshed' || event === 'reauth_required' ? null : kind
      tell({ kind: event, server: key.id, owner: key.owner, reason, detail: detail ?? null })
    },
  })

  /** The client whose tokens these are; `undefined` where the configuration has changed to another. */
  function clientOf(tokens: UpstreamTokens): BoundClient | undefined {
    const upstream = client(tokens.server)?.current()
    return upstream !== undefined && isSameTokenOrigin(upstream.origin, tokens) ? upstream : undefined
  }

  async function revoke(tokens: UpstreamTokens): Promise<void> {
    await client(tokens.server)?.known()
    const upstream = clientOf(tokens)
    if (upstream === undefined) throw new Error('its authorization server is no longer configured')
    const { refreshToken, accessToken } = tokens
    const refresh = refreshToken !== undefined && upstream.client.revoke(refreshToken, 'refresh_token')
    // Not all servers end the access token with the refresh token (RFC 7009 §2.1).
    const access = upstream.client.revoke(accessToken, 'access_token').catch((error: unknown) => {
      // One that resource servers check by themselves cannot be ended before its time (§2.2.1).
      const unsupported = error instanceof AuthorizationError && error.error === 'unsupported_token_type'
      if (!unsupported || refreshToken === undefined) throw error
    })
    for (const each of await Promise.allSettled([refresh, access])) if (each.status === 'rejected') throw each.reason
  }

  /** A record that cannot be read is of no use to anybody. Consent puts another in its place. */
  function lookUp(key: Key, options?: { readonly rejected?: string }): Promise<FoundTokens<UpstreamTokens>> {
    return refresher.tokens(key, options).catch((error: unknown) => {
      if (!(error instanceof SyntaxError)) throw error
      return { kind: 'reauth_required' }
    })
  }

  /**
   * Some authorization servers have one grant for each person and client (Google; `oidc-provider` unless told otherwise), and end it
   * with any of its tokens. So those that nobody has asked to end are not revoked while a connection of the owner stands there.
   */
  async function reasonToKeep(owner: string, thrown: UpstreamTokens): Promise<string | undefined> {
    for await (const { key, value } of everyRecord((page) => readable(store.list(SPACE, owner, page), () => {}))) {
      const tokens = readConnectionRecord(value)?.tokens
      if (tokens === undefined || tokens.issuer !== thrown.issuer || tokens.clientId !== thrown.clientId) continue
      // Perhaps nobody knows yet whether their record is gone.
      if (tokens.accessToken === thrown.accessToken) continue
      await client(key.id)?.known()
      if (describeConnection(key.id, value, clientOf, clock.now())?.state !== 'connected') continue
      return `left to run out at ${thrown.issuer}: ${JSON.stringify(key.id)} is connected with the same client`
    }
    return undefined
  }

  async function lookFor(
    upstream: UpstreamClient,
    key: Key,
    { rejected, challenge, url }: TokenOptions,
  ): Promise<FoundTokens<UpstreamTokens>> {
    // Before anything is refreshed: it may be another authorization server's now.
    if (rejected !== undefined) await upstream.lookAgain(challenge)
    const bound = await upstream.known()
    const look = () => lookUp(key, rejected === undefined ? {} : { rejected })
    let found = await look()
    // They may be those of a client that another process has just settled on.
    if (found.kind !== 'tokens' && (await upstream.known(true)) !== bound) found = await look()
    if (hasMoved(client(key.id), url)) return MOVED
    // There is nothing newer to be had: the person must consent again.
    return found.kind === 'tokens' && found.stamp === rejected ? { kind: 'reauth_required' } : found
  }

  async function disconnect(owner: string, server: string): Promise<boolean> {
    const ended = await refresher.disconnect(keyOf(owner, server)).catch((error: unknown) => {
      // Done again, it may find nothing that could be told.
      if (error instanceof HalfEnded) tell({ kind: 'disconnected', server, owner, detail: error.message })
      throw error
    })
    if (ended) tell({ kind: 'disconnected', server, owner })
    // A time that stays behind says nothing of a connection that is not there, and goes by itself.
    if (ended) await lastUse.forget(owner, server).catch(() => {})
    return ended
  }

  /** Servers that an owner may have connections to. */
  async function serversOf(owner: string): Promise<readonly string[]> {
    const found: string[] = []
    try {
      for await (const { key } of everyRecord((page) => store.list(SPACE, owner, page))) found.push(key.id)
      return found
    } catch (error) {
      // A record that does not open hides the rest of its page. Ending it removes it.
      if (error instanceof SealError) return [...new Set([...found, ...servers()])]
      throw error
    }
  }

  function noted(owner: string, server: string, found: FoundTokens<UpstreamTokens>): FoundTokens<UpstreamTokens> {
    if (found.kind === 'tokens') lastUse.note(owner, server)
    return found
  }

  /** What is known of a record, with when it was used. */
  async function known(record: Page['records'][number]): Promise<OwnedConnection | undefined> {
    const { owner, id: server } = record.key
    await client(server)?.known()
    const connection = describeConnection(server, record.value, clientOf, clock.now())
    if (connection?.state !== 'connected') return connection && { ...connection, owner }
    const lastUsedAt = await lastUse.at(owner, server)
    return { ...connection, owner, ...(lastUsedAt === undefined ? {} : { lastUsedAt }) }
  }

  return {
    tokens(owner, server, options = {}) {
      const upstream = client(server)
      // Without a client nothing can be said of what there may be.
      if (upstream === undefined) return { kind: 'none' }
      if (hasMoved(upstream, options.url)) return MOVED
      const key = keyOf(owner, server)
      const atHand = options.rejected === undefined ? refresher.known(key) : undefined
      if (atHand !== undefined) return noted(owner, server, atHand)
      return lookFor(upstream, key, options).then((found) => noted(owner, server, found))
    },
    async stepUp(owner, server, challenge, url) {
      const bound = await client(server)?.known()
      if (bound === undefined) return undefined
      const found = await lookUp(keyOf(owner, server))
      if (hasMoved(client(server), url)) return undefined
      return found.kind === 'tokens' ? stepUpFor(found.tokens, bound.scopes, challenge) : undefined
    },
    connect: (owner, tokens) => refresher.connect(keyOf(owner, tokens.server), tokens),
    async list(owner) {
      const connections: Connection[] = []
      // What does not open is of no use to anybody, and is theirs to take away.
      const lost = ({ keys }: UnopenedRecords) => {
        for (const { id: server } of keys) connections.push({ server, state: 'reauth_required' })
      }
      for await (const record of everyRecord((page) => readable(store.list(SPACE, owner, page), lost))) {
        const found = await known(record)
        if (found === undefined) continue
        const { owner: _, ...connection } = found
        connections.push(connection)
      }
      return connections.sort((one, other) => (one.server < other.server ? -1 : 1))
    },
    async all({ servers, after } = {}) {
      const connections: OwnedConnection[] = []
      let next = after
      for (let scans = 0; scans < MAX_SCANS; scans++) {
        const page = await readable(store.scan(SPACE, next === undefined ? {} : { after: next }), leftOut)
        const wanted = page.records.filter(({ key }) => servers?.includes(key.id) ?? true)
        for (const found of await Promise.all(wanted.map(known))) if (found !== undefined) connections.push(found)
        next = page.next
        if (next === undefined || connections.length >= ENOUGH) break
      }
      return { connections, ...(next === undefined ? {} : { next }) }
    },
    disconnect,
    async disconnectAll(owner) {
      const ends = (await serversOf(owner)).map((server) => disconnect(owner, server))
      // All of them, also where one fails.
      for (const end of await Promise.allSettled(ends)) if (end.status === 'rejected') throw end.reason
    },
    async discard(owner, tokens) {
      try {
        const detail = await reasonToKeep(owner, tokens)
        if (detail === undefined) await revoke(tokens)
        return detail
      } catch (error) {
        return `not revoked: ${messageOf(error)}`
      }
    },
    async close() {
      await Promise.all([refresher.close(), lastUse.close()])
    },
  }
}

/** In the broker's own words; what is left out is of no interest outside. */
const EVENTS: Readonly<Record<RefreshEvent['kind'], ConnectionEvent['kind'] | undefined>> = {
  refreshed: 'refreshed',
  reauth_required: 'reauth_required',
  failed: 'refresh_failed',
  taken_over: undefined,
  superseded: 'refresh_failed',
  revoked_late: 'refresh_failed',
  unwritten: 'refresh_failed',
  lost: 'refresh_failed',
  revocation_failed: 'revocation_failed',
}

/** Whether a server is somewhere else by now, and its tokens are for whoever is there. */
function hasMoved(upstream: UpstreamClient | undefined, url: string | undefined): boolean {
  return url !== undefined && upstream?.server.url !== url
}
