/**
 * G22: one person is one identity, by browser session, JWT and personal token. With a real provider and a real guard, and
 * over whatever a provider could say of somebody.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createApiKeys } from '../../src/identity/api-keys.ts'
import type { Caller } from '../../src/identity/caller.ts'
import { createCallers } from '../../src/identity/callers.ts'
import { createExternalIdentities } from '../../src/identity/external-identities.ts'
import type { Integration } from '../../src/identity/integration.ts'
import { createIntegrations } from '../../src/identity/integrations.ts'
import { createPeople, type People } from '../../src/identity/people.ts'
import { createVirtualAccounts } from '../../src/identity/virtual-accounts.ts'
import { type GuardConfig, generateKey, sealed } from '../../src/index.ts'
import { createSignatureCache } from '../../src/jwt/signature-cache.ts'
import { createTokenVerifier } from '../../src/jwt/token-verifier.ts'
import { identityOf, writePerson } from '../../src/login/identity.ts'
import type { Provider } from '../../src/login/provider.ts'
import type { SessionTokens } from '../../src/login/session.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { request } from '../guard/harness.ts'
import { CLIENT_ID, openShop, type ShopOptions, visit } from '../login/setup.ts'
import { createKey, createTestClock, signToken, startProvider, type TestClock } from '../support/keys.ts'
import { API } from '../support/login-provider.ts'

/** The gateway's view of callers, over the same store and integrations as a guard. */
function gatewayOver(store: TokenStore, configured: Record<string, Integration>, clock: TestClock) {
  const keys = createApiKeys({ store, clock })
  const people: People = createPeople(store, clock)
  const integrations = createIntegrations(
    configured,
    (url, init) => fetch(url, init),
    clock,
    () => {},
  )
  const callers = createCallers({
    keys,
    people,
    virtualAccounts: createVirtualAccounts({
      store,
      clock,
      keys,
      disconnect: async () => {},
      configured: {},
      integrations: [],
    }),
    externalIdentities: createExternalIdentities({ staff: { integration: 'corp', claims: { groups: 'staff' } } }),
    configured,
    integrations,
    verify: createTokenVerifier(createSignatureCache({ maxEntries: 100, maxBytes: 1e6 }), clock),
    clock,
  })
  async function caller(token: string): Promise<Caller> {
    const found = await callers.authenticate(`Bearer ${token}`)
    if (found.kind === 'unauthenticated' || found.kind === 'unavailable')
      throw new Error(`${found.reason}: ${found.detail}`)
    return found
  }
  return { keys, people, integrations, caller }
}

describe('G22 one person', () => {
  const asIdToken = { jwtSource: 'id_token', audience: CLIENT_ID } as const
  it.each<[string, string, Partial<Integration>]>([
    ['by access tokens', 'alice', {}],
    ['without a verified e-mail', 'bob', {}],
    ['without groups', 'mallory', {}],
    ['by ID tokens', 'alice', asIdToken],
    ['by a subject of two claims', 'alice', { subjectClaim: ['sub', 'name'] }],
    ['by another claim', 'bob', { subjectClaim: 'name', groupsClaim: 'email' }],
  ])('who signs in at a real provider is one identity: %s', async (_, name, integration) => {
    const tokens: { access_token: string; id_token: string }[] = []
    const store = memoryStore()
    const key = generateKey()
    const config: Partial<GuardConfig> = {
      async fetch(url, init) {
        const response = await fetch(url, init)
        if (url.endsWith('/token')) tokens.push((await response.clone().json()) as (typeof tokens)[number])
        return response
      },
    }
    const options: ShopOptions = { login: { store, keys: [key] }, integration, config }
    const { browser, origin, guard, provider, clock } = await openShop(options)
    await visit(browser, `${origin}/`, name)
    const headers = { Cookie: browser.cookies('127.0.0.1').join('; ') }
    const session = await guard.identify(request({ host: new URL(origin).host, headers }))
    expect(session?.subject).toBeDefined()

    const corp: Integration = { issuer: provider.issuer, audience: API, ...integration }
    const { keys, caller } = gatewayOver(sealed(store, [key]), { corp }, clock)
    const jwt = await caller(tokens.at(-1)?.[integration.jwtSource === 'id_token' ? 'id_token' : 'access_token'] ?? '')
    const { key: personal } = await keys.create({ owner: { kind: 'person', id: session?.id ?? '' }, name: 'laptop' })
    const byKey = await caller(personal)
    for (const { identity } of [jwt, byKey]) {
      const { claims: _claims, ...same } = identity
      const { claims: __, ...expected } = session ?? { claims: {} }
      expect(same).toEqual(expected)
    }
    // An attribute of the token, and not another person.
    expect(jwt.externalIdentities).toEqual(name === 'mallory' ? [] : ['staff'])
    expect([jwt.via, byKey.via]).toEqual(['jwt', 'personal_token'])
  })

  it('who signs in at one tenant of several has a personal token as long as that tenant may come in', async () => {
    const clock = createTestClock()
    const store = memoryStore()
    const issuer = 'https://login.example.com/{tenantid}/'
    const corp = (...tenants: string[]): Integration => ({ issuer, tenants, audience: 'x' })
    const { keys, people, integrations, caller } = gatewayOver(store, { corp: corp('acme', 'beam') }, clock)
    const provider = { name: 'corp', integration: corp('acme', 'beam'), judged: integrations.get('corp') } as Provider
    const claims = { iss: 'https://login.example.com/acme/', tid: 'acme', sub: 'alice' }
    const tokens = { integration: 'corp', claims, startedAt: clock.now() } as unknown as SessionTokens
    const parts = { providers: new Map([['corp', provider]]) }
    await writePerson(people, tokens, parts)
    const owner = { kind: 'person', id: identityOf(tokens, parts)?.id ?? '' } as const
    const { key } = await keys.create({ owner, name: 'laptop' })
    expect((await caller(key)).identity).toMatchObject({ id: owner.id, subject: 'alice' })
    await expect(gatewayOver(store, { corp: corp('beam') }, clock).caller(key)).rejects.toThrow('person_unknown')
  })

  it('is one identity whatever the provider says of them, and two people are two', async () => {
    const signer = await createKey('ES256', 'key-1')
    const server = await startProvider(signer)
    const clock = createTestClock()
    const word = fc.oneof(
      fc.constantFrom('a', 'b', 'a:b', '["a","b"]', 'constructor'),
      fc.string({ unit: 'grapheme', minLength: 1 }),
    )
    const person = fc.record({ sub: word, tid: word, oid: word })
    const extra = fc.record(
      {
        groups: fc.oneof(fc.array(word), word, fc.constant(7)),
        email: word,
        email_verified: fc.constantFrom(true, false, 'true', 'false', 1),
        org: word,
      },
      { requiredKeys: [] },
    )
    const subjectClaim = fc.constantFrom<string | string[]>('sub', ['tid', 'oid'], ['oid', 'tid'], 'oid')
    try {
      await fc.assert(
        fc.asyncProperty(person, person, extra, extra, subjectClaim, async (one, two, first, second, subject) => {
          const corp: Integration = {
            issuer: server.url,
            jwksUri: server.jwksUri,
            audience: 'x',
            subjectClaim: subject,
          }
          const { keys, people, integrations, caller } = gatewayOver(memoryStore(), { corp }, clock)
          const live = integrations.get('corp')
          const providers = new Map([['corp', { name: 'corp', integration: corp, judged: live } as Provider]])
          /** The ids by session, JWT and personal token of somebody whom the provider says this of. */
          const ids = async (claims: object): Promise<string[]> => {
            const full = { iss: server.url, aud: 'x', exp: clock.now() / 1000 + 60, ...claims }
            const tokens = { integration: 'corp', claims: full, startedAt: clock.now() } as unknown as SessionTokens
            const session = identityOf(tokens, { providers })
            await writePerson(people, tokens, { providers })
            const owner = { kind: 'person', id: session?.id ?? '' } as const
            const jwt = await caller(await signToken(signer, full))
            const byKey = await caller((await keys.create({ owner, name: 'x' })).key)
            for (const each of [jwt.identity, byKey.identity]) {
              expect(each).toMatchObject({ subject: session?.subject, groups: session?.groups, integration: 'corp' })
              expect(each.email).toBe(session?.email)
            }
            return [session?.id ?? '', jwt.identity.id, byKey.identity.id]
          }
          const all = new Set([...(await ids({ ...one, ...first })), ...(await ids({ ...one, ...second }))])
          expect(all.size).toBe(1)
          const names = [subject].flat() as (keyof typeof one)[]
          const same = names.every((claim) => one[claim] === two[claim])
          expect(all.has((await ids({ ...two, ...first }))[0] ?? '')).toBe(same)
          for (const { keySet } of integrations.values()) keySet.close()
        }),
        { numRuns: 60 },
      )
    } finally {
      await server.close()
    }
  })
})
