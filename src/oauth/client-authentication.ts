/** How a client proves to the authorization server who it is (RFC 6749 §2.3, RFC 7523, OpenID Connect Core §9). */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { importPKCS8 } from 'jose'
import * as oauth from 'oauth4webapi'
import { ConfigError } from '../core/errors.ts'

/**
 * One of:
 * - `client_secret_basic`: id and secret in `Authorization: Basic`, each form-encoded first (RFC 6749 §2.3.1). Letters, digits
 *   and `*-._` stay as they are, so that servers that do not decode take most ids and secrets too; for the others there is
 * - `client_secret_post`: id and secret in the body
 * - `private_key_jwt`: a JWT that is good for a minute, signed with a private key, for the issuer as its only audience
 * - `none`: a public client; PKCE alone
 */
export type ClientAuthentication =
  | { readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: string }
  | {
      readonly method: 'private_key_jwt'
      /** PEM (PKCS#8; PKCS#1 and SEC 1 will do), or a private JWK as JSON. RSA of at least 2048 bits, P-256, P-384, P-521 or Ed25519. */
      readonly key: string
      /** `kid` of the JWT; that of the JWK by default. */
      readonly keyId?: string
      /** `alg` of the JWT; that of the JWK by default, else RS256 or the one of the curve. */
      readonly algorithm?: string
      /** `aud` of the JWT, where the server wants another than its issuer: its token endpoint, in older ones. */
      readonly audience?: string
    }
  | { readonly method: 'none' }

/**
 * Makes what oauth4webapi authenticates with.
 *
 * @throws ConfigError (`ERR_CONFIG`) for a secret or a key that cannot be used. The message does not contain it.
 */
export async function toClientAuth(authentication: ClientAuthentication): Promise<oauth.ClientAuth> {
  const { method } = authentication
  switch (method) {
    case 'none':
      return oauth.None()
    case 'client_secret_basic':
      return clientSecretBasic(checkSecret(authentication.secret))
    case 'client_secret_post':
      return oauth.ClientSecretPost(checkSecret(authentication.secret))
    case 'private_key_jwt': {
      const { key, kid, alg } = await readKey(authentication)
      return (server, ...request) => {
        const authenticate = oauth.PrivateKeyJwt(kid === undefined ? key : { key, kid }, {
          [oauth.modifyAssertion](header, payload) {
            // Ed25519 goes by two names (RFC 9864), of which oauth4webapi knows one.
            header.alg = alg
            // A template names nobody; for Entra, that leaves the token endpoint.
            const issuer = server.issuer.includes('{') ? server.token_endpoint : server.issuer
            payload.aud = authentication.audience ?? issuer
          },
        })
        return authenticate(server, ...request)
      }
    }
  }
}

/** oauth4webapi has one too, which encodes hyphens and dots as well: a server that does not decode knows no such client. */
function clientSecretBasic(secret: string): oauth.ClientAuth {
  return (_server, client, _body, headers) => {
    const credentials = `${formEncode(client.client_id)}:${formEncode(secret)}`
    headers.set('authorization', `Basic ${btoa(credentials)}`)
  }
}

/** application/x-www-form-urlencoded (RFC 6749 Appendix B), as everybody writes it. */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

function checkSecret(secret: string): string {
  return secret === '' ? fail('the client secret is empty') : secret
}

const RSA = ['RS256', 'PS256', 'RS384', 'PS384', 'RS512', 'PS512']
const MIN_RSA_BITS = 2048
/** By OpenSSL's names. */
const CURVES: ReadonlyMap<string | undefined, string> = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
])

async function readKey({ key: text, keyId, algorithm }: ClientAuthentication & { method: 'private_key_jwt' }) {
  const { key, jwk } = parseKey(text)
  const { name, algorithms } = describe(key)
  const told = algorithm ?? textOf(jwk.alg)
  const alg = told ?? algorithms[0]
  if (alg === undefined) return fail(`the private key of the client is for ${name}, which cannot sign`)
  if (!algorithms.includes(alg)) {
    return fail(
      `the private key of the client is for ${name}, which does not go with ${JSON.stringify(alg.slice(0, 50))}`,
    )
  }
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  try {
    return { key: await importPKCS8(pem, alg), kid: keyId ?? textOf(jwk.kid), alg }
  } catch {
    return fail('the private key of the client cannot be used')
  }
}

/** What Node and JSON.parse say is left out: it may quote the key. */
function parseKey(text: string): { key: KeyObject; jwk: Readonly<Record<string, unknown>> } {
  if (/^\s*-----BEGIN /.test(text)) {
    if (/-----BEGIN (?:ENCRYPTED |RSA PUBLIC|PUBLIC|CERTIFICATE)|^Proc-Type:.*ENCRYPTED/m.test(text)) {
      return fail('the private key of the client is encrypted, or not the private one')
    }
    try {
      return { key: createPrivateKey(text), jwk: {} }
    } catch {
      return fail('the private key of the client is no PEM of a private key')
    }
  }
  try {
    const jwk = JSON.parse(text)
    return { key: createPrivateKey({ key: jwk, format: 'jwk' }), jwk }
  } catch {
    return fail('the private key of the client is neither PEM nor a private JWK')
  }
}

/** What the key is, and the `alg` values that go with it, the usual one first. */
function describe(key: KeyObject): { name: string; algorithms: readonly string[] } {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'rsa':
      if (modulusLength < MIN_RSA_BITS) {
        return fail(`the private key of the client has ${modulusLength} bits, fewer than ${MIN_RSA_BITS}`)
      }
      return { name: 'RSA', algorithms: RSA }
    case 'ed25519':
      return { name: 'Ed25519', algorithms: ['EdDSA', 'Ed25519'] }
    case 'ec': {
      const alg = CURVES.get(namedCurve)
      return { name: `the curve ${namedCurve}`, algorithms: alg === undefined ? [] : [alg] }
    }
    default:
      return { name: `${key.asymmetricKeyType}`, algorithms: [] }
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function fail(message: string): never {
  throw new ConfigError([{ path: '', message }])
}
