import { describe, expect, it } from 'vitest'
import { headOf, isPrincipal, principalsOf } from '../../src/access/principals.ts'
import { nobody, person, virtualAccount } from './callers.ts'

describe('G4 what a caller is called in grants', () => {
  it('a person by address, subject, groups and external identities', () => {
    const caller = person({ email: 'ann@example.com', groups: ['eng', 'ops'], externalIdentities: ['acme'] })
    expect(principalsOf(caller)).toEqual([
      'user:corp/ann@example.com',
      'user:corp/00u1',
      'group:corp/eng',
      'group:corp/ops',
      'external-identity:acme',
      'anonymous',
    ])
  })

  it('a virtual account by its name and groups of its own, whatever else its identity says', () => {
    const caller = virtualAccount('ci', { email: 'ci@example.com', groups: ['batch'] })
    expect(principalsOf(caller)).toEqual(['virtual-account:ci', 'group:virtual-account/batch', 'anonymous'])
  })

  it('nobody as anonymous', () => {
    expect(principalsOf(nobody)).toEqual(['anonymous'])
  })

  it('in a list that cannot change, as decisions are remembered for it', () => {
    expect(Object.isFrozen(principalsOf(person()))).toBe(true)
  })
})

describe('G4 nobody passes for somebody else', () => {
  it.each([
    ['ann@example.com', 'user:corp/ann%40example.com'],
    ['auth0|ann@example.com', 'user:corp/auth0|ann%40example.com'],
    ['ann%40example.com', 'user:corp/ann%2540example.com'],
    ['100%', 'user:corp/100%25'],
    ['../other/ann', 'user:corp/../other/ann'],
    ['*', 'user:corp/*'],
    ['__proto__', 'user:corp/__proto__'],
  ])('the subject %s is %s', (subject, principal) => {
    expect(principalsOf(person({ subject }))).toEqual([principal, 'anonymous'])
  })

  it('an address without an @ is none', () => {
    expect(principalsOf(person({ email: '00u2' }))).toEqual(['user:corp/00u1', 'anonymous'])
  })

  it('what has no name is nothing', () => {
    expect(principalsOf(person({ subject: '', email: '', groups: ['', 'eng'] }))).toEqual([
      'group:corp/eng',
      'anonymous',
    ])
  })

  it.each([
    ['could be cut in two ways', 'a/b'],
    ['is that of virtual accounts', 'virtual-account'],
  ])('an integration whose name %s has no people', (_, integration) => {
    expect(principalsOf(person({ integration, email: 'x@y', groups: ['c'] }))).toEqual(['anonymous'])
  })
})

describe('G4 patterns of principals', () => {
  it.each([
    ['group:corp/eng', 'group:corp/', 'a group'],
    ['group:corp/x/../y', 'group:corp/', 'a group with slashes'],
    ['user:a:b/c', 'user:a:b/', 'an integration with a colon'],
    ['virtual-account:a/b', 'virtual-account:', 'a virtual account with a slash'],
    ['external-identity:a:b', 'external-identity:', 'an external identity with a colon'],
    ['anonymous', '', 'everybody'],
    ['user:corp', '', 'a user without a name'],
    ['users', '', 'nobody'],
    ['*', '', 'a star'],
  ])('the head of %s is %j: %s', (principal, head) => {
    expect(headOf(principal)).toBe(head)
  })

  it.each([
    ['group:corp/eng', 'group:corp/eng'],
    ['group:corp/eng', 'group:corp/*'],
    ['group:corp/x/y', 'group:corp/*'],
    ['group:corp/x/y', 'group:corp/x/*'],
    ['group:corp/*', 'group:corp/*'],
    ['user:corp/ann@example.com', 'user:corp/*@example.com'],
    ['user:corp/ann%40example.com', 'user:corp/*'],
    ['virtual-account:ci-1', 'virtual-account:ci-*'],
    ['external-identity:acme', 'external-identity:*'],
    ['anonymous', 'anonymous'],
  ])('%s is %s', (principal, pattern) => {
    expect(isPrincipal(principal, pattern)).toBe(true)
  })

  it.each([
    // A star does not reach across the integration.
    ['group:evil/corp/eng', 'group:*/eng'],
    ['group:corp-evil/x', 'group:corp*/x'],
    ['group:corp/x', 'group:corp*'],
    ['group:corp/x', 'g*'],
    ['anonymous', '*'],
    ['anonymous', 'anon*'],
    ['virtual-account:x', '*'],
    // A star in data is a star.
    ['group:corp/*', 'group:corp/eng'],
    ['group:*/eng', 'group:corp/eng'],
    ['virtual-account:*', 'virtual-account:ci'],
    // One kind is not another.
    ['group:corp/ann', 'user:corp/ann'],
    ['user:corp/virtual-account:ci', 'virtual-account:ci'],
    ['group:corp/anonymous', 'anonymous'],
    ['virtual-account:anonymous', 'anonymous'],
    // Text is compared as it is.
    ['group:corp/Eng', 'group:corp/eng'],
    ['group:corp/eng ', 'group:corp/eng'],
    ['group:corp/\u0435ng', 'group:corp/eng'],
    ['group:corp/e\u0301', 'group:corp/\u00e9'],
    ['group:corp/eng\0', 'group:corp/eng'],
    ['group:corp/eng\0', 'group:corp/eng*'],
    ['group:corp/x/../eng', 'group:corp/eng'],
    ['user:corp/ann%40example.com', 'user:corp/*@example.com'],
    ['user:corp/ann%40example.com', 'user:corp/ann@example.com'],
    ['user:corp/ann@example.com.evil.example', 'user:corp/*@example.com'],
  ])('%j is not %s', (principal, pattern) => {
    expect(isPrincipal(principal, pattern)).toBe(false)
  })
})
