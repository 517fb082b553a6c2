/** How clients prove who they are, and what is said of keys that cannot be used. */
import { generateKeyPairSync } from 'node:crypto'
import { decodeJwt, decodeProtectedHeader, exportJWK, exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import { type ClientAuthentication, toClientAuth } from '../../src/oauth/client-authentication.ts'
import { expectNothingOf, rejection } from './odd-server.ts'

type KeyAuthentication = ClientAuthentication & { method: 'private_key_jwt' }

const SERVER = { issuer: 'https://idp.example', token_endpoint: 'https://idp.example/token' }

/** What is sent. */
async function send(authentication: ClientAuthentication, clientId = 'app', server = SERVER) {
  const body = new URLSearchParams()
  const headers = new Headers()
  const authenticate = await toClientAuth(authentication)
  await authenticate(server, { client_id: clientId }, body, headers)
  return { body: Object.fromEntries(body), authorization: headers.get('authorization') }
}

async function assertionOf(authentication: Omit<KeyAuthentication, 'method'>, server = SERVER): Promise<string> {
  const { body, authorization } = await send({ method: 'private_key_jwt', ...authentication }, 'app', server)
  expect(authorization).toBeNull()
  const { client_assertion: assertion = '', ...rest } = body
  expect(rest).toEqual({
    client_id: 'app',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  })
  return assertion
}

describe('A8 client authentication', () => {
  it('client_secret_basic is the same, decoded or not, for what most ids and secrets are made of', async () => {
    const { authorization } = await send(
      { method: 'client_secret_basic', secret: 'aZ09-._*' },
      'pre-registered.client_1',
    )
    expect(authorization).toBe(`Basic ${btoa('pre-registered.client_1:aZ09-._*')}`)
  })

  it('client_secret_basic form-encodes both parts (RFC 6749 §2.3.1)', async () => {
    const { body, authorization } = await send({ method: 'client_secret_basic', secret: 'p:a s+%ü' }, 'my-app:1')
    expect(body).toEqual({})
    expect(authorization).toBe(`Basic ${btoa('my-app%3A1:p%3Aa+s%2B%25%C3%BC')}`)
  })

  it('client_secret_post puts both into the body', async () => {
    expect(await send({ method: 'client_secret_post', secret: 'p:a s+%ü' })).toEqual({
      body: { client_id: 'app', client_secret: 'p:a s+%ü' },
      authorization: null,
    })
  })

  it('none sends the id alone', async () => {
    expect(await send({ method: 'none' })).toEqual({ body: { client_id: 'app' }, authorization: null })
  })

  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'])(
    'private_key_jwt signs with %s, with a key from PEM or JWK',
    async (alg) => {
      const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
      const jwk = JSON.stringify({ ...(await exportJWK(privateKey)), kid: 'k1', alg })
      for (const key of [
        { key: await exportPKCS8(privateKey), algorithm: alg, keyId: 'k1' },
        { key: `\n${jwk}\n` },
        { key: jwk.replace('"k1"', '"k0"'), keyId: 'k1' },
      ]) {
        const { payload, protectedHeader } = await jwtVerify(await assertionOf(key), publicKey)
        expect(protectedHeader).toEqual({ alg, kid: 'k1' })
        expect(payload).toMatchObject({ iss: 'app', sub: 'app', aud: 'https://idp.example', jti: expect.any(String) })
        expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60)
      }
    },
  )

  it.each([
    ['RS256', 'RS256'],
    ['ES256', 'ES256'],
    ['ES384', 'ES384'],
    ['ES512', 'ES512'],
    ['Ed25519', 'EdDSA'],
  ])('of a key for %s, the algorithm is %s unless told', async (made, alg) => {
    const { privateKey } = await generateKeyPair(made, { extractable: true })
    const assertion = await assertionOf({ key: await exportPKCS8(privateKey) })
    expect(decodeProtectedHeader(assertion)).toEqual({ alg })
  })

  it('every assertion is another', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const authenticate = await toClientAuth({ method: 'private_key_jwt', key: await exportPKCS8(privateKey) })
    const ids = await Promise.all(
      [1, 2].map(async () => {
        const body = new URLSearchParams()
        await authenticate(SERVER, { client_id: 'app' }, body, new Headers())
        return decodeJwt(body.get('client_assertion') ?? '').jti
      }),
    )
    expect(new Set(ids).size).toBe(2)
  })

  it('its audience is the issuer, the token endpoint where the issuer is a template, or what it is told', async () => {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true })
    const key = await exportPKCS8(privateKey)
    const template = { ...SERVER, issuer: 'https://idp.example/{tenantid}/v2.0' }
    expect(decodeJwt(await assertionOf({ key }, template)).aud).toBe('https://idp.example/token')
    expect(decodeJwt(await assertionOf({ key, audience: 'https://x.example' })).aud).toBe('https://x.example')
  })

  it('keys in the older forms of PEM will do', async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    for (const [key, alg] of [
      [rsa.export({ type: 'pkcs1', format: 'pem' }), 'RS256'],
      [ec.export({ type: 'sec1', format: 'pem' }), 'ES256'],
    ] as const) {
      expect(decodeProtectedHeader(await assertionOf({ key: key.toString() }))).toEqual({ alg })
    }
  })
})

describe('A12 a secret or a key that cannot be used', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pkcs8 = { type: 'pkcs8', format: 'pem' } as const
  const pem = (key: typeof ec.privateKey, options: object = pkcs8) => key.export(options as typeof pkcs8).toString()
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey

  it.each<[string, ClientAuthentication, string]>([
    ['an empty secret', { method: 'client_secret_basic', secret: '' }, 'the client secret is empty'],
    ['an empty secret in the body', { method: 'client_secret_post', secret: '' }, 'the client secret is empty'],
  ])('%s', async (_, authentication, message) => {
    const error = await rejection(toClientAuth(authentication))
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as Error).message).toBe(message)
  })

  it.each<[string, string, string | undefined, string]>([
    ['nothing', '', undefined, 'neither PEM nor a private JWK'],
    ['a password', 'hunter2-hunter2', undefined, 'neither PEM nor a private JWK'],
    ['JSON that is no key', '{"hunter2":"hunter2"}', undefined, 'neither PEM nor a private JWK'],
    ['JSON null', 'null', undefined, 'neither PEM nor a private JWK'],
    ['broken JSON', '{"kty":"EC","d":"hunter2hunter2"', undefined, 'neither PEM nor a private JWK'],
    ['a symmetric JWK', '{"kty":"oct","k":"aHVudGVyMmh1bnRlcjI"}', undefined, 'neither PEM nor a private JWK'],
    [
      'a public JWK',
      JSON.stringify(ec.publicKey.export({ format: 'jwk' })),
      undefined,
      'neither PEM nor a private JWK',
    ],
    ['a public key', pem(ec.publicKey, { type: 'spki', format: 'pem' }), undefined, 'encrypted, or not the private'],
    [
      'an encrypted key',
      pem(ec.privateKey, { ...pkcs8, cipher: 'aes-256-cbc', passphrase: 'hunter2' }),
      undefined,
      'encrypted, or not the private',
    ],
    [
      'an encrypted key in the older form',
      pem(rsa.privateKey, { type: 'pkcs1', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'hunter2' }),
      undefined,
      'encrypted, or not the private',
    ],
    ['a cut key', pem(ec.privateKey).slice(0, 90), undefined, 'no PEM of a private key'],
    ['an RSA key that is too short', pem(weak), undefined, '1024 bits, fewer than 2048'],
    ['an RSA key for ES256', pem(rsa.privateKey), 'ES256', 'for RSA, which does not go with "ES256"'],
    ['a P-256 key for ES384', pem(ec.privateKey), 'ES384', 'which does not go with "ES384"'],
    ['an algorithm that is none', pem(ec.privateKey), 'none', 'which does not go with "none"'],
    ['an algorithm for shared secrets', pem(ec.privateKey), 'HS256', 'which does not go with "HS256"'],
    [
      'a JWK for encryption',
      JSON.stringify({ ...ec.privateKey.export({ format: 'jwk' }), alg: 'ECDH-ES' }),
      undefined,
      'which does not go with "ECDH-ES"',
    ],
    [
      'a curve that nobody signs JWTs with',
      pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey),
      undefined,
      'for the curve secp256k1, which cannot sign',
    ],
    ['a key for agreement', pem(generateKeyPairSync('x25519').privateKey), undefined, 'for x25519, which cannot sign'],
  ])('%s', async (_, key, algorithm, message) => {
    const error = await rejection(
      toClientAuth({ method: 'private_key_jwt', key, ...(algorithm === undefined ? {} : { algorithm }) }),
    )
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as Error).message).toContain(message)
    const lines = key.split('\n').filter((line) => line.length > 20 && !line.startsWith('-----'))
    expectNothingOf(error, 'hunter2', ...lines)
  })
})
