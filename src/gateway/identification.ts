/** Who somebody is, for code of the host application, and whether they may use a server: judged as a request of theirs would be. */

import { isOwner } from '../access/owners.ts'
import type { ConsentQuestion } from '../broker/consent/parts.ts'
import type { Caller } from '../identity/caller.ts'
import { personWith } from '../identity/find-people.ts'
import type { People } from '../identity/people.ts'
import type { Identity } from '../identity/sign-in.ts'
import type { OwnVirtualAccounts } from '../identity/virtual-accounts.ts'
import type { PersonSubject, Subject } from './gateway.ts'
import { GatewayError } from './gateway-error.ts'
import { callerOfAccount, callerOfIdentity } from './identity-caller.ts'
import type { RememberPerson } from './known-people.ts'
import type { LiveStates } from './live-state.ts'
import type { Permissions } from './permissions.ts'
import { checkSubject, isWhole, PERSON, SUBJECT } from './subject.ts'

/** See the top of the file. */
export interface Identification {
  /**
   * The identity of a JWT or API key, `Bearer …`; `null` where it is no good. A JWT has to be for the configured audience: one
   * that was made for an endpoint (RFC 8707) says who its bearer is there, and nowhere else.
   *
   * @throws GatewayError (`ERR_UNAVAILABLE`)
   */
  identify(authorization: string): Promise<Identity | null>
  /**
   * Who wants to use `server`. A JWT may also be for one of that server's endpoints.
   *
   * @throws GatewayError (`ERR_UNAUTHENTICATED`, `ERR_UNAVAILABLE`, `ERR_UNKNOWN_PERSON`)
   */
  callerOf(who: PersonSubject | { readonly authorization: string }, server: string): Promise<Caller>
  /** A person with an id and an integration only is who they were when they last signed in. @throws GatewayError (`ERR_SUBJECT`, `ERR_UNKNOWN_PERSON`) */
  identityOf(who: PersonSubject): Promise<Identity>
  /**
   * A person with an id and an integration only is who they were when they last signed in.
   *
   * @throws GatewayError (`ERR_SUBJECT`, `ERR_UNKNOWN_VIRTUAL_ACCOUNT`, `ERR_UNKNOWN_PERSON`)
   */
  callerOfSubject(who: Subject): Promise<Caller>
  /** Whether a caller may use a server at all. @throws GatewayError (`ERR_UNAVAILABLE`) */
  mayUse(caller: Caller, server: string): Promise<boolean>
  /** Whether a consent may begin or end, as the broker asks it (G21). */
  mayConnect(question: ConsentQuestion): Promise<boolean>
}

/** What it works with. */
export interface IdentificationParts {
  readonly live: LiveStates
  readonly accounts: Pick<OwnVirtualAccounts, 'get' | 'withId'>
  /** Of people who have signed in. */
  readonly records: Pick<People, 'read'>
  readonly permissions: Permissions
  readonly principalsFor: (caller: Caller) => readonly string[]
  readonly remember: RememberPerson
}

/** Puts it together. */
export function createIdentification(parts: IdentificationParts): Identification {
  const { live, accounts, records, permissions, principalsFor, remember } = parts

  async function authenticate(authorization: string, resources?: readonly string[]): Promise<Caller | null> {
    const found = await live.current.callers.authenticate(authorization, resources)
    if (found.kind === 'unavailable') throw new GatewayError('ERR_UNAVAILABLE', found.detail)
    if (found.kind === 'unauthenticated' || found.kind === 'anonymous') return null
    if (found.via === 'jwt') await remember(found.identity)
    return found
  }

  async function personOf(id: string): Promise<Identity> {
    const found = await personWith(records, id)
    if (found !== undefined) return found
    const way = 'they have not signed in here; or pass a whole identity, such as gateway.identify() finds'
    throw new GatewayError('ERR_UNKNOWN_PERSON', `nothing is known of the person: ${way}`)
  }

  async function identityOf(who: PersonSubject): Promise<Identity> {
    checkSubject(who, PERSON)
    return isWhole(who) ? who : personOf(who.id ?? '')
  }

  async function mayUse(caller: Caller, server: string): Promise<boolean> {
    const { access, servers, virtualServers } = live.current
    // A grant on a virtual server is enough for what that has of its members.
    const through = [...virtualServers.values()].filter(({ byName }) => byName.has(server)).map(({ name }) => name)
    const names = servers.has(server) || virtualServers.has(server) ? [server, ...through] : []
    for (const name of names) {
      const asker = { access, caller, principals: principalsFor(caller), server: name }
      const role = await permissions.ask(asker, { kind: 'connect' })
      if (role.kind === 'unavailable') throw new GatewayError('ERR_UNAVAILABLE', role.detail)
      if (role.kind === 'allowed') return true
    }
    return false
  }

  return {
    async identify(authorization) {
      return (await authenticate(authorization))?.identity ?? null
    },
    async callerOf(who, server) {
      if (!('authorization' in who)) return callerOfIdentity(await identityOf(who), live.current.externalIdentities)
      const found = await authenticate(who.authorization, live.current.endpoints.urlsOf(server))
      if (found === null) throw new GatewayError('ERR_UNAUTHENTICATED', 'the credentials are no good')
      return found
    },
    async callerOfSubject(who) {
      checkSubject(who, SUBJECT)
      if (!('virtualAccount' in who)) {
        return callerOfIdentity(await identityOf(who), live.current.externalIdentities)
      }
      const account = await accounts.get(who.virtualAccount)
      if (account !== undefined) return callerOfAccount(account)
      throw new GatewayError('ERR_UNKNOWN_VIRTUAL_ACCOUNT', `there is no virtual account "${who.virtualAccount}"`)
    },
    identityOf,
    mayUse,
    async mayConnect({ server, owner, identity }) {
      if (identity !== null && identity.id === owner) {
        return mayUse(callerOfIdentity(identity, live.current.externalIdentities), server)
      }
      const account = await accounts.withId(owner)
      if (account !== undefined) {
        return (identity === null || isOwner(account, identity)) && (await mayUse(callerOfAccount(account), server))
      }
      // With `signIn: 'link'` nobody is known but by their id. They had a role when the link was made, minutes ago.
      return identity === null && live.current.servers.has(server)
    },
  }
}
