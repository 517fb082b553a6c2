/** Granted tokens of an authorization server that somebody else wrote: `oidc-provider`. */
import { createRemoteJWKSet, decodeProtectedHeader, exportJWK, exportPKCS8, generateKeyPair, jwtVerify } from 'jose'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { CredentialResult } from '../../src/broker/credential.ts'
import { createCredentials } from '../../src/broker/credentials.ts'
import type { ClientCredentialsUpstreamAuth } from '../../src/broker/granted/auth.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { API, startLoginProvider } from '../support/login-provider.ts'

const SECRET = 'a-secret/of+the gateway:0123456789'
const anybody: Caller = {
  kind: 'anonymous',
  via: 'none',
  externalIdentities: [],
  identity: { id: 'anonymous', integration: 'anonymous', subject: 'anonymous', groups: [], claims: {} },
}

async function openProvider(client: object) {
  const provider = await startLoginProvider({
    clients: [
      {
        client_id: 'gateway',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        ...client,
      },
    ],
    adjust: (configuration) => ({
      ...configuration,
      features: { ...configuration.features, clientCredentials: { enabled: true } },
      ttl: { ...configuration.ttl, ClientCredentials: () => 300 },
    }),
  })
  onTestFinished(() => provider.close())
  return provider
}

async function resolve(auth: ClientCredentialsUpstreamAuth): Promise<CredentialResult> {
  const credentials = createCredentials({
    servers: [{ id: 'core/orders', url: API, auth }],
    broker: { tokens: () => ({ kind: 'none' }), connectUrl: async () => '' },
  })
  await credentials.ready()
  return credentials.resolve({ caller: anybody, principals: [], server: 'core/orders', headers: {} })
}

async function verified(issuer: string, result: CredentialResult) {
  if (result.kind !== 'credential') throw new Error(JSON.stringify(result))
  const token = result.headers.authorization?.replace('Bearer ', '') ?? ''
  expect(decodeProtectedHeader(token).typ).toBe('at+jwt')
  return (await jwtVerify(token, createRemoteJWKSet(new URL(`${issuer}/jwks`)), { issuer, audience: API })).payload
}

describe('client credentials with oidc-provider', () => {
  it.each([
    ['client_secret_basic', 'client_secret_basic'],
    ['client_secret_post', 'client_secret_post'],
  ] as const)('by %s', async (clientAuthentication, method) => {
    const { issuer } = await openProvider({ client_secret: SECRET, token_endpoint_auth_method: method })
    const own = { type: 'client_credentials', issuer, clientId: 'gateway', clientSecret: SECRET } as const
    const found = await resolve({ ...own, clientAuthentication, scopes: ['orders:read'] })
    expect(await verified(issuer, found)).toMatchObject({ client_id: 'gateway', scope: 'orders:read' })
    expect(await resolve({ ...own, clientAuthentication, scopes: [], clientSecret: 'another' })).toMatchObject({
      kind: 'misconfigured',
      detail: expect.stringMatching(/invalid_client/),
    })
  })

  it('by private_key_jwt', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const { issuer } = await openProvider({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...(await exportJWK(publicKey)), use: 'sig', alg: 'ES256' }] },
    })
    const pem = await exportPKCS8(privateKey)
    const own = { type: 'client_credentials', issuer, clientId: 'gateway', privateKey: pem } as const
    expect(await verified(issuer, await resolve({ ...own, scopes: [] }))).toMatchObject({ client_id: 'gateway' })
  })
})
