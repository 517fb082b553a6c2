/** What every process of the suite knows: the identity provider, its keys, and the one request they all serve. */
import type { GuardConfig } from 'sallyport'
import type { SigningKey } from '../lib/tokens.ts'

export interface Context {
  readonly issuer: string
  readonly jwksUri: string
  readonly rs256: SigningKey
  /** For the figures that need very many tokens: signs thirty times faster. */
  readonly es256: SigningKey
  readonly quick: boolean
}

export const AUDIENCE = 'bench'

/** The path that every server serves. */
export const TARGET = '/orders/42'

/** One route, one integration: what the peers can do too. */
export function guardConfig({ issuer, jwksUri }: Context): GuardConfig {
  return {
    integrations: { idp: { issuer, jwksUri, audience: AUDIENCE } },
    routes: [{ path: '/', auth: { type: 'jwt', integration: 'idp' } }],
  }
}

/** Names and values as a client would send them: eight headers with the token. */
export function requestHeaders(token: string): readonly (readonly [string, string])[] {
  return [
    ['Host', 'orders.example.com'],
    ['User-Agent', 'sallyport-bench/1.0'],
    ['Accept', 'application/json'],
    ['Accept-Encoding', 'gzip, deflate, br'],
    ['Accept-Language', 'en-GB,en;q=0.9'],
    ['X-Request-Id', '0f9c2a4e-7d1b-4c59-9d55-2a1f7d0c8e11'],
    ['Connection', 'keep-alive'],
    ['Authorization', `Bearer ${token}`],
  ]
}
