/**
 * An authorization server without a browser: token exchange (RFC 8693), identity assertions (ID-JAG), the JWT bearer grant (RFC 7523)
 * and client credentials. It checks everything that it gets, and misbehaves on demand.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRemoteJWKSet, importJWK, type JWK, type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { makeKey } from './identity-provider.ts'
import { readAll } from './servers.ts'

/** A request for a token, as it came. */
export interface TokenRequest {
  readonly parameters: URLSearchParams
  readonly grantType: string
  /** How the client proved who it is; `undefined` where it did not. */
  readonly method: string | undefined
}

/** An answer in place of the one that is due: one of HTTP, none ever, or a connection that breaks. */
export type Instead = { status: number; body?: unknown; headers?: Record<string, string> } | 'hang' | 'break'

/** See the top of the file. */
export interface TokenService {
  readonly issuer: string
  readonly tokenUrl: string
  /** Requests for tokens so far. */
  readonly requests: readonly TokenRequest[]
  /** Everything that was asked for, as `POST /token`. */
  readonly asked: readonly string[]
  /** Answers in place of what is due. */
  instead: ((request: TokenRequest) => Instead | undefined) | undefined
  /** Is waited for before a request for a token is answered. */
  gate: Promise<void> | undefined
  /** `expires_in` of access tokens; `undefined` leaves it out. */
  lifetime: number | undefined
  /** Added to the metadata. */
  metadata: Record<string, unknown>
  close(): Promise<void>
}

/** What it is told. */
export interface TokenServiceOptions {
  /** Issuers whose JWTs it takes; their keys are at `/jwks`. */
  readonly trusts?: readonly string[]
  readonly clients: Readonly<Record<string, { secret?: string; key?: JWK; public?: true }>>
  /** Scopes that it gives; all by default. */
  readonly scopes?: readonly string[]
  /** By audience, which client of that authorization server it makes assertions for. None by default. */
  readonly assertionsFor?: Readonly<Record<string, string>>
}

const URN = 'urn:ietf:params:oauth:'
const ASSERTION_TYPE = `${URN}client-assertion-type:jwt-bearer`

/** Refuses a request (RFC 6749 §5.2). */
class Refusal extends Error {
  readonly error: string
  readonly status: number

  constructor(error: string, message: string, status = 400) {
    super(message)
    this.error = error
    this.status = status
  }
}

/** Starts one on the loopback interface. */
export async function startTokenService(options: TokenServiceOptions): Promise<TokenService> {
  const { trusts = [], clients, scopes: offered, assertionsFor = {} } = options
  const server = createServer()
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const key = await makeKey('service-1')
  const keySets = new Map(trusts.map((each) => [each, createRemoteJWKSet(new URL('/jwks', each))]))
  const requests: TokenRequest[] = []
  const asked: string[] = []
  const seen = new Set<string>()
  const running: TokenService = {
    issuer,
    tokenUrl: `${issuer}/token`,
    requests,
    asked,
    instead: undefined,
    gate: undefined,
    lifetime: 300,
    metadata: {},
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }

  function sign(claims: JWTPayload, typ: string): Promise<string> {
    const now = Math.floor(Date.now() / 1000)
    const payload = { iss: issuer, iat: now, exp: now + 300, jti: crypto.randomUUID(), ...claims }
    return new SignJWT(payload).setProtectedHeader({ alg: 'RS256', kid: key.kid, typ }).sign(key.privateKey)
  }

  async function verify(token: string | null, expected: object = {}): Promise<JWTPayload> {
    const said = JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString() || '{}') as JWTPayload
    const keys = keySets.get(said.iss ?? '')
    if (token === null || keys === undefined) throw new Refusal('invalid_request', 'the token is of nobody I know')
    try {
      return (await jwtVerify(token, keys, { issuer: said.iss ?? '', ...expected })).payload
    } catch (error) {
      throw new Refusal('invalid_grant', `the token ${token} is no good: ${error}`)
    }
  }

  async function authenticate(request: IncomingMessage, body: URLSearchParams) {
    const { authorization } = request.headers
    const [id = '', secret] =
      authorization === undefined
        ? [body.get('client_id') ?? '', body.get('client_secret') ?? undefined]
        : Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
            .toString()
            .split(':')
            .map((each) => decodeURIComponent(each.replaceAll('+', ' ')))
    const assertion = body.get('client_assertion')
    if (assertion !== null) {
      const { sub = '' } = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()) as JWTPayload
      const jwk = clients[sub]?.key
      if (jwk === undefined || body.get('client_assertion_type') !== ASSERTION_TYPE) {
        throw new Refusal('invalid_client', 'unknown client', 401)
      }
      await jwtVerify(assertion, await importJWK(jwk, 'ES256'), { issuer: sub, subject: sub, audience: issuer })
      return { id: sub, method: 'private_key_jwt' }
    }
    const known = Object.hasOwn(clients, id) ? clients[id] : undefined
    const isRight = known !== undefined && (known.public === true ? secret === undefined : secret === known.secret)
    if (!isRight || (authorization !== undefined && body.has('client_secret'))) {
      throw new Refusal('invalid_client', `no client ${id} with the secret ${secret}`, 401)
    }
    const method = secret === undefined ? 'none' : authorization === undefined ? 'post' : 'basic'
    return { id, method: method === 'none' ? method : `client_secret_${method}` }
  }

  function scopeOf(body: URLSearchParams): string {
    const wanted = (body.get('scope') ?? '').split(' ').filter((each) => each !== '')
    const strange = wanted.find((each) => offered?.includes(each) === false)
    if (strange !== undefined) throw new Refusal('invalid_scope', `there is no scope ${strange}`)
    return wanted.join(' ')
  }

  async function accessToken(claims: JWTPayload, scope: string, more: object = {}): Promise<object> {
    const { lifetime } = running
    const token = await sign({ ...claims, ...(scope === '' ? {} : { scope }) }, 'at+jwt')
    const life = lifetime === undefined ? {} : { expires_in: lifetime }
    return { access_token: token, token_type: 'Bearer', ...life, ...(scope === '' ? {} : { scope }), ...more }
  }

  async function grant(body: URLSearchParams, client: string): Promise<object> {
    const scope = scopeOf(body)
    const resource = body.get('resource') ?? undefined
    const targets = [...body.getAll('resource'), ...body.getAll('audience')]
    switch (body.get('grant_type')) {
      case 'client_credentials':
        return accessToken({ sub: client, aud: targets, client_id: client }, scope)
      case `${URN}grant-type:token-exchange`: {
        const { sub = '' } = await verify(body.get('subject_token'))
        const requested = body.get('requested_token_type')
        if (!/token-type:(?:access_token|id_token|jwt)$/.test(body.get('subject_token_type') ?? '')) {
          throw new Refusal('invalid_request', 'of what type is the subject token?')
        }
        if (requested !== `${URN}token-type:id-jag`) {
          if (targets.length === 0) throw new Refusal('invalid_target', 'a token for what?')
          return accessToken({ sub, aud: targets, client_id: client }, scope, { issued_token_type: requested })
        }
        const audience = body.get('audience') ?? ''
        const ofClient = assertionsFor[audience]
        if (ofClient === undefined) throw new Refusal('invalid_target', `no assertions for ${audience}`)
        const claims = { sub, aud: audience, client_id: ofClient, ...(scope === '' ? {} : { scope }), resource }
        return {
          issued_token_type: requested,
          access_token: await sign(claims, 'oauth-id-jag+jwt'),
          token_type: 'N_A',
          expires_in: 300,
        }
      }
      case `${URN}grant-type:jwt-bearer`: {
        const claims = await verify(body.get('assertion'), { audience: issuer, typ: 'oauth-id-jag+jwt' })
        if (claims.client_id !== client) throw new Refusal('invalid_grant', 'the assertion is for another client')
        if (seen.has(claims.jti ?? '')) throw new Refusal('invalid_grant', 'the assertion was used before')
        seen.add(claims.jti ?? '')
        return accessToken({ sub: claims.sub ?? '', aud: [claims.resource as string] }, scope)
      }
      default:
        throw new Refusal('unsupported_grant_type', 'no such grant')
    }
  }

  async function token(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parameters = new URLSearchParams(await readAll(request))
    const grantType = parameters.get('grant_type') ?? ''
    const client = await authenticate(request, parameters).catch((error: unknown) => error)
    const method = client instanceof Error ? undefined : (client as { method: string }).method
    requests.push({ parameters, grantType, method })
    const instead = running.instead?.({ parameters, grantType, method })
    if (instead === 'hang') return
    if (instead === 'break') {
      request.socket.destroy()
      return
    }
    await running.gate
    if (instead !== undefined) {
      const { body = '', status, headers = {} } = instead
      response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))
      return
    }
    try {
      if (client instanceof Error) throw client
      if (!request.headers['content-type']?.startsWith('application/x-www-form-urlencoded')) {
        throw new Refusal('invalid_request', 'no form')
      }
      send(response, 200, await grant(parameters, (client as { id: string }).id))
    } catch (error) {
      const { error: code = 'invalid_client', status = 401, message } = error as Refusal
      send(response, status, { error: code, error_description: message })
    }
  }

  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    asked.push(`${request.method} ${request.url}`)
    if (request.url === '/token' && request.method === 'POST') void token(request, response)
    else if (request.url === '/jwks') send(response, 200, { keys: [key.jwk] })
    else if (/^\/\.well-known\/(?:oauth-authorization-server|openid-configuration)$/.test(request.url ?? '')) {
      send(response, 200, { issuer, token_endpoint: running.tokenUrl, jwks_uri: `${issuer}/jwks`, ...running.metadata })
    } else send(response, 404, {})
  })
  return running
}

function send(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
