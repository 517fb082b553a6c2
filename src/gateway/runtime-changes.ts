/** Servers and grants, changed one by one while the gateway runs (G23). Each change is one of the whole configuration. */
import type { GatewayGrants, GatewayServers } from './gateway.ts'
import { isEqual, type LiveStates } from './live-state.ts'

/** Servers of the current state. */
export function createGatewayServers(live: LiveStates): Omit<GatewayServers, 'for'> {
  return {
    list: () => live.current.config.servers,
    set: (name, server) => live.change((now) => ({ ...now, servers: { ...now.servers, [name]: server } })),
    async remove(name) {
      let found = false
      await live.change((now) => {
        found = Object.hasOwn(now.servers, name)
        if (!found) return now
        const { [name]: _, ...servers } = now.servers
        return { ...now, servers }
      })
      return found
    },
  }
}

/** Grants of the current state. */
export function createGatewayGrants(live: LiveStates): GatewayGrants {
  return {
    list: () => live.current.config.access,
    set: (access) => live.change((now) => ({ ...now, access })),
    add: (...grants) => live.change((now) => ({ ...now, access: [...now.access, ...grants] })),
    async remove(...grants) {
      let removed = 0
      await live.change((now) => {
        const access = now.access.filter((each) => !grants.some((grant) => isEqual(grant, each)))
        removed = now.access.length - access.length
        return removed === 0 ? now : { ...now, access }
      })
      return removed
    },
  }
}
