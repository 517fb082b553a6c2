/** What the callers of the gateway come with: personal tokens, those of a virtual account, and JWTs of two identity providers. */
import type { Identity } from 'sallyport'
import type { Token } from './ask.ts'
import { APP_CLIENT, ORDERS_API, TOOLS_API } from './provider-clients.ts'
import type { Demo } from './servers.ts'
import { signIn } from './sign-in.ts'

/** The tokens by what they are. */
export type GatewayTokens = Awaited<ReturnType<typeof getGatewayTokens>>

/** Gets JWTs from the providers, and has API keys made by the first gateway; the others have the same database. */
export async function getGatewayTokens({ corp, branch, targets: [first] }: Demo) {
  if (first === undefined) throw new RangeError('no servers')
  const { keys } = first.gateway
  const jwtOf = async (issuer: string, person: string, resource = TOOLS_API) =>
    (await signIn(issuer, APP_CLIENT, person, resource)).access_token
  const alice = await jwtOf(corp.issuer, 'alice')
  const identity = await first.gateway.identify(`Bearer ${alice}`)
  if (identity === null) throw new Error('the gateway does not know alice by her own token')
  const personal = await keys.create(identity, { name: 'laptop', ttlSeconds: 24 * 3600 })
  const nightly = await keys.create({ virtualAccount: 'nightly' }, { name: 'production' })
  return {
    /** Whom alice's tokens speak of. */
    aliceIdentity: identity satisfies Identity,
    /** alice@example.com in the groups staff and dev-backend. */
    alice: { name: 'alice, JWT', jwt: alice },
    alicePersonal: { name: 'alice, personal token', jwt: personal.key },
    /** bob@example.com in the group staff. */
    bob: { name: 'bob, JWT', jwt: await jwtOf(corp.issuer, 'bob') },
    /** A virtual account. */
    nightly: { name: 'nightly', jwt: nightly.key },
    /** Customers: of acme, which is an external identity, and of another company. */
    carol: { name: 'carol of acme, JWT', jwt: await jwtOf(branch.issuer, 'carol') },
    dave: { name: 'dave of initech, JWT', jwt: await jwtOf(branch.issuer, 'dave') },
    otherAudience: { name: 'alice, JWT for another service', jwt: await jwtOf(corp.issuer, 'alice', ORDERS_API) },
    mistyped: {
      name: 'personal token, mistyped',
      jwt: `${personal.key.slice(0, -1)}${personal.key.endsWith('x') ? 'y' : 'x'}`,
    },
  } satisfies Record<string, Token | Identity>
}
