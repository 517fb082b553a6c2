/**
 * A real identity provider in this process: `oidc-provider` on a loopback port, with RS256 access tokens for named
 * resources (RFC 9068, RFC 8707), ID tokens, and test accounts that sign in by their name.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Configuration, Provider } from 'oidc-provider'
import { freePort, listen, stop } from './ports.ts'

/** What the services of the demo accept tokens for. */
export const ORDERS_API = 'urn:demo:orders'
/** Another service, whose tokens they must not accept. */
export const BILLING_API = 'urn:demo:billing'
/** The client that people sign in to; the audience of their ID tokens. */
export const APP_CLIENT = { id: 'demo-app', secret: 'demo-app-secret' }
/** Like {@link APP_CLIENT}, but its access tokens live for two seconds. */
export const KIOSK_CLIENT = { id: 'demo-kiosk', secret: 'demo-kiosk-secret' }
/** A service that gets tokens for itself (RFC 6749 §4.4). */
export const JOB_CLIENT = { id: 'nightly-job', secret: 'nightly-job-secret' }
/** Where browsers would be sent back to; the demo reads the code off the redirect and never goes there. */
export const REDIRECT_URI = 'http://127.0.0.1/callback'

/** The test accounts and what their tokens say. */
const PEOPLE: Record<string, Record<string, unknown>> = {
  alice: { email: 'alice@example.com', groups: ['staff', 'dev-backend'], realm_access: { roles: ['auditor'] } },
  mallory: { email: 'mallory@example.com.evil.test', groups: ['dev-backend'] },
  bob: { email: 'bob@example.com', groups: ['staff'] },
}
/** Long enough for an afternoon of pasting `curl` lines. */
const TOKEN_SECONDS = 8 * 60 * 60
const KIOSK_TOKEN_SECONDS = 2

/** A running (or stopped) provider. */
export interface IdentityProvider {
  readonly issuer: string
  /** How often its keys have been fetched. */
  readonly keyFetches: number
  /** Comes back at the same address; with `newKey`, the old signing key is gone. */
  start(options?: { newKey: boolean }): Promise<void>
  /** Hangs up on everybody and stops answering. */
  stop(): Promise<void>
}

/** Starts a provider, on `preferredPort` if that is free. */
export async function startIdentityProvider(preferredPort: number): Promise<IdentityProvider> {
  const port = await freePort(preferredPort)
  const issuer = `http://127.0.0.1:${port}`
  let key = await makeSigningKey()
  let keyFetches = 0
  let server: Server

  async function start({ newKey } = { newKey: false }): Promise<void> {
    if (newKey) key = await makeSigningKey()
    const answer = await createHandler(issuer, key)
    server = createServer((req, res) => {
      if (req.url === '/jwks') keyFetches++
      answer(req, res)
    })
    await listen(server, port)
  }

  await start()
  return {
    issuer,
    get keyFetches() {
      return keyFetches
    },
    start,
    stop: () => stop(server),
  }
}

async function makeSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), use: 'sig', alg: 'RS256' }
}

async function createHandler(issuer: string, key: JWK) {
  const provider: Provider = await withoutNotices(async () => {
    const { Provider } = await import('oidc-provider')
    return new Provider(
      issuer,
      configuration(key, (clientId, accountId) => grantEverything(provider, clientId, accountId)),
    )
  })
  const answer = provider.callback()
  return (req: IncomingMessage, res: ServerResponse): void => {
    if (!req.url?.startsWith('/sign-in/')) void answer(req, res)
    else signIn(provider, req, res).catch((error: unknown) => res.writeHead(400).end(String(error)))
  }
}

function configuration(
  key: JWK,
  grant: (clientId: string, accountId: string) => ReturnType<typeof grantEverything>,
): Configuration {
  const people = {
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code'],
    response_types: ['code' as const],
  }
  return {
    jwks: { keys: [key as NonNullable<Configuration['jwks']>['keys'][number]] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    clients: [
      { client_id: APP_CLIENT.id, client_secret: APP_CLIENT.secret, ...people },
      { client_id: KIOSK_CLIENT.id, client_secret: KIOSK_CLIENT.secret, ...people },
      {
        client_id: JOB_CLIENT.id,
        client_secret: JOB_CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    scopes: ['openid'],
    claims: { openid: ['sub', 'email', 'groups', 'realm_access'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...PEOPLE[accountId] }) }),
    extraTokenClaims: (_ctx, token) => ('accountId' in token ? PEOPLE[token.accountId] : undefined),
    interactions: { url: (_ctx, { uid }) => `/sign-in/${uid}` },
    loadExistingGrant: ({ oidc }) => grant(oidc.client?.clientId ?? '', oidc.session?.accountId ?? ''),
    ttl: {
      AccessToken: (_ctx, _token, client) =>
        client.clientId === KIOSK_CLIENT.id ? KIOSK_TOKEN_SECONDS : TOKEN_SECONDS,
      ClientCredentials: TOKEN_SECONDS,
      IdToken: TOKEN_SECONDS,
      Grant: TOKEN_SECONDS,
      Session: TOKEN_SECONDS,
      Interaction: 60,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          audience: resource,
          scope: 'orders:read orders:write',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
}

/** The sign-in page of a provider asks for a password; this one takes the name in `login_hint` for an answer. */
async function signIn(provider: Provider, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const { params } = await provider.interactionDetails(req, res)
  await provider.interactionFinished(req, res, { login: { accountId: String(params.login_hint) } })
}

/** Nobody is asked for consent. */
async function grantEverything(provider: Provider, clientId: string, accountId: string) {
  const grant = new provider.Grant({ clientId, accountId })
  grant.addOIDCScope('openid')
  for (const resource of [ORDERS_API, BILLING_API]) grant.addResourceScope(resource, 'orders:read')
  await grant.save()
  return grant
}

/** oidc-provider warns that memory is no place for a production provider's tokens, and about Node 20. Here both are fine. */
async function withoutNotices<T>(make: () => Promise<T>): Promise<T> {
  const { info, warn } = console
  const unlessNotice =
    (log: typeof info): typeof info =>
    (...args) => {
      if (!String(args[0]).includes('oidc-provider ')) log(...args)
    }
  console.info = unlessNotice(info)
  console.warn = unlessNotice(warn)
  try {
    return await make()
  } finally {
    Object.assign(console, { info, warn })
  }
}
