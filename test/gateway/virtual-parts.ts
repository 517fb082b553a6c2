/** Virtual servers for tests: members of both eras, and the clients of both versions of the SDK. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { McpServer, VirtualMcpServer } from 'sallyport/gateway'
import { onTestFinished } from 'vitest'
import { startSdk1Server } from '../support/mcp/sdk1-server.ts'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { startWorld, type World, type WorldOptions } from './world.ts'

/** Any user of `corp` may use the virtual server, and no server behind it. */
export const GRANT = { to: 'user:corp/*', on: 'team/all' } as const

/** A server that needs no credential. */
export function open(url: string, more: Partial<McpServer> = {}): McpServer {
  return { url, auth: { type: 'none' }, ...more }
}

/** A gateway with `team/all` over `members`, by name. */
export async function startVirtual(
  members: Readonly<Record<string, McpServer>>,
  virtual: VirtualMcpServer,
  config: WorldOptions = {},
): Promise<World & { readonly url: string; readonly token: string }> {
  const world = await startWorld({
    servers: members,
    virtualServers: { 'team/all': virtual },
    access: [GRANT],
    ...config,
  })
  return { ...world, url: world.endpoint('team/all'), token: await world.jwt('alice') }
}

/** Servers by the era that they speak; each ends with the test. */
export const MEMBERS = {
  'SDK 1 with sessions': () => startSdk1Server(),
  'SDK 1 in JSON, without sessions': () => startSdk1Server({ sessions: false, json: true }),
  'SDK 2, modern': () => startSdk2Server({ eras: 'modern' }),
  'SDK 2, modern in events': () => startSdk2Server({ eras: 'modern', answers: 'sse' }),
  'SDK 2, legacy': () => startSdk2Server({ eras: 'legacy' }),
} as const

/** A fixture that ends with the test. */
export async function during<Fixture extends { close(): Promise<void> }>(starting: Promise<Fixture>): Promise<Fixture> {
  const fixture = await starting
  onTestFinished(() => fixture.close())
  return fixture
}

/** A client of version 1. */
export async function client1(url: string, token: string, capabilities: object = {}): Promise<Client1> {
  const client = new Client1({ name: 'test-1', version: '0' }, { capabilities })
  const transport = new Transport1(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } })
  // Its types and exactOptionalPropertyTypes disagree.
  await client.connect(transport as Parameters<typeof client.connect>[0])
  onTestFinished(() => client.close())
  return client
}

/** A client of version 2. */
export async function client2(
  url: string,
  token: string,
  mode: 'legacy' | 'auto' | { pin: string },
  capabilities: object = {},
): Promise<Client> {
  const client = new Client({ name: 'test-2', version: '0' }, { versionNegotiation: { mode }, capabilities })
  const requestInit = { headers: { authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  onTestFinished(() => client.close())
  return client
}

/** Clients by the era that they speak. */
export const CLIENTS = {
  'SDK 1': (url: string, token: string, capabilities?: object) => client1(url, token, capabilities),
  'SDK 2, legacy': (url: string, token: string, capabilities?: object) => client2(url, token, 'legacy', capabilities),
  'SDK 2, modern': (url: string, token: string, capabilities?: object) =>
    client2(url, token, { pin: '2026-07-28' }, capabilities),
} as const

/** What a client of either version can do alike. */
export interface AnyClient {
  listTools(params?: object): Promise<{ tools: { name: string }[] }>
  callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<object>
}

/** The first text of a result. */
export function textOf(result: object): string {
  const { content } = result as { content?: { text?: string }[] }
  return content?.[0]?.text ?? JSON.stringify(result)
}
