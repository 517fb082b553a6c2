/**
 * Keys, tokens and an identity provider's HTTP server for tests. Tokens are signed
 * by jose, or by node:crypto from raw text where jose would not make such a token.
 */
import { type JsonWebKey, sign as nodeSign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CompactSign, type CryptoKey, exportJWK, type JWK } from 'jose'
import { makeKeyPair } from './key-pairs.ts'

/** A signing key and the public half as an identity provider would publish it. */
export interface SigningKey {
  readonly alg: string
  readonly kid: string | undefined
  readonly privateKey: CryptoKey
  readonly privateJwk: JWK
  /** With `kid`, `alg` and `use`. */
  readonly jwk: JWK
}

/** A new key. */
export async function createKey(alg = 'ES256', kid = 'key-1'): Promise<SigningKey> {
  const { publicKey, privateKey } = await makeKeyPair(alg)
  return toSigningKey(alg, kid, privateKey, await exportJWK(privateKey), await exportJWK(publicKey))
}

/** A key without a `kid`. */
export async function createNamelessKey(alg = 'ES256'): Promise<SigningKey> {
  const key = await createKey(alg)
  const { kid: _, ...jwk } = key.jwk
  return { ...key, kid: undefined, jwk }
}

/** The same key under another name and for another algorithm of the same kind. */
export function renamed(key: SigningKey, kid: string | undefined, alg = key.alg): SigningKey {
  const { kid: _kid, alg: _alg, use: _use, ...bare } = key.jwk
  return toSigningKey(alg, kid, key.privateKey, key.privateJwk, bare)
}

function toSigningKey(
  alg: string,
  kid: string | undefined,
  privateKey: CryptoKey,
  privateJwk: JWK,
  bare: JWK,
): SigningKey {
  return { alg, kid, privateKey, privateJwk, jwk: { ...bare, ...(kid === undefined ? {} : { kid }), alg, use: 'sig' } }
}

/** A signed token; `header` adds to or replaces `alg`, `kid` and `typ` (`undefined` removes). */
export function signToken(key: SigningKey, claims: object, header: Record<string, unknown> = {}): Promise<string> {
  const full = { alg: key.alg, kid: key.kid, typ: 'JWT', ...header }
  return new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader(JSON.parse(JSON.stringify(full)))
    .sign(key.privateKey)
}

/** Signs whatever text stands for header and payload, with ES256 or RS256: what jose refuses to make. */
export function signText(key: SigningKey, header: string, payload: string | Uint8Array): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  const signature = nodeSign('sha256', Buffer.from(input), {
    key: key.privateJwk as JsonWebKey,
    format: 'jwk',
    dsaEncoding: 'ieee-p1363',
  })
  return `${input}.${signature.toString('base64url')}`
}

/** A token with any header, payload and signature, signed by nobody. */
export function forge(header: unknown, payload: unknown, signature = 'c2lnbmF0dXJl'): string {
  const part = (value: unknown) => base64url(typeof value === 'string' ? value : JSON.stringify(value))
  return `${part(header)}.${part(payload)}.${signature}`
}

/** RFC 4648 §5. */
export function base64url(text: string | Uint8Array): string {
  return Buffer.from(text as string).toString('base64url')
}

/** A clock that stands still until it is moved. */
export interface TestClock {
  now(): number
  /** Moves it, back with a negative number. */
  advance(seconds: number): void
}

/** A clock that starts at a round number of seconds. */
export function createTestClock(start = 1_800_000_000_000): TestClock {
  let now = start
  return {
    now: () => now,
    advance(seconds) {
      now += seconds * 1000
    },
  }
}

/** An identity provider's HTTP server on this machine. */
export interface ProviderServer {
  /** `http://127.0.0.1:1234`, without a slash at the end; also the issuer. */
  readonly url: string
  readonly jwksUri: string
  /** What it publishes at `/jwks`. */
  keys: readonly object[]
  /** Documents by path, beside `/jwks`. */
  readonly documents: Map<string, unknown>
  /** Answers in place of the usual; `undefined` for the usual. */
  answer: ((request: IncomingMessage, response: ServerResponse) => void) | undefined
  /** The paths asked for so far. */
  readonly asked: string[]
  /** How often `/jwks` was asked for. */
  readonly fetches: number
  close(): Promise<void>
}

/** Starts one that publishes `keys`. */
export async function startProvider(...keys: SigningKey[]): Promise<ProviderServer> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    if (provider.answer !== undefined) return provider.answer(request, response)
    const document = request.url === '/jwks' ? { keys: provider.keys } : provider.documents.get(request.url ?? '')
    response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify(document ?? { error: 'not found' }))
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider: ProviderServer = {
    url,
    jwksUri: `${url}/jwks`,
    keys: keys.map(({ jwk }) => jwk),
    documents: new Map(),
    answer: undefined,
    asked,
    get fetches() {
      return asked.filter((path) => path === '/jwks').length
    },
    close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      return closed
    },
  }
  return provider
}

/** Ways for a provider to fail, for {@link ProviderServer.answer}. */
export const failing = {
  down: (request: IncomingMessage) => void request.socket.destroy(),
  silent: () => {},
  status500: (_: IncomingMessage, response: ServerResponse) => void response.writeHead(500).end('{"keys":[]}'),
  body: (body: string | Uint8Array, type: string) => (_: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(200, { 'content-type': type }).end(body),
}
