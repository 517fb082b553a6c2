/** Which virtual accounts use one of several servers: for a list of many accounts, which asks nothing else about them. */
import { ownOf, principalsOf } from '../access/principals.ts'
import type { PortalParts } from '../portal/parts.ts'
import { GatewayError } from './gateway-error.ts'
import { callerOfAccount } from './identity-caller.ts'
import type { LiveStates } from './live-state.ts'
import type { Asker, Permission, Permissions } from './permissions.ts'

/** See `PortalParts.usesAny`. Servers are asked about one by one; with a function of the user's own, at once. */
export function createAccountUse(live: LiveStates, permissions: Permissions): PortalParts['usesAny'] {
  function mayUse(asker: Asker): boolean | Promise<boolean> {
    const asked = permissions.ask(asker, { kind: 'connect' })
    return asked instanceof Promise ? asked.then(isAllowed) : isAllowed(asked)
  }

  return async (account, servers) => {
    const { access } = live.current
    const caller = callerOfAccount(account)
    const principals = principalsOf(caller)
    const own = ownOf(principals)
    const later: Promise<boolean>[] = []
    for (const server of servers) {
      const byName = mayUse({ access, caller, principals: own, server })
      const any = mayUse({ access, caller, principals, server })
      if (byName === true && any === true) return true
      if (byName !== false && any !== false) later.push(Promise.all([byName, any]).then((both) => both.every(Boolean)))
    }
    return (await Promise.all(later)).includes(true)
  }
}

function isAllowed(asked: Permission): boolean {
  if (asked.kind === 'unavailable') throw new GatewayError('ERR_UNAVAILABLE', asked.detail)
  return asked.kind === 'allowed'
}
