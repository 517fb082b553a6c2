/** B6 real servers behind the relay, and real clients in front of it. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, describe, expect, it } from 'vitest'
import { startEverythingServer } from '../support/mcp/everything-server.ts'
import { startSdk1Server } from '../support/mcp/sdk1-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { type FrontOptions, startFront } from './relay-front.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function front<Upstream extends { url: string; close(): Promise<void> }>(
  starting: Promise<Upstream>,
  options: Partial<FrontOptions> = {},
) {
  const upstream = await starting
  closers.push(upstream.close)
  const at = await startFront({ url: upstream.url, credential: { authorization: 'Bearer up' }, ...options })
  closers.push(at.close)
  return { upstream, at }
}
async function client1(url: string) {
  const client = new Client1({ name: 'test', version: '0' })
  // Its types and exactOptionalPropertyTypes disagree.
  await client.connect(new Transport1(new URL(url)) as Parameters<typeof client.connect>[0])
  closers.push(() => client.close())
  return client
}
async function client2(url: string, mode: 'legacy' | 'auto' | { pin: string }) {
  const client = new Client({ name: 'test', version: '0' }, { versionNegotiation: { mode } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  closers.push(() => client.close())
  return client
}
const names = ({ tools }: { tools: { name: string }[] }) => tools.map(({ name }) => name)

describe.each([
  ['SDK 1 with sessions', () => startSdk1Server()],
  ['SDK 1 without sessions', () => startSdk1Server({ sessions: false })],
  ['SDK 1 without sessions, in JSON', () => startSdk1Server({ sessions: false, json: true })],
  ['SDK 2', () => startSdk2Server()],
  ['SDK 2 without sessions', () => startSdk2Server({ sessions: false })],
])('%s', (_, start) => {
  it('serves the clients of both versions', async () => {
    const { upstream, at } = await front(start())
    for (const client of [await client1(at.url), await client2(at.url, 'auto'), await client2(at.url, 'legacy')]) {
      expect(names(await client.listTools())).toContain('whoami')
      const answer = await client.callTool({ name: 'whoami', arguments: {} })
      expect(JSON.stringify(answer)).toContain('opaque')
    }
    for (const call of upstream.calls) expect(call.headers.authorization).toBe('Bearer up')
    expect(at.broken).toEqual([])
  })

  it('G15 shows what is allowed', async () => {
    const { at } = await front(start(), { lists: { allows: (list, name) => list !== 'tools' || name === 'whoami' } })
    for (const client of [await client1(at.url), await client2(at.url, 'auto')]) {
      expect(names(await client.listTools())).toEqual(['whoami'])
    }
  })
})

it('what is learnt of the eras of servers', async () => {
  const modern = await front(startSdk2Server())
  await client2(modern.at.url, 'auto')
  expect(modern.at.relay.eraOf({ id: 'x', url: new URL(modern.upstream.url) })).toBe('modern')
  const old = await front(startSdk1Server())
  await client2(old.at.url, 'auto')
  expect(old.at.relay.eraOf({ id: 'x', url: new URL(old.upstream.url) })).toBe('legacy')
})

it('a pinned modern client on a modern server in events', async () => {
  const { at } = await front(startSdk2Server({ answers: 'sse', eras: 'modern' }))
  const client = await client2(at.url, { pin: '2026-07-28' })
  expect(JSON.stringify(await client.callTool({ name: 'whoami', arguments: {} }))).toContain('opaque')
})

it('the reference server', async () => {
  const { at } = await front(startEverythingServer())
  const client = await client1(at.url)
  expect(names(await client.listTools())).toContain('echo')
  const answer = await client.callTool({ name: 'echo', arguments: { message: 'hello there' } })
  expect(JSON.stringify(answer)).toContain('hello there')
  expect((await client.listResources()).resources.length).toBeGreaterThan(0)
  expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0)
}, 40_000)
