/**
 * An MCP server and an authorization server that anybody can be a client of, as small as they can be and each with the parts that
 * a test wants: documents and answers can be replaced one by one. Everybody who comes to the authorization server agrees at once.
 */
import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { OAuth2Server } from '../../src/broker/broker.ts'
import { readAll } from '../support/servers.ts'
import { SERVER } from './setup.ts'

/** A request that came. */
export interface Received {
  readonly line: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

/** Answers in place of the usual. */
export type Route = (request: Received, response: ServerResponse) => void

/** A server whose answers can be replaced, by `GET /path`. */
export interface Site {
  readonly origin: string
  readonly received: Received[]
  readonly routes: Map<string, Route>
  /** How often something was asked for. */
  count(line: string): number
}

/** Starts one; it ends with the test. What has no route is 404. */
export async function startSite(routes: Readonly<Record<string, Route>> = {}): Promise<Site> {
  const received: Received[] = []
  const table = new Map(Object.entries(routes))
  const server = createServer(async (request, response) => {
    const line = `${request.method} ${(request.url ?? '').replace(/\?.*/s, '')}`
    const body = request.method === 'GET' ? (request.url ?? '').replace(/^[^?]*\??/, '') : await readAll(request)
    const said = { line, headers: request.headers, body }
    received.push(said)
    const route = table.get(line)
    if (route === undefined) response.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not here</h1>')
    else route(said, response)
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    routes: table,
    count: (wanted) => received.filter(({ line }) => line === wanted).length,
  }
}

/** Answers with JSON. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Route {
  return (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Sends somewhere else. */
export function redirectTo(location: string): Route {
  return (_request, response) => response.writeHead(302, { location }).end()
}

/** An authorization server. */
export interface OpenProvider extends Site {
  readonly issuer: string
  /** Its metadata; what is changed counts from then on. */
  readonly metadata: Record<string, unknown>
  /** Registered clients and their secrets. */
  readonly clients: Map<string, string | undefined>
  /** What it does to a registration, in place of nothing. */
  registered: (answer: Record<string, unknown>) => unknown
  /** Scopes that it grants, of those that are asked for. */
  grants: (asked: string) => string | undefined
  /** `iss` of its answers. */
  iss: string | undefined
  isGood(token: string): boolean
  scopeOf(token: string): string
  endAccessTokens(): void
}

/** Where the metadata of an authorization server is. */
export const AS_METADATA = 'GET /.well-known/oauth-authorization-server'

/** Starts one. `path` is a part of its issuer. */
export async function startOpenProvider(path = ''): Promise<OpenProvider> {
  const site = await startSite()
  const issuer = `${site.origin}${path}`
  const codes = new Map<string, URLSearchParams>()
  const tokens = new Map<string, string>()
  const refreshTokens = new Map<string, string>()
  const random = () => randomBytes(12).toString('base64url')
  const provider: OpenProvider = Object.assign(site, {
    issuer,
    metadata: {
      issuer,
      authorization_endpoint: `${site.origin}/authorize`,
      token_endpoint: `${site.origin}/token`,
      registration_endpoint: `${site.origin}/register`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'none'],
      authorization_response_iss_parameter_supported: true,
    } as Record<string, unknown>,
    clients: new Map<string, string | undefined>(),
    registered: (answer: Record<string, unknown>): unknown => answer,
    grants: (asked: string): string | undefined => asked,
    iss: issuer as string | undefined,
    isGood: (token: string) => tokens.has(token),
    scopeOf: (token: string) => tokens.get(token) ?? '',
    endAccessTokens: () => tokens.clear(),
  })
  const { routes } = site
  routes.set(`${AS_METADATA}${path}`, (request, response) => json(provider.metadata)(request, response))
  routes.set('POST /register', ({ body }, response) => {
    const asked = JSON.parse(body) as Record<string, unknown>
    const id = `client-${random()}`
    const secret = asked.token_endpoint_auth_method === 'none' ? undefined : random()
    provider.clients.set(id, secret)
    const made = { ...asked, client_id: id, ...(secret && { client_secret: secret, client_secret_expires_at: 0 }) }
    json(provider.registered(made), 201)({ line: '', headers: {}, body: '' }, response)
  })
  routes.set('GET /authorize', ({ body }, response) => {
    const query = new URLSearchParams(body)
    const client = query.get('client_id') ?? ''
    if (!provider.clients.has(client) && !client.startsWith('https://')) {
      response.writeHead(400).end('unknown client')
      return
    }
    const code = random()
    codes.set(code, query)
    const back = new URL(query.get('redirect_uri') ?? '')
    back.searchParams.set('code', code)
    back.searchParams.set('state', query.get('state') ?? '')
    if (provider.iss !== undefined) back.searchParams.set('iss', provider.iss)
    response.writeHead(302, { location: back.href }).end()
  })
  routes.set('POST /token', ({ body, headers }, response) => {
    const form = new URLSearchParams(body)
    const [id = '', secret] = clientOf(headers.authorization, form)
    const fail = (error: string, status = 400) => json({ error }, status)({ line: '', headers: {}, body }, response)
    const isKnown = provider.clients.has(id) || id.startsWith('https://')
    if (!isKnown || provider.clients.get(id) !== secret) return fail('invalid_client', 401)
    let scope: string | undefined
    if (form.get('grant_type') === 'refresh_token') {
      const granted = refreshTokens.get(form.get('refresh_token') ?? '')
      refreshTokens.delete(form.get('refresh_token') ?? '')
      if (granted === undefined) return fail('invalid_grant')
      scope = granted
    } else {
      const asked = codes.get(form.get('code') ?? '')
      codes.delete(form.get('code') ?? '')
      const challenge = createHash('sha256')
        .update(form.get('code_verifier') ?? '')
        .digest('base64url')
      if (asked?.get('client_id') !== id || asked.get('code_challenge') !== challenge) return fail('invalid_grant')
      scope = provider.grants(asked.get('scope') ?? '')
    }
    const token = random()
    const refresh = random()
    tokens.set(token, scope ?? '')
    refreshTokens.set(refresh, scope ?? '')
    const said = { access_token: token, refresh_token: refresh, token_type: 'Bearer', expires_in: 3600 }
    return json(scope === undefined ? said : { ...said, scope })({ line: '', headers: {}, body }, response)
  })
  return provider
}

function clientOf(authorization: string | undefined, form: URLSearchParams): (string | undefined)[] {
  if (authorization === undefined) return [form.get('client_id') ?? '']
  const [id = '', secret = ''] = Buffer.from(authorization.slice(6), 'base64').toString().split(':')
  return [decodeURIComponent(id), decodeURIComponent(secret)]
}

/** An MCP server that trusts some authorization servers. */
export interface OpenServer extends Site {
  readonly url: string
  /** As the gateway is configured for it. */
  readonly server: OAuth2Server
  /** Its metadata; what is changed counts from then on. */
  readonly metadata: Record<string, unknown>
  /** Parameters of its challenge beside `resource_metadata`. */
  challenge: string
}

/** Where the metadata of {@link OpenServer} is. */
export const RESOURCE_METADATA = 'GET /.well-known/oauth-protected-resource/mcp'

/** Starts one. It answers 401 to everything. */
export async function startOpenServer(issuers: readonly string[], auth: object = {}): Promise<OpenServer> {
  const site = await startSite()
  const url = `${site.origin}/mcp`
  const server: OAuth2Server = { id: SERVER, url, label: 'Code', auth: { type: 'oauth2', ...auth } }
  const open: OpenServer = Object.assign(site, {
    url,
    server,
    metadata: { resource: url, authorization_servers: issuers, scopes_supported: ['code:read'] } as Record<
      string,
      unknown
    >,
    challenge: '',
  })
  site.routes.set(RESOURCE_METADATA, (request, response) => json(open.metadata)(request, response))
  site.routes.set('POST /mcp', (_request, response) => {
    const named = `resource_metadata="${site.origin}/.well-known/oauth-protected-resource/mcp"`
    const field = ['Bearer', [named, open.challenge].filter(Boolean).join(', ')].join(' ')
    response.writeHead(401, { 'www-authenticate': field }).end()
  })
  return open
}
