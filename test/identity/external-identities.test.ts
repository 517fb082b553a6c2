import { describe, expect, it } from 'vitest'
import type { ConfigProblem } from '../../src/core/errors.ts'
import { checkExternalIdentities } from '../../src/identity/check-external-identities.ts'
import { createExternalIdentities } from '../../src/identity/external-identities.ts'

describe('G3 external identities', () => {
  const identities = createExternalIdentities({
    acme: { integration: 'corp', claims: { org: 'acme' } },
    agents: { integration: 'corp', claims: { org: ['acme', 'beam'], groups: 'agent-*' } },
    everybody: { integration: 'corp' },
    elsewhere: { integration: 'other', claims: { org: 'acme' } },
  })

  it.each<[string, object, string[]]>([
    ['corp', { org: 'acme', groups: ['agent-7'] }, ['acme', 'agents', 'everybody']],
    ['corp', { org: 'acme' }, ['acme', 'everybody']],
    ['corp', { org: 'beam', groups: ['x', 'agent-'] }, ['agents', 'everybody']],
    ['corp', { org: 'acmes' }, ['everybody']],
    ['corp', {}, ['everybody']],
    ['other', { org: 'acme' }, ['elsewhere']],
    ['other', {}, []],
    ['none', { org: 'acme' }, []],
  ])('all that a token of %s with %j matches count: %j', (integration, claims, names) => {
    expect(identities.matching(integration, { ...claims })).toEqual(names)
  })
})

describe('G3 external identities of a configuration', () => {
  function problemsOf(configured: unknown): ConfigProblem[] {
    const problems: ConfigProblem[] = []
    checkExternalIdentities(configured, 'externalIdentities', ['corp'], problems)
    return problems
  }

  it('that are sound', () => {
    expect(problemsOf(undefined)).toEqual([])
    const claims = { org: 'acme', 'realm_access.roles': ['a', 'b-*'], level: 7, verified: true }
    expect(
      problemsOf({ acme: { integration: 'corp', claims, description: 'partners' }, B_2: { integration: 'corp' } }),
    ).toEqual([])
  })

  it.each<[unknown, string, string]>([
    [[], 'externalIdentities', 'expected object, got a list'],
    [{ 'a b': { integration: 'corp' } }, 'externalIdentities["a b"]', 'a name has 1 to 64 letters'],
    [{ 'a*': { integration: 'corp' } }, 'externalIdentities["a*"]', 'a name has 1 to 64 letters'],
    [{ a: {} }, 'externalIdentities.a.integration', 'required'],
    [
      { a: { integration: 'crop' } },
      'externalIdentities.a.integration',
      'no integration named "crop"; did you mean "corp"?',
    ],
    [{ a: { integration: 'corp', claim: {} } }, 'externalIdentities.a', 'unknown key "claim"; did you mean "claims"?'],
    [{ a: { integration: 'corp', claims: { x: [] } } }, 'externalIdentities.a.claims.x', 'must not be empty'],
    [{ a: { integration: 'corp', claims: { x: ['*a*b*'] } } }, 'externalIdentities.a.claims.x[0]', 'at most 2 stars'],
    [{ a: { integration: 'corp', claims: { x: null } } }, 'externalIdentities.a.claims.x', 'expected a text, a number'],
    [
      { a: { integration: 'corp', claims: JSON.parse('{"__proto__":"x"}') } },
      'externalIdentities.a.claims.__proto__',
      'is not a claim',
    ],
    [
      { a: { integration: 'corp', subjectClaim: 'x' } },
      'externalIdentities.a.subjectClaim',
      'belongs to the integration',
    ],
    [
      { a: { integration: 'corp', groupsClaim: 'x' } },
      'externalIdentities.a.groupsClaim',
      'belongs to the integration',
    ],
    [{ a: null }, 'externalIdentities.a', 'expected object, got null'],
  ])('%j', (configured, path, message) => {
    const [problem] = problemsOf(configured)
    expect(problem?.path).toBe(path)
    expect(problem?.message).toContain(message)
  })
})
