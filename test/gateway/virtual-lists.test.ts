/** G5: what is kept of members' lists, and how much of it. */
import { expect, test } from 'vitest'
import type { VirtualContext } from '../../src/gateway/virtual/context.ts'
import { createVirtualLists } from '../../src/gateway/virtual/lists.ts'
import type { VirtualMembers } from '../../src/gateway/virtual/members.ts'
import { compileSelection } from '../../src/mcp/virtual/selection.ts'

test('lists that are kept since a member has failed count for what they weigh', async () => {
  const description = 'x'.repeat(4 * 1024 * 1024)
  let isDown = false
  const members = {
    credential: () => ({ kind: 'credential', credential: 'none', headers: {}, stamp: undefined }),
    async send() {
      if (isDown) return { kind: 'failed', reason: 'unreachable', upstreamStatus: null, detail: 'down' }
      const value = { jsonrpc: '2.0', id: 1, result: { ttlMs: 0, tools: [{ name: 'a', description }] } }
      async function* messages() {
        yield { kind: 'response', id: 1, bytes: Buffer.from(JSON.stringify(value)), value }
      }
      return { kind: 'sent', credential: 'none', result: { kind: 'messages', messages: messages() } }
    },
  } as unknown as VirtualMembers
  const lists = createVirtualLists(members, { now: () => 0 }, 1_000)
  const server = { name: 'dev/one', relay: { url: new URL('http://one.example/') }, config: { auth: { type: 'none' } } }
  const member = { server, names: { tool: compileSelection({}) } }
  const contextOf = (id: number) =>
    ({
      asker: { caller: { identity: { id: `user ${id}` } } },
      virtual: { name: 'team/all', config: {}, having: { tool: [member] } },
      exchange: { request: { headers: {} } },
    }) as unknown as VirtualContext
  const listed = async (id: number) => (await lists.list(contextOf(id), 'tools')).entries.length
  for (let id = 0; id < 20; id++) {
    isDown = false
    expect(await listed(id)).toBe(1)
    isDown = true
    expect(await listed(id)).toBe(1)
  }
  // 64 MiB hold sixteen at most: the oldest are forgotten.
  expect([await listed(19), await listed(0)]).toEqual([1, 0])
})
