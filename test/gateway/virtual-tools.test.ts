/** G5, B6: tools of several servers under one endpoint, for clients and members of both eras. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { WIDE_NUMBER } from '../support/mcp/wide-number.ts'
import { CLIENTS, type client1, type client2, during, MEMBERS, open, startVirtual, textOf } from './virtual-parts.ts'
import { ask, callTool, openSession, rpc } from './world.ts'

/** Those that can say something before the result. */
const IN_EVENTS = (Object.keys(MEMBERS) as (keyof typeof MEMBERS)[]).filter((kind) => !kind.includes('JSON'))
const names = ({ tools }: { tools: { name: string }[] }) => tools.map(({ name }) => name)

describe.each(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[])('B6 a client on %s', (client) => {
  test.each(Object.keys(MEMBERS) as (keyof typeof MEMBERS)[])('uses tools of a member on %s', async (kind) => {
    const member = await during(MEMBERS[kind]())
    const { url, token } = await startVirtual(
      { 'dev/one': open(member.url) },
      { tools: { 'dev/one': { include: ['ec*', 'add', 'whoami'], rename: { add: 'sum' }, prefix: 'one_' } } },
    )
    const connected = await CLIENTS[client](url, token)
    expect(names(await connected.listTools())).toEqual(['one_echo', 'sum', 'one_whoami'])
    expect(textOf(await connected.callTool({ name: 'one_echo', arguments: { text: 'hello' } }))).toBe('hello')
    expect(textOf(await connected.callTool({ name: 'sum', arguments: { a: 2, b: 3 } }))).toBe('5')
    expect(textOf(await connected.callTool({ name: 'one_whoami', arguments: {} }))).toBe('nobody')
    for (const hidden of ['add', 'echo', 'one_add', 'one_count']) {
      await expect(connected.callTool({ name: hidden, arguments: {} })).rejects.toThrow(/Unknown tool|-32602/)
    }
    const called = member.calls.filter(({ rpc: method }) => method === 'tools/call')
    expect(called.map(({ body }) => JSON.parse(body).params.name)).toEqual(['echo', 'add', 'whoami'])
  })

  test.each(IN_EVENTS)('hears of progress of a member on %s', async (kind) => {
    const member = await during(MEMBERS[kind]())
    const { url, token } = await startVirtual({ 'dev/one': open(member.url) }, { tools: { 'dev/one': '*' } })
    const connected = await CLIENTS[client](url, token)
    const heard: number[] = []
    const onprogress = ({ progress }: { progress: number }) => void heard.push(progress)
    const call = { name: 'count', arguments: { to: 3 } }
    const result =
      'listTools' in connected && client === 'SDK 1'
        ? await (connected as Awaited<ReturnType<typeof client1>>).callTool(call, undefined, { onprogress })
        : await (connected as Awaited<ReturnType<typeof client2>>).callTool(call, { onprogress })
    expect(textOf(result)).toBe('counted to 3')
    expect(heard).toEqual([1, 2, 3])
  })
})

describe('names', () => {
  test('G5 keep the order of the configuration, whatever is slow', async () => {
    const one = await during(MEMBERS['SDK 1 with sessions']())
    const two = await during(MEMBERS['SDK 2, modern']())
    const { url, token } = await startVirtual(
      { 'dev/one': open(one.url), 'dev/two': open(two.url) },
      { tools: { 'dev/two': ['whoami', 'echo'], 'dev/one': { include: ['echo', 'add'], prefix: 'one-' } } },
    )
    const headers = await openSession(url, token)
    for (let times = 0; times < 2; times++) {
      const list = await rpc(url, { token, headers, body: ask('tools/list') })
      expect(names(list.json.result)).toEqual(['echo', 'whoami', 'one-echo', 'one-add'])
    }
  })

  test('G5 that two members have go to the first, and the other gets its server in front', async () => {
    const one = await during(MEMBERS['SDK 1 with sessions']())
    const two = await during(MEMBERS['SDK 2, modern']())
    const world = await startVirtual(
      { 'dev/one': open(one.url), 'dev/two': open(two.url) },
      { tools: { 'dev/one': 'e*'.split(' '), 'dev/two': ['ech*'] } },
    )
    const { url, token } = world
    const headers = await openSession(url, token)
    const list = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(names(list.json.result)).toEqual(['echo', 'dev_two_echo'])
    const told = await world.told(({ methods }) => methods[0] === 'tools/list')
    expect(told).toMatchObject({ outcome: 'relayed', reason: 'partial_list' })
    expect(told.detail).toContain('dev/two has "echo" as well as dev/one')
    for (const [name, member] of [
      ['echo', one],
      ['dev_two_echo', two],
    ] as const) {
      const before = member.calls.length
      const answer = await rpc(url, { token, headers, body: callTool(name, { text: name }) })
      expect(textOf(answer.json.result)).toBe(name)
      expect(member.calls.slice(before).map(({ rpc: method }) => method)).toEqual(['tools/call'])
    }
  })

  test('G5 that the configuration names are out of reach of patterns of another member', async () => {
    const one = await during(MEMBERS['SDK 1 with sessions']())
    const two = await during(MEMBERS['SDK 2, modern']())
    const { url, token } = await startVirtual(
      { 'dev/one': open(one.url), 'dev/two': open(two.url) },
      { tools: { 'dev/one': '*', 'dev/two': ['echo'] } },
    )
    const headers = await openSession(url, token)
    await rpc(url, { token, headers, body: callTool('echo', { text: 'for two' }) })
    const calls = [one, two].map(({ calls: all }) => all.filter(({ rpc: method }) => method === 'tools/call').length)
    expect(calls).toEqual([0, 1])
  })

  test('G15 grants on the virtual server are on the names there', async () => {
    const one = await during(MEMBERS['SDK 2, modern']())
    const world = await startVirtual(
      { 'dev/one': open(one.url) },
      { tools: { 'dev/one': { prefix: 'one_' } } },
      { access: [{ to: 'user:corp/*', on: 'team/all', tools: ['one_e*'] }] },
    )
    const { url, token } = world
    const headers = await openSession(url, token)
    const list = await rpc(url, { token, headers, body: ask('tools/list') })
    expect(names(list.json.result)).toEqual(['one_echo'])
    const answer = await rpc(url, { token, headers, body: callTool('one_add', { a: 1, b: 2 }) })
    expect(answer.json.error).toEqual({ code: -32602, message: 'Unknown tool: one_add' })
    // No grant on the member itself.
    const direct = await rpc(world.endpoint('dev/one'), { token, body: ask('tools/list') })
    expect(direct.status).toBe(404)
  })
})

describe('bytes', () => {
  test.each(['SDK 1 with sessions', 'SDK 2, modern'] as const)('of arguments and results stay, to %s', async (kind) => {
    const one = await during(MEMBERS[kind]())
    const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': { prefix: 'x_' } } })
    const headers = await openSession(url, token)
    const args = `{"text":"a", "id": ${WIDE_NUMBER},"e":1.0e+2}`
    const body = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"x_echo","arguments":${args}}}`
    const sent = await rpc(url, { token, headers: { ...headers, 'content-type': 'application/json' }, body })
    expect(sent.json).toMatchObject({ id: 7 })
    const call = await one.call(({ rpc: method }) => method === 'tools/call')
    expect(call.body).toContain(`"arguments":${args}`)
  })

  test('B6 of a number of 64 bits come through', async () => {
    const one = await during(MEMBERS['SDK 2, modern']())
    const { url, token } = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
    const headers = await openSession(url, token)
    const answer = await rpc(url, { token, headers, body: callTool('wide') })
    expect(answer.text).toMatch(new RegExp(`"id": *${WIDE_NUMBER} *[,}]`))
  })
})

describe('sessions', () => {
  test('B7 of a virtual server are served by any replica', async () => {
    const one = await during(MEMBERS['SDK 1 with sessions']())
    const virtual = { tools: { 'dev/one': '*' } } as const
    const first = await startVirtual({ 'dev/one': open(one.url) }, virtual)
    const { store, keys, provider, token, origin } = first
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await startVirtual({ 'dev/one': open(one.url) }, virtual, { store, keys, url: origin, provider, server })
    const elsewhere = `http://127.0.0.1:${port}/mcp/team/all/server`
    const headers = await openSession(first.url, token)
    for (const url of [first.url, elsewhere, first.url]) {
      const answer = await rpc(url, { token, headers, body: callTool('echo', { text: url }) })
      expect(textOf(answer.json.result)).toBe(url)
    }
    expect(one.sessions()).toBe(1)
    expect((await rpc(elsewhere, { token, headers, method: 'DELETE' })).status).toBe(204)
    await expect.poll(() => one.sessions()).toBe(0)
    // A replica believes a session for two seconds without asking the store.
    await expect.poll(async () => (await rpc(first.url, { token, headers, body: ask('tools/list') })).status).toBe(404)
  })

  test('are nobody else’s, and of no other server', async () => {
    const one = await during(MEMBERS['SDK 1 with sessions']())
    const world = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
    const headers = await openSession(world.url, world.token)
    const bob = await world.jwt('bob')
    const answer = await rpc(world.url, { token: bob, headers, body: ask('tools/list') })
    expect(answer.status).toBe(404)
    expect(answer.json.error.code).toBe(4041)
  })

  test('end at the members with them', async () => {
    const one = await during(MEMBERS['SDK 1 with sessions']())
    const world = await startVirtual({ 'dev/one': open(one.url) }, { tools: { 'dev/one': '*' } })
    const { url, token } = world
    const headers = await openSession(url, token)
    await rpc(url, { token, headers, body: ask('tools/list') })
    expect(one.sessions()).toBe(1)
    expect((await rpc(url, { token, headers, method: 'DELETE' })).status).toBe(204)
    await one.call(({ method }) => method === 'DELETE')
    await expect.poll(() => one.sessions()).toBe(0)
    expect((await rpc(url, { token, headers, body: ask('tools/list') })).status).toBe(404)
  })
})
