import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { challenge } from '../../src/http/challenge.ts'
import { createApiKeys } from '../../src/identity/api-keys.ts'
import type { Caller } from '../../src/identity/caller.ts'
import type { CallerProblem } from '../../src/identity/caller-problem.ts'
import { type CallerSettings, createCallers } from '../../src/identity/callers.ts'
import { createExternalIdentities, type ExternalIdentity } from '../../src/identity/external-identities.ts'
import { identityId } from '../../src/identity/identity.ts'
import type { Integration } from '../../src/identity/integration.ts'
import { createIntegrations } from '../../src/identity/integrations.ts'
import type { KeyEvent } from '../../src/identity/key-event.ts'
import { digestOfKey, makeKey } from '../../src/identity/key-format.ts'
import { createPeople, type Person } from '../../src/identity/people.ts'
import type { VirtualAccountConfig } from '../../src/identity/virtual-account.ts'
import { createVirtualAccounts } from '../../src/identity/virtual-accounts.ts'
import { mayShareIssuer } from '../../src/jwt/registered-claims.ts'
import { createSignatureCache } from '../../src/jwt/signature-cache.ts'
import { createTokenVerifier } from '../../src/jwt/token-verifier.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import {
  createKey,
  createTestClock,
  failing,
  forge,
  type ProviderServer,
  type SigningKey,
  signToken,
  startProvider,
} from '../support/keys.ts'

const DAY = 24 * 3600

let key: SigningKey
let otherKey: SigningKey
let provider: ProviderServer
let other: ProviderServer

beforeAll(async () => {
  key = await createKey('ES256', 'key-1')
  otherKey = await createKey('ES256', 'key-2')
  provider = await startProvider(key)
  other = await startProvider(otherKey)
})
beforeEach(() => {
  provider.answer = undefined
})
afterAll(async () => {
  await provider.close()
  await other.close()
})

interface Options {
  readonly integrations?: Record<string, Integration>
  readonly externalIdentities?: Record<string, ExternalIdentity>
  readonly accounts?: Record<string, VirtualAccountConfig>
  readonly store?: TokenStore
  readonly settings?: Partial<CallerSettings>
  readonly cacheMs?: number
}

function setUp(options: Options = {}) {
  const clock = createTestClock()
  const store = options.store ?? memoryStore({ clock })
  const { cacheMs = 5_000 } = options
  const configured = options.integrations ?? {
    corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'gateway' },
    customer: { issuer: other.url, jwksUri: other.jwksUri, audience: 'gateway', groupsClaim: 'roles' },
  }
  const integrations = createIntegrations(
    configured,
    (url, init) => fetch(url, init),
    clock,
    () => {},
  )
  onTestFinished(() => {
    for (const { keySet } of integrations.values()) keySet.close()
  })
  const verify = createTokenVerifier(createSignatureCache({ maxEntries: 100, maxBytes: 1e6 }), clock)
  const events: KeyEvent[] = []
  const on = (event: KeyEvent) => void events.push(event)
  const keys = createApiKeys({ store, clock, cacheMs })
  const accounts = { store, clock, keys, configured: options.accounts ?? {}, integrations: ['corp'], cacheMs }
  const virtualAccounts = createVirtualAccounts({ ...accounts, disconnect: async () => {} })
  const people = createPeople(store, clock, cacheMs)
  const callers = createCallers({
    keys,
    virtualAccounts,
    people,
    externalIdentities: createExternalIdentities(options.externalIdentities ?? {}),
    configured,
    integrations,
    verify,
    clock,
    on,
    ...options.settings,
  })
  const alice: Person = {
    id: identityId(provider.url, 'alice'),
    integration: 'corp',
    subject: 'alice',
    issuer: provider.url,
    groups: ['staff'],
    email: 'alice@example.com',
    seenAt: clock.now(),
  }
  /** A personal token of Alice, who has just signed in. */
  async function personalToken(person: Partial<Person> | null = {}): Promise<string> {
    if (person !== null) await people.write({ ...alice, ...person })
    return (await keys.create({ owner: { kind: 'person', id: alice.id }, name: 'laptop' })).key
  }
  async function accountToken(name: string): Promise<string> {
    const account = await virtualAccounts.get(name)
    if (account === undefined) throw new Error(`no ${name}`)
    return (await keys.create({ owner: account.owner, name: 'nightly' })).key
  }
  const claims = (more: object = {}) => ({
    iss: provider.url,
    aud: 'gateway',
    sub: 'alice',
    exp: clock.now() / 1000 + 300,
    ...more,
  })
  const jwt = (more: object = {}, by = key) => signToken(by, claims(more))
  const bearer = (token: string) => callers.authenticate(`Bearer ${token}`)
  return {
    callers,
    clock,
    store,
    keys,
    virtualAccounts,
    people,
    alice,
    events,
    personalToken,
    accountToken,
    jwt,
    bearer,
  }
}

/** A caller, since it is one. */
function caller(found: Caller | CallerProblem): Caller {
  if (found.kind === 'unauthenticated' || found.kind === 'unavailable')
    throw new Error(`${found.reason}: ${found.detail}`)
  return found
}

/** Why it is none. */
function reason(found: Caller | CallerProblem): string {
  if (found.kind === 'unauthenticated' || found.kind === 'unavailable') return `${found.kind}: ${found.reason}`
  return found.kind
}

describe('no credentials', () => {
  it('are those of the anonymous caller', async () => {
    const { callers } = setUp()
    const found = caller(await callers.authenticate(undefined))
    expect(found).toMatchObject({ kind: 'anonymous', via: 'none', externalIdentities: [] })
    expect(found.identity).toMatchObject({ subject: 'anonymous', integration: 'anonymous', groups: [], claims: {} })
    expect(Object.isFrozen(found.identity)).toBe(true)
  })

  it.each(['Basic YWxpY2U6cHc=', 'DPoP abc', '', ' ', 'spp_x', 'Bearertoken'])(
    'are not what %j is: it is refused, without error in the challenge (RFC 6750 §3.1)',
    async (authorization) => {
      expect(await setUp().callers.authenticate(authorization)).toMatchObject({
        kind: 'unauthenticated',
        reason: 'scheme',
        error: null,
      })
    },
  )

  it.each(['Bearer', 'Bearer ', 'bearer   '])('are not what %j is: a token is missing', async (authorization) => {
    const found = await setUp().callers.authenticate(authorization)
    expect(found).toMatchObject({ kind: 'unauthenticated', reason: 'malformed', error: 'invalid_token' })
  })
})

describe('G1 a personal token', () => {
  it('stands for its owner, with the groups of the last sign-in', async () => {
    const { personalToken, bearer, alice, keys } = setUp()
    const token = await personalToken()
    const [{ id = '' } = {}] = await keys.list({ kind: 'person', id: alice.id })
    expect(await bearer(token)).toEqual({
      kind: 'person',
      via: 'personal_token',
      keyId: id,
      identity: {
        id: alice.id,
        integration: 'corp',
        subject: 'alice',
        groups: ['staff'],
        email: 'alice@example.com',
        claims: {},
      },
      externalIdentities: [],
    })
  })

  it('has no e-mail where nobody has verified one', async () => {
    const { personalToken, bearer, people, alice } = setUp()
    const token = await personalToken(null)
    const { email: _, ...without } = alice
    await people.write(without)
    expect(caller(await bearer(token)).identity).not.toHaveProperty('email')
  })

  it('has the new groups as soon as its owner has signed in again', async () => {
    const { personalToken, bearer, people, alice, clock } = setUp()
    const token = await personalToken()
    expect(caller(await bearer(token)).identity.groups).toEqual(['staff'])
    clock.advance(1)
    await people.write({ ...alice, groups: ['admin'], seenAt: clock.now() })
    expect(caller(await bearer(token)).identity.groups).toEqual(['admin'])
  })

  it('is the same caller for every request, as long as nothing has changed', async () => {
    const { personalToken, bearer } = setUp()
    const token = await personalToken()
    const first = await bearer(token)
    expect(await bearer(token)).toBe(first)
    expect(Object.isFrozen(first)).toBe(true)
    expect(Object.isFrozen(caller(first).identity.groups)).toBe(true)
  })

  it('of somebody who has never signed in is refused, with what to do', async () => {
    const { personalToken, bearer } = setUp()
    expect(await bearer(await personalToken(null))).toMatchObject({
      kind: 'unauthenticated',
      reason: 'person_unknown',
      error: 'invalid_token',
      description: 'The owner of this personal token is not known here: sign in once with a browser, and it works',
    })
  })

  it('of somebody who has not signed in for 30 days is refused, with what to do, until they have', async () => {
    const { personalToken, bearer, clock, people, alice } = setUp()
    const token = await personalToken()
    clock.advance(30 * DAY)
    expect(reason(await bearer(token))).toBe('person')
    clock.advance(1)
    const found = await bearer(token)
    expect(found).toMatchObject({ kind: 'unauthenticated', reason: 'person_stale', error: 'invalid_token' })
    expect(found).toMatchObject({
      description: 'The owner of this personal token has not signed in for too long: sign in again, and it works again',
      detail: 'the last sign-in was 2592001 s ago, at most 2592000 s are allowed',
    })
    await people.write({ ...alice, seenAt: clock.now() })
    expect(reason(await bearer(token))).toBe('person')
  })

  it('is refused after another time, where that is configured', async () => {
    const { personalToken, bearer, clock } = setUp({ settings: { maxPersonAgeSeconds: 60 } })
    const token = await personalToken()
    clock.advance(61)
    expect(reason(await bearer(token))).toBe('unauthenticated: person_stale')
  })

  it('is refused where the last sign-in is as far ahead of its time: a clock that was wrong keeps nobody in', async () => {
    const { personalToken, bearer, alice } = setUp({ cacheMs: 0 })
    const token = await personalToken({ seenAt: alice.seenAt + 3_600_000 })
    expect(reason(await bearer(token))).toBe('person')
    const far = await personalToken({ seenAt: alice.seenAt + (30 * DAY + 1) * 1000 })
    expect(await bearer(far)).toMatchObject({
      reason: 'person_stale',
      detail: 'the last sign-in was 2592001 s ahead, at most 2592000 s are allowed',
    })
  })

  it.each<[string, Partial<Person>]>([
    ['is gone', { integration: 'gone' }],
    ['is another provider now', { issuer: 'https://old.example.com/' }],
    ['was never there', { integration: 'constructor' }],
  ])('of somebody whose integration %s is refused', async (_, person) => {
    const { personalToken, bearer } = setUp()
    expect(reason(await bearer(await personalToken(person)))).toBe('unauthenticated: person_unknown')
  })

  it.each<[string, string[], string]>([
    ['is let in', ['acme'], 'person'],
    ['is let in no more', ['beam'], 'unauthenticated: person_unknown'],
  ])('of somebody whose tenant %s', async (_, tenants, expected) => {
    const corp = { issuer: `${provider.url}/{tenantid}/`, tenants, jwksUri: provider.jwksUri, audience: 'gateway' }
    const { personalToken, bearer, people, alice } = setUp({ integrations: { corp }, cacheMs: 0 })
    const token = await personalToken({ issuer: `${provider.url}/acme/` })
    expect(reason(await bearer(token))).toBe(expected)
    // What does not say which tenant it is of.
    await people.write({ ...alice, issuer: corp.issuer })
    expect(reason(await bearer(token))).toBe('unauthenticated: person_unknown')
  })

  it('that is revoked, expired, mistyped or made up is refused, and each says so', async () => {
    const { personalToken, bearer, keys, alice, clock } = setUp()
    const token = await personalToken()
    const owner = { kind: 'person', id: alice.id } as const
    const short = await keys.create({ owner, name: 'short', ttlSeconds: 60 })
    const laptop = (await keys.list(owner)).find(({ name }) => name === 'laptop')
    expect(reason(await bearer(token))).toBe('person')
    await keys.revoke(owner, laptop?.id ?? '')
    clock.advance(60)
    const expected = [
      [token, 'unknown_token', 'The API key has been revoked, or there never was one'],
      [makeKey('person'), 'unknown_token', 'The API key has been revoked, or there never was one'],
      [short.key, 'expired', 'The API key has expired: make a new one'],
      [token.slice(0, -1), 'malformed', 'The API key is mistyped or cut off'],
      ['spp_', 'malformed', 'The API key is mistyped or cut off'],
    ] as const
    for (const [text, why, description] of expected) {
      const found = await bearer(text)
      expect(found).toMatchObject({ kind: 'unauthenticated', via: 'personal_token', reason: why, description })
      expect(found).toMatchObject({ error: 'invalid_token', keyId: why === 'expired' ? short.id : null })
      // RFC 6750 §3: it can stand in a challenge as it is.
      expect(challenge('Bearer', { error_description: description })).toContain(`"${description}"`)
    }
  })

  it('does not become another kind of key by another prefix', async () => {
    const { personalToken, bearer, store, keys } = setUp()
    const token = await personalToken()
    const disguised = makeKey('virtual-account')
    // Somebody who writes to the store puts the person's record under the digest of an account's key.
    const found = await store.get({ space: 'api-keys', owner: digestOfKey(token), id: 'key' })
    const place = { space: 'api-keys', owner: digestOfKey(disguised), id: 'key' }
    await store.put(place, found?.value ?? new Uint8Array(), { ifVersion: null })
    expect((await keys.verify(disguised)).kind).toBe('unknown')
    expect(reason(await bearer(disguised))).toBe('unauthenticated: unknown_token')
  })
})

describe('G1 a directory of the user’s own', () => {
  const entry = { integration: 'corp', subject: 'alice', groups: ['now'] }

  it('says who the owner of a personal token is now, also of those who have never signed in', async () => {
    const asked: unknown[] = []
    const { personalToken, bearer, alice, clock } = setUp({
      settings: {
        directory(...asking) {
          asked.push(asking)
          return { ...entry, email: 'a@example.com' }
        },
      },
    })
    const token = await personalToken()
    clock.advance(365 * DAY)
    expect(caller(await bearer(token)).identity).toEqual({ id: alice.id, ...entry, email: 'a@example.com', claims: {} })
    expect(await bearer(token)).toBe(await bearer(token))
    expect(asked).toEqual([[alice.id, alice]])

    const unknown = setUp({ settings: { directory: async () => entry } })
    expect(caller(await unknown.bearer(await unknown.personalToken(null))).identity.groups).toEqual(['now'])
  })

  it.each<[string, CallerSettings['directory']]>([
    ['somebody it does not know', () => undefined],
    ['somebody for whom it has null, as many look-ups do', async () => null],
    ['somebody of no integration of ours', () => ({ ...entry, integration: 'gone' })],
  ])('keeps out %s', async (_, directory) => {
    const { personalToken, bearer } = setUp({ settings: directory === undefined ? {} : { directory } })
    expect(reason(await bearer(await personalToken()))).toBe('unauthenticated: person_unknown')
  })

  it.each<[string, unknown]>([
    [
      'throws',
      () => {
        throw new Error('LDAP is away')
      },
    ],
    ['rejects', () => Promise.reject(new Error('LDAP is away'))],
    ['answers nonsense', () => ({ ...entry, groups: 'staff' })],
    ['answers with groups that are none', () => ({ ...entry, groups: [7] })],
    ['knows no subject', () => ({ ...entry, subject: '' })],
    ['has a strange e-mail', () => ({ ...entry, email: 7 })],
  ])('is an outage when it %s', async (_, directory) => {
    const { personalToken, bearer } = setUp({ settings: { directory: directory as () => undefined } })
    const found = await bearer(await personalToken())
    expect(found).toMatchObject({ kind: 'unavailable', reason: 'directory_unavailable', retryAfterMs: 1_000 })
  })

  it('is an outage when it never answers', async () => {
    const { personalToken, bearer } = setUp({ settings: { directory: () => new Promise(() => {}) } })
    const token = await personalToken()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const found = bearer(token)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(reason(await found)).toBe('unavailable: directory_unavailable')
  })
})

describe('G2 a virtual account’s token', () => {
  it('stands for the account', async () => {
    const { accountToken, bearer } = setUp({ accounts: { ci: { groups: ['agents'] } } })
    const token = await accountToken('ci')
    const found = caller(await bearer(token))
    expect(found).toEqual({
      kind: 'virtual-account',
      via: 'virtual_account_token',
      keyId: expect.any(String),
      identity: {
        id: identityId('virtual-account', 'ci'),
        integration: 'virtual-account',
        subject: 'ci',
        groups: ['agents'],
        claims: {},
      },
      externalIdentities: [],
    })
    expect(await bearer(token)).toBe(found)
  })

  it('is worthless as soon as the account is deleted, and stays so when one of its name is made', async () => {
    const { accountToken, bearer, virtualAccounts } = setUp()
    await virtualAccounts.create('ci')
    const token = await accountToken('ci')
    expect(reason(await bearer(token))).toBe('virtual-account')
    await virtualAccounts.delete('ci')
    expect(reason(await bearer(token))).toBe('unauthenticated: unknown_token')
    await virtualAccounts.create('ci')
    expect(reason(await bearer(token))).toBe('unauthenticated: unknown_token')
  })

  it('that is still there does nothing for an account made anew under the name', async () => {
    const { bearer, virtualAccounts, keys } = setUp()
    const { owner } = await virtualAccounts.create('ci')
    await virtualAccounts.delete('ci')
    const { key: late } = await keys.create({ owner, name: 'late' })
    await virtualAccounts.create('ci')
    expect(reason(await bearer(late))).toBe('unauthenticated: account_deleted')
  })

  it('is refused where the account is gone and its key is not, yet', async () => {
    const { accountToken, bearer, virtualAccounts, events } = setUp({ accounts: { ci: {} } })
    const token = await accountToken('ci')
    virtualAccounts.reconfigure({}, [])
    expect(await bearer(token)).toMatchObject({
      kind: 'unauthenticated',
      reason: 'account_deleted',
      error: 'invalid_token',
      description: 'The virtual account of this token has been deleted',
    })
    expect(events.at(-1)).toMatchObject({ kind: 'refused', reason: 'account_deleted', virtualAccount: 'ci' })
  })
})

describe('G3 a JWT of an integration', () => {
  it('stands for the person that its claims speak of', async () => {
    const { jwt, bearer, alice } = setUp()
    const token = await jwt({ groups: ['staff', 'admin'], email: 'alice@example.com', email_verified: true })
    const found = caller(await bearer(token))
    expect(found).toMatchObject({ kind: 'person', via: 'jwt', externalIdentities: [], jwt: token })
    expect(found).not.toHaveProperty('keyId')
    const { claims, ...identity } = found.identity
    const { id, email } = alice
    expect(identity).toEqual({ id, integration: 'corp', subject: 'alice', groups: ['staff', 'admin'], email })
    expect(claims).toMatchObject({ iss: provider.url, sub: 'alice' })
    expect(Object.isFrozen(found.identity.groups) && Object.isFrozen(claims)).toBe(true)
  })

  it('is the same caller for every request', async () => {
    const { jwt, bearer } = setUp()
    const token = await jwt()
    const found = await bearer(token)
    expect(await bearer(token)).toBe(found)
    expect(await bearer(await jwt({ jti: '2' }))).not.toBe(found)
  })

  it('is of the integration that it was made by, whose subject and groups count', async () => {
    const { jwt, bearer } = setUp()
    const found = caller(await bearer(await jwt({ iss: other.url, roles: ['x'], groups: ['y'] }, otherKey)))
    expect(found.identity).toMatchObject({ integration: 'customer', groups: ['x'], id: identityId(other.url, 'alice') })
    expect(found.identity.id).not.toBe(identityId(provider.url, 'alice'))
  })

  it('matches all external identities whose rules it meets, and stays the same person', async () => {
    const { jwt, bearer, alice } = setUp({
      externalIdentities: {
        acme: { integration: 'corp', claims: { org: 'acme' } },
        agents: { integration: 'corp', claims: { org: '*', kind: 'agent' } },
        theirs: { integration: 'customer' },
      },
    })
    const found = async (claims: object) => caller(await bearer(await jwt(claims)))
    expect((await found({ org: 'acme', kind: 'agent' })).externalIdentities).toEqual(['acme', 'agents'])
    expect((await found({ org: 'acme' })).externalIdentities).toEqual(['acme'])
    expect((await found({})).externalIdentities).toEqual([])
    expect((await found({ org: 'acme' })).identity.id).toBe(alice.id)
    const token = await jwt({ org: 'acme' })
    expect(await bearer(token)).toBe(await bearer(token))
  })

  it('matches the external identities of another integration whose keys are renewed at other times, but not of other keys', async () => {
    const one: Integration = { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'gateway' }
    const found = async (two: Integration) => {
      const { jwt, bearer } = setUp({
        integrations: { corp: one, two },
        externalIdentities: { a: { integration: 'two' } },
      })
      return caller(await bearer(await jwt())).externalIdentities
    }
    expect(await found({ ...one, keys: { maxAgeSeconds: 300 } })).toEqual(['a'])
    expect(await found({ ...one, jwksUri: other.jwksUri })).toEqual([])
  })

  it('that two integrations of one provider accept matches the external identities of both, and is one person', async () => {
    const one: Integration = { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'gateway' }
    const { jwt, bearer, alice, clock } = setUp({
      integrations: { corp: one, agents: { ...one, audience: 'agents', clockToleranceSeconds: 0 } },
      externalIdentities: { a: { integration: 'agents' }, c: { integration: 'corp' } },
    })
    const both = await jwt({ aud: ['gateway', 'agents'] })
    const found = caller(await bearer(both))
    expect(found).toMatchObject({ externalIdentities: ['c', 'a'], identity: { id: alice.id, integration: 'corp' } })
    expect(await bearer(both)).toBe(found)
    expect(caller(await bearer(await jwt())).externalIdentities).toEqual(['c'])
    const agent = caller(await bearer(await jwt({ aud: 'agents' })))
    expect(agent).toMatchObject({ externalIdentities: ['a'], identity: { id: alice.id, integration: 'agents' } })
    // The other one's idea of time counts for the other one.
    clock.advance(302)
    expect(caller(await bearer(both)).externalIdentities).toEqual(['c'])
  })

  it('is of whichever integration accepts it now', async () => {
    const one: Integration = { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'gateway' }
    const { jwt, bearer, clock } = setUp({
      integrations: { corp: { ...one, clockToleranceSeconds: 0 }, lax: one },
    })
    const token = await jwt({ nbf: clock.now() / 1000 + 3 })
    expect(caller(await bearer(token)).identity.integration).toBe('lax')
    clock.advance(3)
    expect(caller(await bearer(token)).identity.integration).toBe('corp')
  })

  it.each([undefined, false, 'false', 1, 'yes'])('has no e-mail with email_verified: %j', async (verified) => {
    const { jwt, bearer } = setUp()
    const found = caller(await bearer(await jwt({ email: 'alice@example.com', email_verified: verified })))
    expect(found.identity).not.toHaveProperty('email')
  })

  it('is accepted from some integrations only, where that is configured', async () => {
    const { jwt, bearer, personalToken } = setUp({ settings: { accepted: ['customer'] } })
    expect(reason(await bearer(await jwt()))).toBe('unauthenticated: issuer')
    expect(reason(await bearer(await jwt({ iss: other.url }, otherKey)))).toBe('person')
    // People of the others can still have keys: they sign in with a browser.
    expect(reason(await bearer(await personalToken()))).toBe('person')
  })

  it.each<[string, object | string, string]>([
    ['has expired', { exp: 1_700_000_000 }, 'expired'],
    ['is for others', { aud: 'orders' }, 'audience'],
    ['is of somebody else', { iss: 'https://evil.test/' }, 'issuer'],
    ['is not good yet', { nbf: 1_900_000_000 }, 'not_yet_valid'],
    ['names nobody', { sub: undefined }, 'no_subject'],
    ['is none', 'abc', 'malformed'],
    ['is one by nobody', forge({ alg: 'none' }, { sub: 'alice' }, ''), 'issuer'],
  ])('that %s is refused, and the answer does not say why', async (_, claims, why) => {
    const { jwt, bearer } = setUp()
    const found = await bearer(typeof claims === 'string' ? claims : await jwt(claims))
    expect(found).toMatchObject({
      kind: 'unauthenticated',
      via: 'jwt',
      reason: why,
      error: 'invalid_token',
      description: 'The token is malformed, expired, revoked, or not meant for this service',
    })
  })

  it('is refused when it has expired, although it was good before', async () => {
    const { jwt, bearer, clock } = setUp()
    const token = await jwt()
    expect(reason(await bearer(token))).toBe('person')
    clock.advance(306)
    expect(reason(await bearer(token))).toBe('unauthenticated: expired')
  })

  it('that nobody has signed is refused', async () => {
    const { bearer, clock } = setUp()
    const claims = { iss: provider.url, aud: 'gateway', sub: 'alice', exp: clock.now() / 1000 + 300 }
    expect(reason(await bearer(forge({ alg: 'none' }, claims, '')))).toBe('unauthenticated: algorithm')
    expect(reason(await bearer(forge({ alg: 'ES256', kid: 'key-1' }, claims)))).toBe('unauthenticated: signature')
  })

  it('without integrations is refused', async () => {
    const { jwt, bearer } = setUp({ integrations: {} })
    expect(reason(await bearer(await jwt()))).toBe('unauthenticated: malformed')
  })
})

describe('B4 a JWT for the endpoint that is asked for (RFC 8707)', () => {
  const A = 'https://gw.test/mcp/dev/a/server'
  const B = 'https://gw.test/mcp/dev/b/server'

  /** What becomes of a token at one endpoint after another. */
  async function at(token: string, callers: ReturnType<typeof setUp>['callers'], resources: (string | undefined)[]) {
    const found: string[] = []
    for (const resource of resources) found.push(reason(await callers.authenticate(`Bearer ${token}`, resource)))
    return found
  }
  const refused = 'unauthenticated: audience'

  it('is good there and at no other, in whatever order, with its signature known and not', async () => {
    const { jwt, callers } = setUp()
    const forA = await jwt({ aud: A })
    expect(await at(forA, callers, [B, A, B, undefined, A, A])).toEqual([
      refused,
      'person',
      refused,
      refused,
      'person',
      'person',
    ])
    const both = await jwt({ aud: ['x', B, A] })
    expect(await at(both, callers, [A, B, `${A}/`, A.toUpperCase(), 'https://gw.test'])).toEqual([
      'person',
      'person',
      refused,
      refused,
      refused,
    ])
  })

  it('is the same caller for every request, and for a token of its configured audience at every endpoint', async () => {
    const { jwt, callers } = setUp()
    const forA = `Bearer ${await jwt({ aud: A })}`
    expect(await callers.authenticate(forA, A)).toBe(await callers.authenticate(forA, A))
    const forAll = `Bearer ${await jwt()}`
    expect(await callers.authenticate(forAll, A)).toBe(await callers.authenticate(forAll, B))
    expect(await callers.authenticate(forAll)).toBe(await callers.authenticate(forAll, B))
  })

  it('is not let in by somebody else’s request under way for another endpoint', async () => {
    const { jwt, callers } = setUp({
      integrations: { corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: [] } },
    })
    const token = await jwt({ aud: A })
    expect(await Promise.all([A, B, A, B].map(async (each) => (await at(token, callers, [each]))[0]))).toEqual([
      'person',
      refused,
      'person',
      refused,
    ])
  })

  it('is good at each of several identifiers of one thing', async () => {
    const { jwt, callers } = setUp()
    const token = `Bearer ${await jwt({ aud: B })}`
    expect(reason(await callers.authenticate(token, [A, B]))).toBe('person')
    expect(reason(await callers.authenticate(token, []))).toBe(refused)
    expect(reason(await callers.authenticate(token, ''))).toBe(refused)
  })

  it.each<[string, unknown]>([
    ['none', undefined],
    ['null', null],
    ['an object', { 0: A }],
    ['a nested list', [[A]]],
    ['an empty list', []],
    ['a list with its text in parts', A.split('/')],
    ['a part of it', 'https://gw.test/mcp/dev'],
  ])('needs an aud that names it: %s does not', async (_, aud) => {
    const { jwt, callers } = setUp()
    expect(await at(await jwt({ aud }), callers, [A])).toEqual([refused])
  })

  it('tells the operator what would have been accepted, and the caller nothing', async () => {
    const { jwt, callers } = setUp({ settings: { accepted: ['corp'] } })
    const found = await callers.authenticate(`Bearer ${await jwt({ aud: A })}`, B)
    expect(found).toMatchObject({ detail: `aud is "${A}", expected ["gateway","${B}"]` })
    expect(found).toMatchObject({ description: expect.not.stringContaining('gw.test') })
  })

  it('changes nothing where the audience is not checked', async () => {
    const { jwt, callers } = setUp({
      integrations: { corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: null } },
    })
    expect(await at(await jwt({ aud: A }), callers, [A, B, undefined])).toEqual(['person', 'person', 'person'])
  })

  it('changes nothing where the audience is in another claim, as at Cognito', async () => {
    const { jwt, callers } = setUp({
      integrations: {
        corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'client', audienceClaim: 'client_id' },
      },
    })
    expect(await at(await jwt({ aud: A, client_id: 'other' }), callers, [A])).toEqual([refused])
    expect(await at(await jwt({ aud: B, client_id: 'client' }), callers, [A])).toEqual(['person'])
  })

  it('is an access token: an ID token is for the client, whatever else its aud says', async () => {
    const { jwt, callers } = setUp({
      integrations: { corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'c', jwtSource: 'id_token' } },
    })
    expect(await at(await jwt({ aud: A }), callers, [A])).toEqual([refused])
  })

  it('is of nobody where the audience is what tells integrations of one provider apart', async () => {
    const one: Integration = { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'gateway' }
    const options = {
      integrations: { agents: { ...one, audience: 'agents' }, corp: one },
      externalIdentities: { agent: { integration: 'agents' } },
    }
    const { jwt, callers } = setUp(options)
    expect(await at(await jwt({ aud: A }), callers, [A])).toEqual([refused])
    const found = caller(await callers.authenticate(`Bearer ${await jwt({ aud: [A, 'gateway'] })}`, A))
    expect(found).toMatchObject({ identity: { integration: 'corp' }, externalIdentities: [] })
    // Where only one of them is accepted there is nothing to be told apart.
    const alone = setUp({ ...options, settings: { accepted: ['corp'] } })
    expect(await at(await alone.jwt({ aud: A }), alone.callers, [A, B])).toEqual(['person', refused])
  })

  it.each([
    ['{tenantid}', 'https://login.test/{tenantid}/v2.0', 'https://login.test/abc/v2.0', true],
    ['{tenantid}, both', 'https://login.test/{tenantid}/v2.0', 'https://login.test/{tenantid}/v2.0', true],
    ['{tenantid} of another', 'https://login.test/{tenantid}/v2.0', 'https://login.other/abc/v2.0', false],
    ['{tenantid} of another version', 'https://login.test/{tenantid}/v2.0', 'https://login.test/abc/v1.0', false],
    ['none', 'https://login.test/abc', 'https://login.test/abcd', false],
  ])('two issuers can be of one provider: %s', (_, one, two, expected) => {
    expect(mayShareIssuer(one, two)).toBe(expected)
    expect(mayShareIssuer(two, one)).toBe(expected)
  })

  it('has nothing to do with API keys, nor with requests without credentials', async () => {
    const { callers, personalToken } = setUp()
    expect(await at(await personalToken(), callers, [A, undefined])).toEqual(['person', 'person'])
    expect(reason(await callers.authenticate(undefined, A))).toBe('anonymous')
  })

  it('costs one signature check, however many endpoints it is tried at', async () => {
    const { jwt, clock } = setUp()
    const cache = createSignatureCache({ maxEntries: 10, maxBytes: 1e6 })
    const set = vi.spyOn(cache, 'set')
    const configured = { corp: { issuer: provider.url, jwksUri: provider.jwksUri, audience: 'gateway' } }
    const integrations = createIntegrations(
      configured,
      (url, init) => fetch(url, init),
      clock,
      () => {},
    )
    onTestFinished(() => {
      for (const { keySet } of integrations.values()) keySet.close()
    })
    const { callers } = setUp({
      integrations: configured,
      settings: { integrations, verify: createTokenVerifier(cache, clock) },
    })
    const token = await jwt({ aud: A })
    expect(await at(token, callers, [A, B, A, B, A])).toEqual(['person', refused, 'person', refused, 'person'])
    expect(set).toHaveBeenCalledTimes(1)
    expect(cache.size).toBe(1)
  })
})

describe('an outage', () => {
  it('of the identity provider is 503 for its JWTs, and for nobody else', async () => {
    provider.answer = failing.down
    const { jwt, bearer, personalToken } = setUp()
    const found = await bearer(await jwt())
    expect(found).toMatchObject({ kind: 'unavailable', via: 'jwt', reason: 'keys_unavailable' })
    expect(found).toMatchObject({ retryAfterMs: expect.any(Number) })
    expect(reason(await bearer(await jwt({ iss: other.url }, otherKey)))).toBe('person')
    expect(reason(await bearer(await personalToken()))).toBe('person')
  })

  it.each(['api-keys', 'people', 'virtual-accounts'])(
    'of the store is 503, at whatever it is asked: %s',
    async (space) => {
      const inner = memoryStore()
      let down = false
      const store: TokenStore = {
        ...inner,
        get: (at) => (down && at.space === space ? Promise.reject(new Error('no answer')) : inner.get(at)),
      }
      const { jwt, bearer, personalToken, accountToken, events } = setUp({ store, accounts: { ci: {} }, cacheMs: 0 })
      const tokens = [await personalToken(), await accountToken('ci')]
      down = true
      const found = await Promise.all(tokens.map(bearer))
      const [person, account] = found.map(reason)
      const outage = 'unavailable: store_unavailable'
      expect(person).toBe(space === 'virtual-accounts' ? 'person' : outage)
      expect(account).toBe(space === 'people' ? 'virtual-account' : outage)
      expect(events.filter(({ kind }) => kind === 'refused')).toEqual([])
      // A mistyped key, and a JWT, do not need it.
      expect(reason(await bearer('spp_x'))).toBe('unauthenticated: malformed')
      expect(reason(await bearer(await jwt()))).toBe('person')
      down = false
      expect((await Promise.all(tokens.map(bearer))).map(reason)).toEqual(['person', 'virtual-account'])
    },
  )

  it('of the store does not keep out those who were there a moment ago', async () => {
    const store = memoryStore()
    const { bearer, personalToken } = setUp({ store })
    const token = await personalToken()
    await bearer(token)
    await store.close()
    expect(reason(await bearer(token))).toBe('person')
  })

  it('is what a record is that cannot be read', async () => {
    const { bearer, personalToken, store } = setUp()
    const token = await personalToken()
    const place = { space: 'api-keys', owner: digestOfKey(token), id: 'key' }
    const found = await store.get(place)
    await store.put(place, Buffer.from('{"id":'), { ifVersion: found?.version ?? null })
    expect(reason(await bearer(token))).toBe('unavailable: store_unavailable')
  })
})

describe('G17 what is told of keys', () => {
  it('is who was let in with which, and who was not; never a key', async () => {
    const { bearer, personalToken, accountToken, events, alice, keys, clock } = setUp({ accounts: { ci: {} } })
    const personal = await personalToken()
    const [{ id: keyId } = {}] = await keys.list({ kind: 'person', id: alice.id })
    const service = await accountToken('ci')
    const unknown = makeKey('person')
    for (const token of [personal, service, unknown, 'spv_x']) await bearer(token)
    clock.advance(31 * DAY)
    await bearer(personal)
    const known = { via: 'personal_token', keyId, name: 'laptop', id: alice.id, virtualAccount: null }
    const nothing = { keyId: null, name: null, id: null, virtualAccount: null }
    expect(events).toMatchObject([
      { kind: 'used', ...known, reason: null, detail: null },
      { kind: 'used', via: 'virtual_account_token', name: 'nightly', id: identityId('virtual-account', 'ci') },
      { kind: 'refused', via: 'personal_token', ...nothing, reason: 'unknown_token' },
      { kind: 'refused', via: 'virtual_account_token', ...nothing, reason: 'malformed' },
      { kind: 'refused', ...known, reason: 'person_stale' },
    ])
    for (const token of [personal, service, unknown]) expect(JSON.stringify(events)).not.toContain(token.slice(4, 20))
  })

  it('is when a key was last used: not while it is refused', async () => {
    const { bearer, personalToken, keys, alice, people, clock } = setUp()
    const owner = { kind: 'person', id: alice.id } as const
    const token = await personalToken(null)
    await bearer(token)
    await keys.close()
    expect((await keys.list(owner))[0]).not.toHaveProperty('lastUsedAt')
    await people.write(alice)
    await bearer(token)
    await keys.close()
    expect(await keys.list(owner)).toMatchObject([{ lastUsedAt: clock.now() }])
  })
})
