/**
 * A real identity provider for people: `oidc-provider` with a sign-in form, refresh tokens that rotate, sign-out by the
 * person and over the back channel. It can be made to fail, and it counts what it is asked.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { exportJWK, type JWK } from 'jose'
import type { ClientMetadata, Configuration, Provider } from 'oidc-provider'
import { makeKeyPair } from './key-pairs.ts'

/** The API that access tokens are for. */
export const API = 'https://orders.example.com'
export const PASSWORD = 'correct horse'

/** A client at the provider. */
export type LoginClient = ClientMetadata & { client_id: string }

/** What {@link startLoginProvider} can be told. */
export interface LoginProviderOptions {
  readonly clients: readonly LoginClient[]
  /** Claims by person; anybody else does not exist. */
  readonly people?: Readonly<Record<string, Record<string, unknown>>>
  /** Lifetime of access tokens; an hour by default. */
  readonly accessTokenSeconds?: number
  readonly port?: number
  /** Changes to the provider's configuration. */
  readonly adjust?: (configuration: Configuration) => Configuration
}

/** A running provider. */
export interface LoginProvider {
  readonly issuer: string
  readonly port: number
  /** Requests so far, by path, as `POST /token`. */
  readonly asked: Map<string, number>
  /** What it does to a request before the provider sees it: nothing, answers 500, or hangs up. */
  mode: 'ok' | 'fail' | 'hang-up'
  /** Only requests to these paths are harmed by `mode`; all of them by default. */
  harmed: readonly string[] | undefined
  close(): Promise<void>
}

const PEOPLE = {
  alice: { email: 'alice@example.com', email_verified: true, name: 'Alice Ames', groups: ['staff', 'admin'] },
  bob: { email: 'bob@example.com', email_verified: false, name: 'Bob <b>Bold</b>', groups: ['staff'] },
  mallory: { email: 'mallory@evil.test', email_verified: true, name: 'Mallory', groups: [] },
}

let signingKey: Promise<JWK> | undefined

/** Starts a provider on the loopback interface. */
export async function startLoginProvider(options: LoginProviderOptions): Promise<LoginProvider> {
  const { people = PEOPLE } = options
  const { Provider } = await import('oidc-provider')
  signingKey ??= makeKey()
  const server = createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  server.listen(options.port ?? 0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const issuer = `http://127.0.0.1:${port}`

  const configuration: Configuration = {
    jwks: { keys: [(await signingKey) as NonNullable<Configuration['jwks']>['keys'][number]] },
    cookies: { keys: ['only-for-tests'] },
    clients: [...options.clients],
    scopes: ['openid', 'email', 'profile', 'offline_access'],
    claims: { openid: ['sub', 'groups', 'email', 'email_verified', 'name', 'sid'], email: [], profile: [] },
    conformIdTokenClaims: false,
    // Its own one refuses addresses of this machine; the applications are here.
    fetch: (url, init: (RequestInit & { dispatcher?: unknown }) | undefined) => {
      const { dispatcher: _, ...rest } = init ?? {}
      return fetch(url, rest)
    },
    findAccount: (_ctx, id) =>
      Object.hasOwn(people, id)
        ? { accountId: id, claims: () => ({ sub: id, ...people[id as keyof typeof people] }) }
        : undefined,
    extraTokenClaims: (_ctx, token) =>
      'accountId' in token ? people[token.accountId as keyof typeof people] : undefined,
    interactions: { url: (_ctx, { uid }) => `/form/${uid}` },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      })
      grant.addOIDCScope('openid email profile offline_access')
      grant.addResourceScope(API, 'orders:read')
      await grant.save()
      return grant
    },
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed('refresh_token'),
    rotateRefreshToken: true,
    ttl: {
      AccessToken: () => options.accessTokenSeconds ?? 3600,
      IdToken: () => options.accessTokenSeconds ?? 3600,
      RefreshToken: 86_400,
      Grant: 86_400,
      Session: 86_400,
      Interaction: 600,
    },
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true },
      userinfo: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        // Without its question whether one really wants to.
        logoutSource: (ctx, form) => {
          ctx.body = `<!doctype html><title>Signing out</title>${form}<button name="logout" value="yes" form="op.logoutForm" id="yes">Yes</button>`
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = '<!doctype html><title>Signed out</title>'
        },
      },
      backchannelLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          audience: resource,
          scope: 'orders:read',
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
  const provider: Provider = withoutNotices(
    () => new Provider(issuer, options.adjust?.(configuration) ?? configuration),
  )
  const answer = provider.callback()
  const asked = new Map<string, number>()
  const running: LoginProvider = {
    issuer,
    port,
    asked,
    mode: 'ok',
    harmed: undefined,
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? '').replace(/\?.*/, '')
    const line = `${request.method} ${path.replace(/^\/form\/.*/, '/form')}`
    asked.set(line, (asked.get(line) ?? 0) + 1)
    if (running.mode !== 'ok' && (running.harmed === undefined || running.harmed.includes(path))) {
      if (running.mode === 'fail') response.writeHead(500).end('out of order')
      else request.socket.destroy()
      return
    }
    if (!path.startsWith('/form/')) void answer(request, response)
    else form(provider, people, request, response).catch((error: unknown) => response.writeHead(400).end(String(error)))
  })
  return running
}

/** It warns that memory is no place for a production provider's tokens. Here it is. */
function withoutNotices<T>(make: () => T): T {
  const { warn } = console
  console.warn = () => {}
  try {
    return make()
  } finally {
    console.warn = warn
  }
}

/** The provider's own sign-in page. */
async function form(
  provider: Provider,
  people: Readonly<Record<string, unknown>>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { uid } = await provider.interactionDetails(request, response)
  if (request.method === 'POST') {
    const chunks: Uint8Array[] = []
    for await (const chunk of request) chunks.push(chunk)
    const sent = new URLSearchParams(Buffer.concat(chunks).toString('utf8'))
    if (sent.get('cancel') !== null) {
      await provider.interactionFinished(request, response, {
        error: 'access_denied',
        error_description: 'the person <script>alert(1)</script> said no',
      })
      return
    }
    const name = sent.get('name') ?? ''
    if (Object.hasOwn(people, name) && sent.get('password') === PASSWORD) {
      // Whoever signs in agrees: native clients and `prompt=consent` ask for that.
      await provider.interactionFinished(request, response, { login: { accountId: name }, consent: {} })
      return
    }
  }
  response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html>
<html lang="en"><title>Provider</title><h1>Provider</h1>
<form method="post" action="/form/${uid}">
<label>Name <input name="name" id="name"></label> <label>Password <input name="password" id="password" type="password"></label>
<button id="go">Sign in</button> <button id="cancel" name="cancel" value="1">Cancel</button>
</form></html>`)
}

async function makeKey(): Promise<JWK> {
  const { privateKey } = await makeKeyPair('RS256')
  return { ...(await exportJWK(privateKey)), kid: 'login-1', alg: 'RS256', use: 'sig' }
}
