/** Connections of people and virtual accounts, for code of the host application (G8, G13, G21). */

import { isOwner } from '../access/owners.ts'
import { type Broker, NoSuchServerError } from '../broker/broker.ts'
import { suggest } from '../core/suggest.ts'
import type { Caller } from '../identity/caller.ts'
import { virtualAccountId } from '../identity/identity.ts'
import type { Identity } from '../identity/sign-in.ts'
import type { VirtualAccounts } from '../identity/virtual-accounts.ts'
import type { GatewayConnections, PersonSubject, Subject } from './gateway.ts'
import { GatewayError } from './gateway-error.ts'
import { accountOf } from './gateway-keys.ts'
import { callerOfAccount } from './identity-caller.ts'
import type { LiveStates } from './live-state.ts'
import { checkSubject, SUBJECT, WHO } from './subject.ts'

/** What connections need. */
export interface ConnectionParts {
  readonly broker: Pick<Broker, 'list' | 'connectUrl' | 'disconnect'>
  readonly live: LiveStates
  readonly accounts: Pick<VirtualAccounts, 'get'>
  /** Who somebody is at a server by their credentials; rejects with a `GatewayError` where they are nobody. */
  readonly callerOf: (who: PersonSubject | { readonly authorization: string }, server: string) => Promise<Caller>
  /** Whether a caller may use a server at all. */
  readonly mayUse: (caller: Caller, server: string) => Promise<boolean>
}

/** Connections over a broker. */
export function createGatewayConnections(parts: ConnectionParts): Omit<GatewayConnections, 'all'> {
  const { broker, live, accounts, callerOf, mayUse } = parts

  function idOf(subject: Subject): string {
    checkSubject(subject, SUBJECT)
    const name = accountOf(subject)
    return name === undefined ? (subject as Identity).id : virtualAccountId(name)
  }

  return {
    list: async (subject) => broker.list(idOf(subject)),
    revoke: async (subject, server) => broker.disconnect(idOf(subject), server),
    async connectUrl({ server, who, forVirtualAccount, returnTo }) {
      const { servers } = live.current
      if (servers.get(server)?.config.auth.type !== 'oauth2') throw noServer(server, servers)
      checkSubject(who, WHO)
      const by = await callerOf(who, server)
      if (by.kind !== 'person') {
        const message = 'only a person can connect a server; for a virtual account, one of its owners'
        throw new GatewayError('ERR_ACCESS', message)
      }
      const owner = forVirtualAccount === undefined ? by : await accountFor(forVirtualAccount, by)
      // G21: nobody is asked to consent to what they could not use afterwards.
      if (!(await mayUse(owner, server))) {
        const whose = forVirtualAccount === undefined ? 'they have' : `the virtual account "${forVirtualAccount}" has`
        throw new GatewayError('ERR_ACCESS', `${whose} no role on "${server}"`)
      }
      try {
        return await broker.connectUrl({
          server,
          owner: owner.identity.id,
          by: by.identity,
          ...(forVirtualAccount === undefined ? {} : { ownerLabel: forVirtualAccount }),
          ...(returnTo === undefined ? {} : { returnTo }),
        })
      } catch (error) {
        // The configuration may have changed meanwhile.
        throw error instanceof NoSuchServerError ? noServer(server, live.current.servers) : error
      }
    },
  }

  async function accountFor(name: string, by: Caller): Promise<Caller> {
    const account = await accounts.get(name)
    if (account === undefined) {
      throw new GatewayError('ERR_UNKNOWN_VIRTUAL_ACCOUNT', `there is no virtual account "${name}"`)
    }
    if (!isOwner(account, by.identity)) {
      throw new GatewayError('ERR_ACCESS', `they are not among the owners of the virtual account "${name}"`)
    }
    return callerOfAccount(account)
  }
}

function noServer(name: string, servers: LiveStates['current']['servers']): GatewayError {
  if (servers.has(name)) {
    const message = `"${name}" has no connections: its auth is not of the type "oauth2"`
    return new GatewayError('ERR_UNKNOWN_SERVER', message)
  }
  return new GatewayError('ERR_UNKNOWN_SERVER', `there is no server "${name}"${suggest(name, servers.keys())}`)
}
