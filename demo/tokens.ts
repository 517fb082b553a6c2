/** The tokens that the walk and the `curl` lines use: real ones of the provider, and some that somebody tampered with. */
import type { Token } from './ask.ts'
import { APP_CLIENT, BILLING_API, JOB_CLIENT, KIOSK_CLIENT, ORDERS_API } from './provider-clients.ts'
import { serviceToken, signIn } from './sign-in.ts'

/** The tokens by what they are. */
export type DemoTokens = Awaited<ReturnType<typeof getTokens>>

/** Gets them from the provider at `issuer`. */
export async function getTokens(issuer: string) {
  const alice = await signIn(issuer, APP_CLIENT, 'alice', ORDERS_API)
  const billing = await signIn(issuer, APP_CLIENT, 'alice', BILLING_API)
  const bob = await signIn(issuer, APP_CLIENT, 'bob', ORDERS_API)
  const mallory = await signIn(issuer, APP_CLIENT, 'mallory', ORDERS_API)
  const [header = '', , signature = ''] = alice.access_token.split('.')
  const [, malloryPayload = ''] = mallory.access_token.split('.')
  return {
    /** alice@example.com in the groups staff and dev-backend. */
    alice: { name: 'alice', jwt: alice.access_token },
    aliceId: { name: 'alice, ID token', jwt: alice.id_token },
    /** For another service. */
    otherAudience: { name: 'alice, other audience', jwt: billing.access_token },
    /** bob@example.com, in no group that the rules name. */
    bob: { name: 'bob', jwt: bob.access_token },
    /** mallory@example.com.evil.test in the group dev-backend. */
    mallory: { name: 'mallory', jwt: mallory.access_token },
    /** Has neither e-mail nor groups. */
    job: { name: 'nightly-job', jwt: await serviceToken(issuer, JOB_CLIENT, ORDERS_API) },
    tampered: { name: 'tampered', jwt: `${header}.${malloryPayload}.${signature}` },
    unsigned: { name: 'unsigned', jwt: `${encode({ alg: 'none', typ: 'at+jwt' })}.${malloryPayload}.` },
    garbage: { name: 'garbage', jwt: 'letmein' },
  } satisfies Record<string, Token>
}

/** A token that has expired five seconds later. */
export async function getShortToken(issuer: string): Promise<Token> {
  return { name: 'short-lived', jwt: (await signIn(issuer, KIOSK_CLIENT, 'alice', ORDERS_API)).access_token }
}

/** When a token expires, in milliseconds since 1970. */
export function expiryOf({ jwt }: Token): number {
  const payload = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as { exp: number }
  return payload.exp * 1000
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
