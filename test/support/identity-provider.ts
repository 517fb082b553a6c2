/**
 * Identity providers for tests: a real one (`oidc-provider`), where it matters
 * that somebody else made the token, and a server of keys that misbehaves on demand.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CryptoKey, exportJWK, type JWK, type JWTPayload, SignJWT } from 'jose'
import { makeKeyPair } from './key-pairs.ts'

/** A running `oidc-provider` that gives out RS256 JWT access tokens to clients (RFC 6749 §4.4, RFC 8707, RFC 9068). */
export interface RealProvider {
  readonly issuer: string
  readonly jwksUri: string
  /** A token by the client credentials grant, fetched over HTTP. */
  token(request?: { resource?: string; scope?: string }): Promise<string>
  close(): Promise<void>
}

/** What {@link startProvider} can be told. */
export interface ProviderOptions {
  /** The API that tokens are made for, and the scopes it knows. */
  readonly resources?: Readonly<Record<string, string>>
  /** Put into every access token. */
  readonly claims?: Readonly<Record<string, unknown>>
}

const CLIENT = { id: 'nightly', secret: 'a-secret-of-the-nightly-client-0123456789' }

/** Starts a provider on a free port of the loopback interface. */
export async function startProvider(options: ProviderOptions = {}): Promise<RealProvider> {
  const { resources = { 'https://orders.example.com': 'orders:read orders:write' }, claims = {} } = options
  // Not at the top of the file, since it takes its time and most tests do without.
  const { Provider } = await import('oidc-provider')
  const { privateKey } = await makeKeyPair('RS256')
  const { server, origin } = await listen()
  const provider = new Provider(origin, {
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'provider-1', alg: 'RS256', use: 'sig' }] },
    cookies: { keys: ['only-for-tests'] },
    clients: [
      {
        client_id: CLIENT.id,
        client_secret: CLIENT.secret,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
    ],
    extraTokenClaims: () => ({ ...claims }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => Object.keys(resources)[0] as string,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: resources[resource] ?? '',
          audience: resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 300,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  })
  server.on('request', provider.callback())
  return {
    issuer: origin,
    jwksUri: `${origin}/jwks`,
    async token({ resource, scope } = {}) {
      const response = await fetch(`${origin}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}` },
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          ...(resource === undefined ? {} : { resource }),
          ...(scope === undefined ? {} : { scope }),
        }),
      })
      const answer = (await response.json()) as { access_token?: string }
      if (answer.access_token === undefined) throw new Error(`no token: ${JSON.stringify(answer)}`)
      return answer.access_token
    },
    close: () => stop(server),
  }
}

/** How a {@link KeyServer} answers: as it should, with 500, never, with what is no JWK set, or not at all. */
export type KeyServerMode = 'ok' | 'fail' | 'hang' | 'garbage' | 'refuse'

/** A server of keys (and of the metadata that names them), and the private side of these keys. */
export interface KeyServer {
  readonly issuer: string
  readonly jwksUri: string
  mode: KeyServerMode
  /** Requests for the JWK set so far. */
  readonly fetches: number
  /** Replaces the key by a new one; tokens are signed with that from now on. */
  rotate(): Promise<void>
  /**
   * A token. By default RS256, good for five minutes, with this server as its issuer, `orders-api` as its audience and
   * the current key; a claim of `undefined` is left out.
   */
  sign(claims?: JWTPayload, options?: { key?: SigningKey; header?: Record<string, unknown> }): Promise<string>
  close(): Promise<void>
}

/** A private key and the public one. */
export interface SigningKey {
  readonly kid: string
  readonly privateKey: CryptoKey
  readonly jwk: JWK
}

/** The audience of the tokens that {@link KeyServer.sign} makes. */
export const AUDIENCE = 'orders-api'

/** A key pair for RS256. */
export async function makeKey(kid: string): Promise<SigningKey> {
  const { privateKey, publicKey } = await makeKeyPair('RS256')
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'RS256', use: 'sig' } }
}

/** Starts a server of keys on a free port of the loopback interface. */
export async function startKeyServer(): Promise<KeyServer> {
  const { server, origin } = await listen()
  let serial = 1
  let key = await makeKey(`key-${serial}`)
  let fetches = 0
  const running: KeyServer = {
    issuer: origin,
    jwksUri: `${origin}/jwks`,
    mode: 'ok',
    get fetches() {
      return fetches
    },
    async rotate() {
      key = await makeKey(`key-${++serial}`)
    },
    sign(claims = {}, options = {}) {
      const signer = options.key ?? key
      const now = Math.floor(Date.now() / 1000)
      const payload = { iss: origin, aud: AUDIENCE, sub: 'alice', iat: now, exp: now + 300, ...claims }
      return new SignJWT(JSON.parse(JSON.stringify(payload)))
        .setProtectedHeader({ alg: 'RS256', kid: signer.kid, ...options.header })
        .sign(signer.privateKey)
    },
    close: () => stop(server),
  }
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    if (request.url === '/.well-known/openid-configuration') {
      sendJson(response, 200, { issuer: origin, jwks_uri: running.jwksUri })
      return
    }
    fetches++
    if (running.mode === 'ok') sendJson(response, 200, { keys: [key.jwk] })
    else if (running.mode === 'fail') sendJson(response, 500, { error: 'server_error' })
    else if (running.mode === 'garbage') response.end('<html>a login page of some proxy</html>')
    else if (running.mode === 'refuse') request.socket.destroy()
  })
  return running
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

async function listen(): Promise<{ server: Server; origin: string }> {
  const server = createServer()
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function stop(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
