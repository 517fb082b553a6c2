/**
 * Small authorization servers that have the habits of real ones: GitHub, Slack, Google, Entra, and others by what they do.
 * Everybody who comes is signed in already and agrees at once. Strict about what RFC 6749 and RFC 7636 demand of a client.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OAuth2UpstreamAuth } from '../../../src/broker/upstream-auth.ts'
import { readAll } from '../servers.ts'

/** What such a server does. */
export interface Habits {
  /** Describes itself (RFC 8414); otherwise its endpoints have to be written out. */
  readonly metadata: boolean
  /** Sends `iss` (RFC 9207), and says so. */
  readonly iss: boolean
  /** Errors of the token endpoint come with status 200 (GitHub, Slack). */
  readonly errorsWith200: boolean
  /** Answers with a form unless JSON is asked for by name (GitHub). */
  readonly formByDefault: boolean
  /** What stands at the top is a bot's; the person's tokens are in this object (Slack). A refresh is answered at the top. */
  readonly nestedIn: string | undefined
  readonly resource: 'required' | 'refused' | 'ignored'
  /** Lifetime of access tokens; `undefined`: it does not say, and they are good for ever. */
  readonly expiresIn: number | undefined
  /** `rotate`: a new one each time, and whoever uses an old one ends them all; `keep`: the first is good for ever and not sent again. */
  readonly refreshTokens: 'rotate' | 'keep' | 'none'
  /** Refresh tokens only for `access_type=offline` and `prompt=consent` (Google). */
  readonly offlineOnly: boolean
  /** How it says that a refresh token is dead. */
  readonly deadRefreshToken: { readonly error: string; readonly error_description?: string }
}

const STANDARD: Habits = {
  metadata: true,
  iss: true,
  errorsWith200: false,
  formByDefault: false,
  nestedIn: undefined,
  resource: 'ignored',
  expiresIn: 3600,
  refreshTokens: 'rotate',
  offlineOnly: false,
  deadRefreshToken: { error: 'invalid_grant' },
}

const EXPLICIT = { metadata: false, iss: false } as const

/** Kinds of servers, by who is like that. */
export const KINDS = {
  standard: {},
  github: {
    ...EXPLICIT,
    errorsWith200: true,
    formByDefault: true,
    expiresIn: 28_800,
    deadRefreshToken: {
      error: 'bad_refresh_token',
      error_description: 'The refresh token passed is incorrect or expired.',
    },
  },
  slack: {
    ...EXPLICIT,
    errorsWith200: true,
    nestedIn: 'authed_user',
    expiresIn: 43_200,
    deadRefreshToken: { error: 'invalid_refresh_token' },
  },
  google: { ...EXPLICIT, refreshTokens: 'keep', offlineOnly: true },
  entra: {
    ...EXPLICIT,
    resource: 'refused',
    deadRefreshToken: { error: 'invalid_grant', error_description: 'AADSTS700082: The refresh token has expired.' },
  },
  'requires resource': { resource: 'required' },
  'no expires_in': { expiresIn: undefined },
  'no refresh token': { refreshTokens: 'none' },
  'does not rotate': { refreshTokens: 'keep' },
  'dead tokens as invalid_request': {
    deadRefreshToken: { error: 'invalid_request', error_description: 'Refresh token expired' },
  },
} as const satisfies Record<string, Partial<Habits>>

/** A request that a server got. */
export interface Asked {
  readonly path: string
  readonly parameters: Readonly<Record<string, string>>
}

/** A running server. */
export interface QuirkyProvider {
  readonly url: string
  /** How a gateway is configured for it. */
  readonly auth: OAuth2UpstreamAuth
  readonly asked: Asked[]
  /** What is done to the next requests: nothing, the person says no, or the endpoint is out of order. */
  mode: 'ok' | 'deny' | 'fail'
  /** Whether an access token is good: for the resource servers that trust this one. */
  isGood(accessToken: string): boolean
  /** The last tokens that it gave. */
  readonly last: { accessToken: string; refreshToken: string | undefined }
  /** Makes every refresh token worthless. */
  endRefreshTokens(): void
  /** Makes every access token worthless before its time. */
  endAccessTokens(): void
  close(): Promise<void>
}

/** A code or refresh token, and what it was given for. */
interface Grant {
  readonly redirectUri: string
  readonly challenge: string
  readonly resource: string | undefined
  readonly scope: string
  readonly offline: boolean
}

const CLIENT_ID = 'gateway'
const CLIENT_SECRET = 'a-secret-of-the-gateway-0123456789'

/** Starts one on this machine. `more` changes its habits. */
export async function startQuirkyProvider(
  kind: keyof typeof KINDS = 'standard',
  more: Partial<Habits> = {},
): Promise<QuirkyProvider> {
  const habits: Habits = { ...STANDARD, ...KINDS[kind], ...more }
  const codes = new Map<string, Grant>()
  const refreshTokens = new Map<string, Grant>()
  const spent = new Set<string>()
  const accessTokens = new Map<string, number>()
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const endpoints = {
    authorizationUrl: `${url}/authorize`,
    tokenUrl: `${url}/token`,
    revocationUrl: `${url}/revoke`,
  }

  const provider: QuirkyProvider = {
    url,
    auth: {
      type: 'oauth2',
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      scopes: ['tools:read', 'tools:write'],
      ...(habits.metadata ? { issuer: url } : endpoints),
      ...(habits.resource === 'refused' && { resource: false }),
      ...(habits.nestedIn !== undefined && { tokensIn: habits.nestedIn }),
      ...(habits.offlineOnly && { authorizationParameters: { access_type: 'offline', prompt: 'consent' } }),
    },
    asked,
    mode: 'ok',
    last: { accessToken: '', refreshToken: undefined },
    isGood: (token) => (accessTokens.get(token) ?? 0) > Date.now(),
    endRefreshTokens: () => refreshTokens.clear(),
    endAccessTokens: () => accessTokens.clear(),
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return provider

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', url)
    const parameters = request.method === 'POST' ? new URLSearchParams(await readAll(request)) : searchParams
    asked.push({ path: pathname, parameters: Object.fromEntries(parameters) })
    if (provider.mode === 'fail') {
      response.writeHead(500).end('out of order')
      return
    }
    if (pathname === '/authorize') authorize(parameters, response)
    else if (pathname === '/token') token(request, parameters, response)
    else if (pathname === '/revoke') revoke(request, parameters, response)
    else if (pathname === '/.well-known/oauth-authorization-server' && habits.metadata) json(response, 200, metadata())
    else response.writeHead(404).end()
  }

  function metadata() {
    return {
      issuer: url,
      authorization_endpoint: endpoints.authorizationUrl,
      token_endpoint: endpoints.tokenUrl,
      revocation_endpoint: endpoints.revocationUrl,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: habits.iss,
    }
  }

  function authorize(query: URLSearchParams, response: ServerResponse): void {
    const redirectUri = query.get('redirect_uri') ?? ''
    const back: Record<string, string> = { state: query.get('state') ?? '', ...(habits.iss && { iss: url }) }
    const problem = query.get('client_id') !== CLIENT_ID ? 'unauthorized_client' : refusedParameters(query)
    if (provider.mode === 'deny') back.error = 'access_denied'
    else if (problem !== undefined) back.error = problem
    else {
      const code = random('code')
      back.code = code
      codes.set(code, {
        redirectUri,
        challenge: query.get('code_challenge') ?? '',
        resource: query.get('resource') ?? undefined,
        scope: query.get('scope') ?? '',
        offline: query.get('access_type') === 'offline' && query.get('prompt') === 'consent',
      })
    }
    if (query.get('response_mode') === 'form_post') {
      const fields = Object.entries(back).map(
        ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
      )
      response.writeHead(200, { 'content-type': 'text/html' })
      response.end(`<form method="post" action="${redirectUri}">${fields.join('')}<button>Go on</button></form>`)
      return
    }
    const target = new URL(redirectUri)
    for (const [name, value] of Object.entries(back)) target.searchParams.set(name, value)
    response.writeHead(302, { location: target.href }).end()
  }

  function refusedParameters(parameters: URLSearchParams): string | undefined {
    if (habits.resource === 'refused' && parameters.has('resource')) return 'invalid_request'
    if (habits.resource === 'required' && !parameters.has('resource')) return 'invalid_target'
    if (parameters.get('response_type') === 'code' && parameters.get('code_challenge_method') !== 'S256') {
      return 'invalid_request'
    }
    return undefined
  }

  function token(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): ServerResponse {
    if (!isClient(request)) return fail(request, response, { error: 'invalid_client' }, 401)
    const problem = refusedParameters(form)
    if (problem !== undefined) return fail(request, response, { error: problem })
    if (form.get('grant_type') === 'refresh_token') return refresh(request, form, response)
    const code = form.get('code') ?? ''
    const grant = codes.get(code)
    codes.delete(code)
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url')
    if (
      grant === undefined ||
      grant.redirectUri !== form.get('redirect_uri') ||
      grant.challenge !== challenge ||
      grant.resource !== (form.get('resource') ?? undefined)
    ) {
      return fail(request, response, { error: kind === 'github' ? 'bad_verification_code' : 'invalid_grant' })
    }
    const withRefresh = habits.refreshTokens !== 'none' && (!habits.offlineOnly || grant.offline)
    const tokens = issue(grant, withRefresh)
    if (habits.nestedIn === undefined) return send(request, response, tokens)
    return send(request, response, {
      ok: true,
      access_token: random('bot'),
      token_type: 'bot',
      [habits.nestedIn]: { id: 'U1', ...tokens, token_type: 'user' },
    })
  }

  function refresh(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): ServerResponse {
    const old = form.get('refresh_token') ?? ''
    const grant = refreshTokens.get(old)
    if (grant === undefined || grant.resource !== (form.get('resource') ?? undefined)) {
      // Whoever uses an old one has stolen it, or is it the owner?
      if (spent.has(old)) refreshTokens.clear()
      return fail(request, response, habits.deadRefreshToken)
    }
    if (habits.refreshTokens === 'rotate') {
      refreshTokens.delete(old)
      spent.add(old)
    }
    const tokens = issue(grant, habits.refreshTokens === 'rotate')
    return send(request, response, habits.nestedIn === undefined ? tokens : { ok: true, ...tokens, token_type: 'user' })
  }

  function issue(grant: Grant, withRefresh: boolean): Record<string, unknown> {
    const accessToken = random('access')
    accessTokens.set(
      accessToken,
      habits.expiresIn === undefined ? Number.POSITIVE_INFINITY : Date.now() + habits.expiresIn * 1000,
    )
    const refreshToken = withRefresh ? random('refresh') : undefined
    if (refreshToken !== undefined) refreshTokens.set(refreshToken, grant)
    provider.last.accessToken = accessToken
    provider.last.refreshToken = refreshToken
    return {
      access_token: accessToken,
      token_type: 'bearer',
      scope: grant.scope,
      ...(habits.expiresIn !== undefined && { expires_in: habits.expiresIn }),
      ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    }
  }

  function revoke(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): ServerResponse {
    if (!isClient(request)) return fail(request, response, { error: 'invalid_client' }, 401)
    const given = form.get('token') ?? ''
    refreshTokens.delete(given)
    accessTokens.delete(given)
    return response.writeHead(200).end()
  }

  function send(
    request: IncomingMessage,
    response: ServerResponse,
    body: Record<string, unknown>,
    status = 200,
  ): ServerResponse {
    if (!habits.formByDefault || request.headers.accept?.includes('application/json'))
      return json(response, status, body)
    const form = new URLSearchParams()
    for (const [name, value] of Object.entries(body)) form.set(name, String(value))
    return response.writeHead(status, { 'content-type': 'application/x-www-form-urlencoded' }).end(form.toString())
  }

  function fail(
    request: IncomingMessage,
    response: ServerResponse,
    body: Record<string, unknown>,
    status = 400,
  ): ServerResponse {
    return send(
      request,
      response,
      kind === 'slack' ? { ok: false, ...body } : body,
      habits.errorsWith200 ? 200 : status,
    )
  }
}

function isClient({ headers }: IncomingMessage): boolean {
  const expected = `${encodeURIComponent(CLIENT_ID)}:${CLIENT_SECRET}`
  return headers.authorization === `Basic ${Buffer.from(expected).toString('base64')}`
}

function json(response: ServerResponse, status: number, body: unknown): ServerResponse {
  return response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

function random(kind: string): string {
  return `${kind}-${randomBytes(18).toString('base64url')}`
}
