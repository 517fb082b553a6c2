/** `createGateway`: puts the parts together. */
import type { OAuth2Server } from '../broker/broker.ts'
import { createBroker } from '../broker/create-broker.ts'
import { createCredentials } from '../broker/credentials.ts'
import { systemClock } from '../core/clock.ts'
import { messageOf, SallyportError } from '../core/errors.ts'
import { createEmitter } from '../core/events.ts'
import { parseNetworks } from '../core/networks.ts'
import { createApiKeys } from '../identity/api-keys.ts'
import { createCallers } from '../identity/callers.ts'
import { createIntegrations } from '../identity/integrations.ts'
import { createKeyReports } from '../identity/key-reports.ts'
import { createPeople } from '../identity/people.ts'
import { createTokenOwners } from '../identity/token-owners.ts'
import { createVirtualAccounts } from '../identity/virtual-accounts.ts'
import { createSignatureCache } from '../jwt/signature-cache.ts'
import { createTokenVerifier } from '../jwt/token-verifier.ts'
import { createRelay } from '../mcp/relay.ts'
import { createRequestStates } from '../mcp/request-state.ts'
import { createSessionIds } from '../mcp/session-id.ts'
import { createUpstreams } from '../net/upstream.ts'
import { createAdmission } from './admission.ts'
import { createAudit } from './audit.ts'
import { createCallStep } from './call-step.ts'
import { checkGatewayConfig, checkLiveConfig } from './check-gateway-config.ts'
import type { GatewayConfig } from './config.ts'
import { createCredentialStep } from './credential-step.ts'
import { createDoctor } from './doctor.ts'
import { explainAccess } from './explain.ts'
import type { Gateway, GatewayEvents } from './gateway.ts'
import { createGatewayConnections } from './gateway-connections.ts'
import { createGatewayKeys } from './gateway-keys.ts'
import { createIdentification } from './identification.ts'
import { createKnownPeople } from './known-people.ts'
import type { LiveServer } from './live-server.ts'
import { createLiveStates } from './live-state.ts'
import { createOpenStreams } from './open-streams.ts'
import { createPermissions } from './permissions.ts'
import { createPipeline, type WatchedStream } from './pipeline.ts'
import { issuersOf } from './protected-resource.ts'
import { createGatewayGrants, createGatewayServers } from './runtime-changes.ts'
import { createSealingKeys } from './sealing-keys.ts'
import { createVirtualServers } from './virtual/servers.ts'

const TOKEN_CACHE = { maxEntries: 20_000, maxBytes: 64 * 1024 * 1024 }
/** Session ids that are kept open, about 200 bytes each. */
const SESSIONS_CACHED = 20_000
const MAX_PERSON_AGE_SECONDS = 30 * 24 * 3600
/** How long a person's record is believed without asking the store. */
const PEOPLE_CACHE_MS = 5_000
const MIB = 1024 * 1024
/** Where callbacks begin, unless the configuration says otherwise. */
const CALLBACK = '/oauth2/callback'
const LIMITS = {
  maxBodyBytes: 4 * MIB,
  maxAnswerBytes: 16 * MIB,
  connectMs: 5_000,
  answerMs: 60_000,
  silenceMs: 0,
  connections: 256,
  recheckMs: 15_000,
}

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
  checkGatewayConfig(config)
  const { clock = systemClock, secrets, signIn, directory, integrations: configured = {} } = config
  const { maxPersonAgeSeconds = MAX_PERSON_AGE_SECONDS } = config
  const limits = { ...LIMITS, ...config.limits }
  const url = new URL(config.url).origin
  const fetch = config.fetch ?? ((target, init) => globalThis.fetch(target, init))

  const emitter = createEmitter<GatewayEvents>(['audit', 'keys'])
  if (config.audit !== undefined) emitter.on('audit', config.audit)
  const audit = createAudit(emitter, clock)
  const keyReports = createKeyReports(emitter)

  const sealing = createSealingKeys(config.keys, config.store, secrets)
  const { store, sealer } = sealing
  const integrations = createIntegrations(configured, fetch, clock, keyReports.report)
  const verify = createTokenVerifier(createSignatureCache(TOKEN_CACHE), clock)
  const tellKey = audit.key
  const keys = createApiKeys({ store, clock, on: tellKey })
  const accounts = createVirtualAccounts({
    store,
    clock,
    keys,
    configured: config.virtualAccounts ?? {},
    integrations: Object.keys(configured),
  })
  const people = createPeople(store, PEOPLE_CACHE_MS)
  const remember =
    directory === undefined ? createKnownPeople(people, configured, clock, maxPersonAgeSeconds) : undefined

  // Past the cache: somebody may have signed in a moment ago.
  const findPerson = createTokenOwners({ people: createPeople(store), clock, configured, maxPersonAgeSeconds })

  const permissions = createPermissions(config.decide)
  const broker = createBroker({
    url,
    store,
    sealer,
    signIn,
    servers: oauth2Servers(config.servers),
    mayConnect: (question) => identification.mayConnect(question),
    paths: config.paths,
    secrets,
    fetch: config.fetch,
    clock,
    linkMs: config.linkSeconds === undefined ? undefined : config.linkSeconds * 1000,
  })
  broker.on(audit.connection)

  const live = createLiveStates(config, {
    origin: url,
    issuers: issuersOf(configured),
    scopes: config.scopes ?? [],
    check: (changed) => checkLiveConfig(changed, config),
    makeCallers: (externalIdentities, quiet) =>
      createCallers({
        keys,
        virtualAccounts: accounts,
        people,
        externalIdentities,
        configured,
        integrations,
        verify,
        clock,
        maxPersonAgeSeconds,
        ...(directory === undefined ? {} : { directory }),
        ...(quiet ? {} : { on: tellKey }),
      }),
    makeCredentials: (servers) =>
      createCredentials({
        servers: [...servers.values()].map(({ name, config: { auth } }) => ({ id: name, auth })),
        broker,
        signIn,
        callerHeaders: config.callerHeaders,
        secrets,
        clock,
      }),
    apply(state) {
      broker.setServers(oauth2Servers(state.config.servers))
      accounts.reconfigure(state.config.virtualAccounts, Object.keys(configured))
    },
    applied: () => void streams.check(),
  })

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
      connections: limits.connections,
    },
    config.dispatcher,
  )
  const virtual = createVirtualServers({
    upstreams,
    store,
    clock,
    limits,
    sessionMs: (config.sessionSeconds ?? 86_400) * 1000,
    permissions,
    requestStates,
    broker,
    signIn,
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
      call: createCallStep({
        permissions,
        sessionIds,
        requestStates,
        next: createCredentialStep({ permissions, relay, requestStates, broker, signIn }),
      }),
      virtualCall: virtual.step,
      audit,
      trusted: config.trustProxy?.length ? parseNetworks(config.trustProxy) : undefined,
      maxBodyBytes: limits.maxBodyBytes,
      recheckMs: limits.recheckMs,
    },
    () => streams,
  )
  const streams = createOpenStreams<WatchedStream>(pipeline.judgeStream, limits.recheckMs)
  const identification = createIdentification({
    live,
    accounts,
    permissions,
    principalsFor: pipeline.principalsFor,
    remember,
  })
  const connections = createGatewayConnections({
    broker,
    live,
    accounts,
    signIn,
    callerOf: identification.callerOf,
    mayUse: identification.mayUse,
  })
  const gatewayKeys = createGatewayKeys(keys, accounts, remember && { remember, find: findPerson })
  let closing: Promise<void> | undefined

  async function closeAll(): Promise<void> {
    pipeline.close()
    streams.close()
    virtual.close()
    await Promise.allSettled([relay.close(), broker.close(), keys.close()])
    accounts.close()
    people.close()
    for (const { keySet } of integrations.values()) keySet.close()
  }

  return {
    handle: pipeline.handle,
    on: emitter.on,
    keys: {
      ...gatewayKeys,
      async revoke(owner, id) {
        const revoked = await gatewayKeys.revoke(owner, id)
        void streams.check()
        return revoked
      },
    },
    virtualAccounts: {
      create: accounts.create,
      get: accounts.get,
      list: accounts.list,
      async delete(name) {
        const deleted = await accounts.delete(name)
        void streams.check()
        return deleted
      },
    },
    connections: {
      ...connections,
      async revoke(owner, server) {
        const revoked = await connections.revoke(owner, server)
        void streams.check()
        return revoked
      },
    },
    servers: createGatewayServers(live),
    access: createGatewayGrants(live),
    configure: (changed) => live.change(() => changed),
    identify: identification.identify,
    async explain(who, server, wanted) {
      return explainAccess(live.current, permissions, await identification.callerOfSubject(who), server, wanted)
    },
    redirectUrls: broker.redirectUrls,
    doctor: createDoctor({ live, url, callback: config.paths?.callback ?? CALLBACK, fetch: config.fetch }),
    endpoints() {
      const { servers, virtualServers, endpoints } = live.current
      const all = [...servers.values()].map(({ name, config: { auth } }) => ({ name, auth: auth.type as string }))
      const virtuals = [...virtualServers.keys()].map((name) => ({ name, auth: 'virtual' }))
      return [...all, ...virtuals].map(({ name, auth }) => ({ server: name, urls: endpoints.urlsOf(name), auth }))
    },
    async ready() {
      const checks: readonly Promise<unknown>[] = [
        sealing.ready(),
        live.current.credentials.ready(),
        broker.ready(),
        ...[...integrations.values()].map(({ keySet }) => keySet.settle()),
      ]
      const results = await Promise.allSettled(checks)
      const failed = results.flatMap((result) => (result.status === 'rejected' ? [messageOf(result.reason)] : []))
      if (failed.length === 0) return
      const reasons = [...new Set([...failed, ...keyReports.failures()])]
      throw new SallyportError('ERR_NOT_READY', `the gateway is not ready:\n  ${reasons.join('\n  ')}`)
    },
    close() {
      closing ??= closeAll()
      return closing
    },
  }
}

/** The servers that the broker has to do with. */
function oauth2Servers(servers: GatewayConfig['servers']): OAuth2Server[] {
  return Object.entries(servers).flatMap(([id, { url, label, description, auth }]: [string, LiveServer['config']]) =>
    auth.type === 'oauth2'
      ? [{ id, url, label: label ?? id, ...(description === undefined ? {} : { description }), auth }]
      : [],
  )
}
