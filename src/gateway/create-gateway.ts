/** `createGateway`: puts the parts together. */
import type { OAuth2Server } from '../broker/broker.ts'
import { createBroker } from '../broker/create-broker.ts'
import { createCredentials } from '../broker/credentials.ts'
import { createGrantedServers } from '../broker/granted/servers.ts'
import { createRefusedTokens } from '../broker/refused-tokens.ts'
import { systemClock } from '../core/clock.ts'
import { createEmitter } from '../core/events.ts'
import { parseNetworks } from '../core/networks.ts'
import { copyParts } from '../core/plain.ts'
import { createKeyReports } from '../identity/key-reports.ts'
import { createRelay } from '../mcp/relay.ts'
import { createRequestStates } from '../mcp/request-state.ts'
import { createSessionIds } from '../mcp/session-id.ts'
import { createUpstreams } from '../net/upstream.ts'
import { warnOfNoAccess } from './access-warnings.ts'
import { createAccountUse } from './account-use.ts'
import { createAdmission } from './admission.ts'
import { createAudit } from './audit.ts'
import { createBridgeStep } from './bridge-step.ts'
import { createCallStep } from './call-step.ts'
import { createCallerPlaces } from './caller-places.ts'
import { checkGatewayConfig, checkLiveConfig } from './check-gateway-config.ts'
import type { GatewayConfig } from './config.ts'
import { createCredentialStep } from './credential-step.ts'
import type { Gateway, GatewayEvents } from './gateway.ts'
import { createGatewayApi } from './gateway-api.ts'
import { createGatewayConnections } from './gateway-connections.ts'
import { createGatewayPortal } from './gateway-portal.ts'
import { createIdentification } from './identification.ts'
import { createIdentityParts } from './identity-parts.ts'
import { limitsOf } from './limits.ts'
import type { LiveServer } from './live-server.ts'
import { createLiveStates, LIVE_PARTS } from './live-state.ts'
import { createOpenStreams } from './open-streams.ts'
import { createPermissions } from './permissions.ts'
import { createPipeline, type WatchedStream } from './pipeline.ts'
import { issuersOf } from './protected-resource.ts'
import { createRecentAudit } from './recent-audit.ts'
import { createSealingKeys } from './sealing-keys.ts'
import { warnOfSignIn } from './sign-in-warnings.ts'
import { createVirtualServers } from './virtual/servers.ts'

/** Session ids that are kept open, about 200 bytes each. */
const SESSIONS_CACHED = 20_000
/** What a page shows of the audit is among these. */
const RECENT_EVENTS = 500
/** So long `close` lets calls under way go on, in milliseconds. */
const DRAIN_MS = 5_000

/**
 * Makes a gateway between AI agents and MCP servers.
 *
 * ```ts
 * const gateway = createGateway({
 *   url: 'https://gw.example.com', store: sqliteStore('tokens.db'), keys: [{ secret: 'env:TOKEN_KEY' }],
 *   integrations: { corp: { issuer: 'https://login.example.com/', audience: 'mcp' } },
 *   servers: { 'public/wiki': { url: 'https://wiki.example.com/mcp', auth: { type: 'none' } } },
 *   access: [{ to: 'user:corp/*', on: 'public/*' }],
 * })
 * app.use(sallyport(gateway))
 * ```
 *
 * Nothing is fetched or looked up yet. `await gateway.ready()` does that before the first request and rejects with what is missing;
 * without it the first requests do.
 *
 * @throws ConfigError (`ERR_CONFIG`) with every problem in `config`
 */
export function createGateway(config: GatewayConfig): Gateway {
  // What is checked is what is used, also where a getter would say something else the next time.
  return createFrom(typeof config === 'object' && config !== null ? copyParts(config, LIVE_PARTS) : config)
}

function createFrom(config: GatewayConfig): Gateway {
  checkGatewayConfig(config)
  warnOfSignIn(config)
  warnOfNoAccess(config)
  const { clock = systemClock, secrets, signIn, integrations: configured = {} } = config
  const limits = limitsOf(config.limits)
  const url = new URL(config.url).origin

  const emitter = createEmitter<GatewayEvents>(['audit', 'keys'])
  if (config.audit !== undefined) emitter.on('audit', config.audit)
  const recent = createRecentAudit(config.recentAudit ?? (config.pages?.path === undefined ? 0 : RECENT_EVENTS))
  const audit = createAudit(emitter, clock, recent)
  const keyReports = createKeyReports(emitter)

  const sealing = createSealingKeys(config.keys, config.store, secrets)
  const { store, sealer } = sealing
  const people = createIdentityParts(config, {
    store,
    clock,
    keyReports,
    onKey: audit.key,
    disconnect(id) {
      // Its keys are gone by now, and authorization servers may take their time.
      void streams.check()
      return broker.disconnectAll(id)
    },
  })

  const permissions = createPermissions(config.decide)
  const broker = createBroker({
    url,
    store,
    sealer,
    signIn,
    // Those of the first state come with it: of these objects their owner may change what has been checked.
    servers: [],
    mayConnect: (question) => identification.mayConnect(question),
    paths: config.paths,
    secrets,
    fetch: config.fetch,
    clock,
    linkMs: config.linkSeconds === undefined ? undefined : config.linkSeconds * 1000,
    brand: config.pages?.brand,
  })
  broker.on(audit.connection)

  const granted = createGrantedServers({ secrets, fetch: config.fetch, clock })
  const live = createLiveStates(config, {
    origin: url,
    issuers: issuersOf(configured),
    scopes: config.scopes ?? [],
    check: (changed) => checkLiveConfig(changed, config),
    makeCallers: people.makeCallers,
    makeCredentials: (servers) =>
      createCredentials({
        servers: [...servers.values()].map(({ name, config: { url: at, auth } }) => ({ id: name, url: at, auth })),
        granted,
        broker,
        callerHeaders: config.callerHeaders,
        secrets,
        clock,
      }),
    apply(state) {
      broker.setServers(oauth2Servers(state.config.servers))
      people.reconfigure(state.config.virtualAccounts)
    },
    applied: () => void streams.check(),
  })
  broker.setServers(oauth2Servers(live.current.config.servers))
  const access = () => live.current.access

  const sessionIds = createSessionIds(sealer('session-id'), {
    clock,
    lifetimeMs: (config.sessionSeconds ?? 86_400) * 1000,
    cached: SESSIONS_CACHED,
  })
  const requestStates = createRequestStates(sealer('request-state'), {
    clock,
    lifetimeMs: (config.linkSeconds ?? 600) * 1000,
  })
  const upstreams = createUpstreams(
    {
      connectMs: limits.connectMs,
      headersMs: limits.answerMs,
      silenceMs: limits.silenceMs,
      // Whoever closes them has waited.
      drainMs: 0,
      connections: limits.connections,
    },
    config.dispatcher,
  )
  const refusedTokens = createRefusedTokens()
  const virtual = createVirtualServers({
    upstreams,
    store,
    clock,
    limits,
    sessionMs: (config.sessionSeconds ?? 86_400) * 1000,
    permissions,
    access,
    requestStates,
    answerSealer: sealer('client-answer'),
    broker,
    refusedTokens,
  })
  const relay = createRelay({
    upstreams,
    sessionIds,
    clock,
    limits: { maxAnswerBytes: limits.maxAnswerBytes, answerMs: limits.answerMs },
  })

  const pipeline = createPipeline(
    {
      live,
      admission: createAdmission({
        url,
        ...(config.allowedHosts === undefined ? {} : { allowedHosts: config.allowedHosts }),
        ...(config.allowedOrigins === undefined ? {} : { allowedOrigins: config.allowedOrigins }),
      }),
      broker,
      permissions,
      call: createBridgeStep({
        call: createCallStep({
          permissions,
          openSession: (id, { server, identity }, { relay }) =>
            sessionIds.open(id, { server, identity, endpoint: relay.url.href }),
          requestStates,
          next: createCredentialStep({ permissions, access, relay, requestStates, broker, refusedTokens }),
        }),
        virtualCall: virtual.step,
        eras: virtual.eras,
      }),
      virtualCall: virtual.step,
      places: createCallerPlaces(limits),
      portal: () => portal,
      audit,
      trusted: config.trustProxy?.length ? parseNetworks(config.trustProxy) : undefined,
      limits,
    },
    () => streams,
  )
  const streams = createOpenStreams<WatchedStream>(pipeline.judgeStream, limits.recheckMs)
  const identification = createIdentification({
    live,
    accounts: people.accounts,
    records: people.records,
    permissions,
    principalsFor: pipeline.principalsFor,
    remember: people.remember,
  })
  const connections = createGatewayConnections({
    broker,
    live,
    accounts: people.accounts,
    callerOf: identification.callerOf,
    mayUse: identification.mayUse,
  })

  let closing: Promise<void> | undefined
  async function close(): Promise<void> {
    const drained = pipeline.close(DRAIN_MS)
    // Whoever listens would be waited for in vain; a call may still get its answer.
    streams.closeLasting()
    virtual.close()
    await drained
    streams.close()
    await virtual.endSessions()
    await Promise.allSettled([relay.close(), broker.close(), people.close(), portal?.close()])
    people.letGo()
  }

  const gateway = createGatewayApi({
    handle: pipeline.handle,
    on: emitter.on,
    config,
    url,
    store,
    live,
    people,
    connections,
    identification,
    permissions,
    broker,
    recentAudit: () => recent?.list() ?? [],
    checkStreams: () => void streams.check(),
    checks: () => [sealing.ready(), live.current.credentials.ready(), broker.ready(), ...people.settling()],
    failures: keyReports.failures,
    close() {
      closing ??= close()
      return closing
    },
  })
  const usesAny = createAccountUse(live, permissions)
  const portal = createGatewayPortal(config, { url, store, sealer, clock, gateway, usesAny, failed: audit.failed })
  return gateway
}

/** The servers that the broker has to do with. */
function oauth2Servers(servers: GatewayConfig['servers']): OAuth2Server[] {
  return Object.entries(servers).flatMap(([id, { url, label, description, auth }]: [string, LiveServer['config']]) =>
    auth.type === 'oauth2'
      ? [{ id, url, label: label ?? id, ...(description === undefined ? {} : { description }), auth }]
      : [],
  )
}
