import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isOwner } from '../../src/access/owners.ts'
import { checkVirtualAccount } from '../../src/identity/check-virtual-accounts.ts'
import type { Identity } from '../../src/identity/sign-in.ts'
import { person, virtualAccount } from './callers.ts'

const alice = person({ subject: '00u1', email: 'alice@example.com', groups: ['staff'] }).identity

describe('G2 an owner of a virtual account', () => {
  it.each<[string, Identity, string]>([
    ['whose verified address it says', alice, 'user:corp/alice@example.com'],
    ['whose subject it says', alice, 'user:corp/00u1'],
    ['whose subject has an @ in it', person({ subject: 'a@b' }).identity, 'user:corp/a%40b'],
    ['whose subject has a % in it', person({ subject: '50%' }).identity, 'user:corp/50%25'],
    ['whose subject has a slash in it', person({ subject: 'a/b' }).identity, 'user:corp/a/b'],
  ])('is somebody %s', (_, identity, owner) => {
    expect(isOwner({ owners: ['user:corp/x', owner] }, identity)).toBe(true)
  })

  it.each<[string, Identity, string]>([
    ['of another integration', alice, 'user:acme/alice@example.com'],
    ['with another address', alice, 'user:corp/alice@example.org'],
    ['in another case', alice, 'user:corp/Alice@example.com'],
    [
      'who chose an address as their subject',
      person({ subject: 'alice@example.com' }).identity,
      'user:corp/alice@example.com',
    ],
    ['by a pattern', alice, 'user:corp/*'],
    ['by a group', alice, 'group:corp/staff'],
    ['as anybody', alice, 'anonymous'],
    [
      'that is a virtual account',
      virtualAccount('ci', { integration: 'virtual-account' }).identity,
      'user:virtual-account/ci',
    ],
  ])('is nobody %s', (_, identity, owner) => {
    expect(isOwner({ owners: [owner] }, identity)).toBe(false)
  })

  it('is nobody where there are none', () => {
    expect(isOwner({}, alice)).toBe(false)
    expect(isOwner({ owners: [] }, alice)).toBe(false)
  })

  it('by a subject is one person, and whom the check of the configuration takes for one', () => {
    const subject = fc.string({
      minLength: 1,
      maxLength: 8,
      unit: fc.constantFrom('a', 'b', '@', '%', '4', '0', '2', '5', '/'),
    })
    fc.assert(
      fc.property(subject, subject, (one, other) => {
        const owner = `user:corp/${one.replaceAll('%', '%25').replaceAll('@', '%40')}`
        const problems: { path: string; message: string }[] = []
        checkVirtualAccount({ owners: [owner] }, '', ['corp'], problems)
        expect(problems).toEqual([])
        expect(isOwner({ owners: [owner] }, person({ subject: one }).identity)).toBe(true)
        expect(isOwner({ owners: [owner] }, person({ subject: other }).identity)).toBe(one === other)
      }),
    )
  })
})
