/** API keys by their owners, for code of the host application (G1, G2). */
import type { ApiKeys } from '../identity/api-keys.ts'
import { VIRTUAL_ACCOUNT } from '../identity/identity.ts'
import type { KeyOwner } from '../identity/key-owner.ts'
import type { Identity } from '../identity/sign-in.ts'
import type { FoundOwner } from '../identity/token-owners.ts'
import type { VirtualAccounts } from '../identity/virtual-accounts.ts'
import type { GatewayKeys, Subject } from './gateway.ts'
import { GatewayError } from './gateway-error.ts'
import type { RememberPerson } from './known-people.ts'
import { checkSubject, isWhole, SUBJECT } from './subject.ts'

/** What the records of people are to those who make keys for them. */
export interface KeyOwnerRecords {
  readonly remember: RememberPerson
  /** Looks a person up as a request with their key does; `undefined` where nothing has to be known of them yet. */
  readonly find: ((id: string) => Promise<FoundOwner>) | undefined
}

/** Makes them. */
export function createGatewayKeys(
  keys: ApiKeys,
  accounts: Pick<VirtualAccounts, 'get'>,
  { remember, find }: KeyOwnerRecords,
): GatewayKeys {
  /** A key of somebody who is not known would be refused as long as it exists, without a word to whoever has made it. */
  async function checkKnown(subject: Subject, id: string): Promise<void> {
    // Also for a directory, which looks people up by what is known of them.
    if (isWhole(subject)) await remember(subject)
    if (find === undefined) return
    const found = await find(id)
    if (found.kind === 'found') return
    if (found.kind === 'unavailable') throw new GatewayError('ERR_UNAVAILABLE', found.detail)
    const way =
      'they have to sign in first, by a guard whose login has the same store and keys as the gateway; or pass a whole identity, such as gateway.identify() finds'
    throw new GatewayError('ERR_UNKNOWN_PERSON', `no key can be made for this person: ${found.detail}. ${way}`)
  }

  async function ownerOf(subject: Subject): Promise<KeyOwner> {
    checkSubject(subject, SUBJECT)
    const name = accountOf(subject)
    if (name === undefined) return { kind: 'person', id: (subject as Identity).id }
    const account = await accounts.get(name)
    if (account !== undefined) return account.owner
    throw new GatewayError('ERR_UNKNOWN_VIRTUAL_ACCOUNT', `there is no virtual account "${name}"`)
  }

  return {
    async create(subject, key) {
      const owner = await ownerOf(subject)
      if (owner.kind === 'person') await checkKnown(subject, owner.id)
      return keys.create({ ...key, owner })
    },
    list: async (subject) => keys.list(await ownerOf(subject)),
    revoke: async (subject, id) => keys.revoke(await ownerOf(subject), id),
  }
}

/** The name of the virtual account that a subject is, by itself or by its identity. */
export function accountOf(subject: Subject): string | undefined {
  if ('virtualAccount' in subject) return subject.virtualAccount
  if (subject.integration !== VIRTUAL_ACCOUNT) return undefined
  return isWhole(subject) ? subject.subject : ''
}
