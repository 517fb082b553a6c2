/** What the authorization server remembers, in memory and without a limit (its own adapter forgets after 1,000). */
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

/** See the top of the file. */
export function memoryAdapter(): AdapterFactory {
  const entries = new Map<string, AdapterPayload>()
  const byGrant = new Map<string, Set<string>>()
  return (model): Adapter => ({
    async upsert(id, payload) {
      const name = `${model}:${id}`
      entries.set(name, payload)
      if (payload.grantId === undefined) return
      const members = byGrant.get(payload.grantId) ?? new Set()
      byGrant.set(payload.grantId, members.add(name))
    },
    find: async (id) => entries.get(`${model}:${id}`),
    findByUserCode: async () => undefined,
    findByUid: async () => undefined,
    async consume(id) {
      const payload = entries.get(`${model}:${id}`)
      if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1_000)
    },
    async destroy(id) {
      entries.delete(`${model}:${id}`)
    },
    async revokeByGrantId(grantId) {
      for (const name of byGrant.get(grantId) ?? []) entries.delete(name)
      byGrant.delete(grantId)
    },
  })
}
