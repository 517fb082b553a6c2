/** Callers for the tests of access. */
import { principalsOf } from '../../src/access/principals.ts'
import type { Caller } from '../../src/identity/caller.ts'

interface Parts {
  readonly integration?: string
  readonly subject?: string
  readonly email?: string
  readonly groups?: readonly string[]
  readonly externalIdentities?: readonly string[]
}

/** A person at the integration `corp`. */
export function person(parts: Parts = {}): Caller {
  const { integration = 'corp', subject = '00u1', groups = [], externalIdentities = [], email } = parts
  return {
    kind: 'person',
    via: 'jwt',
    externalIdentities,
    identity: {
      id: 'an-id',
      integration,
      subject,
      groups,
      claims: {},
      ...(email === undefined ? {} : { email }),
    },
  }
}

export function virtualAccount(name: string, parts: Parts = {}): Caller {
  return { ...person({ ...parts, subject: name }), kind: 'virtual-account', via: 'virtual_account_token' }
}

export const nobody: Caller = { ...person({ subject: '' }), kind: 'anonymous', via: 'none' }

/** The principals of somebody in these groups at `corp`. */
export const members = (...groups: string[]) => principalsOf(person({ groups }))
