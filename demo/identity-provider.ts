/**
 * A real identity provider in this process: `oidc-provider` on a loopback port, with RS256 access tokens for named
 * resources (RFC 9068, RFC 8707), ID tokens, a sign-in form, refresh tokens that rotate, and sign-out.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import type { Configuration, Provider } from 'oidc-provider'
import { notice, signInForm, signingOut } from './pages/provider.ts'
import { PASSWORD, PEOPLE } from './people.ts'
import { listen, stop } from './ports.ts'
import {
  BILLING_API,
  type GatewayClient,
  gatewayMetadata,
  JOB,
  KIOSK_CLIENT,
  type LoginClient,
  ORDERS_API,
  SCRIPT_CLIENTS,
  TOOLS_API,
  toMetadata,
} from './provider-clients.ts'

const ORDERS_SCOPE = 'orders:read orders:write'
/** Long enough for an afternoon of pasting `curl` lines. */
const TOKEN_SECONDS = 8 * 60 * 60
const KIOSK_TOKEN_SECONDS = 5
/** Time for people to find their password. */
const FORM_SECONDS = 15 * 60

/** What a provider is started with. */
export interface IdentityProviderOptions {
  /** What people know it as. */
  readonly name: string
  readonly issuer: string
  /** The clients that people sign in with. */
  readonly logins: readonly LoginClient[]
  /** Whether it takes authorization requests ahead of the browser (RFC 9126). */
  readonly pushedRequests: boolean
  /** A gateway that asks people for access to what they have there. */
  readonly gateway?: GatewayClient
  /** What else it issues tokens for (RFC 8707), with the scopes there. */
  readonly resource?: { readonly url: string; readonly scope: string }
}

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

/** Starts a provider at the address that its issuer names. */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const { issuer } = options
  const cookieKey = randomBytes(32).toString('hex')
  let answer = await createHandler(options, await makeSigningKey(), cookieKey)
  let keyFetches = 0
  let server: Server

  async function start({ newKey } = { newKey: false }): Promise<void> {
    if (newKey) answer = await createHandler(options, await makeSigningKey(), cookieKey)
    server = createServer((req, res) => {
      if (req.url === '/jwks') keyFetches++
      answer(req, res)
    })
    await listen(server, Number(new URL(issuer).port))
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

async function createHandler(options: IdentityProviderOptions, key: JWK, cookieKey: string) {
  const provider: Provider = await withoutNotices(async () => {
    const { Provider } = await import('oidc-provider')
    return new Provider(options.issuer, {
      ...configuration(options),
      jwks: { keys: [key as NonNullable<Configuration['jwks']>['keys'][number]] },
      cookies: { keys: [cookieKey], names: cookieNames(options.issuer) },
      loadExistingGrant: ({ oidc }) =>
        grantEverything(provider, options, oidc.client?.clientId ?? '', oidc.session?.accountId ?? ''),
    })
  })
  const answer = provider.callback()
  return (req: IncomingMessage, res: ServerResponse): void => {
    if (req.url?.startsWith('/sign-in/')) void signInPage(provider, options.name, req, res)
    else void answer(req, res)
  }
}

function configuration(options: IdentityProviderOptions): Configuration {
  const { name, logins, gateway, pushedRequests, resource: own } = options
  const secondsOf = (clientId = '') =>
    clientId === KIOSK_CLIENT.id
      ? KIOSK_TOKEN_SECONDS
      : ([...logins, ...(gateway ? [gateway] : [])].find(({ id }) => id === clientId)?.tokenSeconds ?? TOKEN_SECONDS)
  return {
    clients: [
      ...SCRIPT_CLIENTS,
      JOB,
      ...logins.map(toMetadata),
      ...(gateway === undefined ? [] : [gatewayMetadata(gateway)]),
    ],
    scopes: ['openid'],
    claims: { openid: ['sub', 'sid', 'name', 'email', 'email_verified', 'groups', 'realm_access', 'org'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId, ...PEOPLE[accountId] }) }),
    extraTokenClaims: (_ctx, token) => ('accountId' in token ? PEOPLE[token.accountId] : undefined),
    interactions: { url: (_ctx, { uid }) => `/sign-in/${uid}` },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    // What somebody has allowed a gateway stays allowed when they sign out here.
    expiresWithSession: async (_ctx, code) => code.clientId !== gateway?.id,
    // Its own one refuses addresses of this machine, where the services are that it tells of sign-outs.
    fetch: (url, { dispatcher: _, ...init }: RequestInit & { dispatcher?: unknown } = {}) => fetch(url, init),
    ttl: {
      AccessToken: (_ctx, _token, client) => secondsOf(client.clientId),
      IdToken: (_ctx, _token, client) => secondsOf(client.clientId),
      ClientCredentials: TOKEN_SECONDS,
      RefreshToken: TOKEN_SECONDS,
      Grant: TOKEN_SECONDS,
      Session: TOKEN_SECONDS,
      Interaction: FORM_SECONDS,
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      pushedAuthorizationRequests: { enabled: pushedRequests },
      revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = signingOut(name, form)
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = notice(name, 'You are signed out', 'The services that you have used are told so.')
        },
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          audience: resource,
          scope: resource === own?.url ? own.scope : ORDERS_SCOPE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
}

/** Two providers on one machine share its cookies, which do not tell ports apart. */
function cookieNames(issuer: string) {
  const { port } = new URL(issuer)
  return { session: `provider-${port}`, interaction: `provider-${port}-form`, resume: `provider-${port}-resume` }
}

/** Asks people for name and password; the clients of the walk have said who it is (`login_hint`). */
async function signInPage(provider: Provider, name: string, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const show = (status: number, page: string) =>
    res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' }).end(page)
  try {
    const { params, uid } = await provider.interactionDetails(req, res)
    const signInAs = (accountId: string) => provider.interactionFinished(req, res, { login: { accountId } })
    if (SCRIPT_CLIENTS.some(({ client_id }) => client_id === params.client_id)) {
      return await signInAs(String(params.login_hint))
    }
    if (req.method !== 'POST') {
      show(200, signInForm(name, `/sign-in/${uid}`))
      return
    }
    const form = new URLSearchParams(await text(req))
    if (form.has('cancel')) {
      return await provider.interactionFinished(req, res, { error: 'access_denied' })
    }
    const person = form.get('name') ?? ''
    if (Object.hasOwn(PEOPLE, person) && form.get('password') === PASSWORD) return await signInAs(person)
    show(200, signInForm(name, `/sign-in/${uid}`, person))
  } catch {
    show(
      400,
      notice(
        name,
        'This sign-in is over',
        'It took too long, or you have signed in already. Go back to the service and start again.',
      ),
    )
  }
}

/** Nobody is asked for consent. */
async function grantEverything(
  provider: Provider,
  { resource: own }: IdentityProviderOptions,
  clientId: string,
  accountId: string,
) {
  const grant = new provider.Grant({ clientId, accountId })
  grant.addOIDCScope('openid')
  for (const resource of [ORDERS_API, BILLING_API, TOOLS_API]) grant.addResourceScope(resource, 'orders:read')
  if (own !== undefined) grant.addResourceScope(own.url, own.scope)
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
