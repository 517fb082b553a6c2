/** Connections of everybody, with what is known of whose they are: for administrators. Never a token. */
import type { Broker } from '../broker/broker.ts'
import type { People } from '../identity/people.ts'
import type { VirtualAccounts } from '../identity/virtual-accounts.ts'
import type { ConnectionOwner } from '../portal/parts.ts'
import { unlessSealed } from '../store/unopened.ts'
import type { GatewayConnections } from './gateway.ts'

/** What is needed for that. */
export interface KnownConnectionParts {
  readonly broker: Pick<Broker, 'all'>
  readonly people: Pick<People, 'read'>
  readonly accounts: Pick<VirtualAccounts, 'list'>
}

/** See `GatewayConnections.all`. */
export function createKnownConnections(parts: KnownConnectionParts): GatewayConnections['all'] {
  const { broker, people, accounts } = parts
  return async (page) => {
    const { connections, next } = await broker.all(page)
    const names = new Map((await accounts.list()).map(({ id, name }) => [id, name]))

    async function ownerOf(id: string): Promise<ConnectionOwner> {
      const virtualAccount = names.get(id)
      if (virtualAccount !== undefined) return { id, virtualAccount }
      const person = await people.read(id).catch(unlessSealed)
      if (person === undefined) return { id }
      const { integration, subject, email } = person
      return { id, integration, subject, ...(email === undefined ? {} : { email }) }
    }

    const known = connections.map(async ({ owner, ...connection }) => ({ ...connection, owner: await ownerOf(owner) }))
    return { connections: await Promise.all(known), ...(next === undefined ? {} : { next }) }
  }
}
