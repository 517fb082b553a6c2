/** Queries of configured URLs can carry keys: they are in no message, whatever goes wrong. */
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ConfigError, createGuard, generateKey } from 'sallyport'
import { createGateway, type McpServer, type UpstreamAuth } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import { expect, onTestFinished, test } from 'vitest'
import { callTool, EVERYTHING, rpc, startWorld } from './world.ts'

const KEY = 'SENTINEL-4711'
const CLIENT = { clientId: 'gateway', clientSecret: 'the secret of the client' } as const
const GATEWAY = {
  url: 'https://gw.example.com',
  store: memoryStore(),
  keys: [generateKey()],
  integrations: {},
  servers: {},
}

const authsOf = (url: string): Readonly<Record<string, UpstreamAuth>> => ({
  none: { type: 'none' },
  found: { type: 'oauth2' },
  written: { type: 'oauth2', authorizationUrl: url, tokenUrl: url, ...CLIENT },
  credentials: { type: 'client_credentials', tokenUrl: url, ...CLIENT },
  exchange: { type: 'token_exchange', tokenUrl: url, ...CLIENT },
  assertion: { type: 'identity_assertion', issuer: 'http://127.0.0.1:1', idp: { tokenUrl: url, ...CLIENT }, ...CLIENT },
})

/** What a server does with every request; some say back what they were asked for, as careless ones do. */
const upstreams: [string, RequestListener][] = [
  ['breaks off', (request) => request.socket.destroy()],
  ['is not there', (_, response) => response.writeHead(404).end()],
  ['is down', (_, response) => response.writeHead(503).end()],
  ['redirects', ({ url }, response) => response.writeHead(302, { location: `http://127.0.0.1:1${url}` }).end()],
  [
    'speaks of another resource',
    ({ url, headers }, response) => {
      const resource = `http://${headers.host}/other?${url?.split('?')[1]}`
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ resource, issuer: resource }))
    },
  ],
  [
    'wants something',
    ({ url }, response) => {
      const metadata = `Bearer resource_metadata="http://127.0.0.1:1/metadata${url}"`
      response.writeHead(401, { 'www-authenticate': metadata }).end('{"error":"invalid_client"}')
    },
  ],
]

test.each(upstreams)('of an MCP server that %s', async (_, listener) => {
  const upstream = createServer(listener).listen(0, '127.0.0.1')
  onTestFinished(() => void upstream.close())
  await once(upstream, 'listening')
  const url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/mcp?api_key=${KEY}`
  const auths = Object.entries(authsOf(url))
  const servers = Object.fromEntries(auths.map(([name, auth]): [string, McpServer] => [`dev/${name}`, { url, auth }]))
  const world = await startWorld({ servers, access: [EVERYTHING], signIn: 'link' })
  const token = await world.jwt('alice')
  for (const name of Object.keys(servers)) {
    const report = await world.gateway.doctor(name)
    expect(report.findings.length, name).toBeGreaterThan(0)
    expect(JSON.stringify(report), name).not.toContain(KEY)
    await rpc(world.endpoint(name), { token, body: callTool('x') })
    await world.told(({ server }) => server === name)
  }
  expect(JSON.stringify(world.audits)).not.toContain(KEY)
})

test.each<[string, (url: string) => McpServer]>([
  ['of an MCP server', (url) => ({ url, auth: { type: 'none' } })],
  ...['written', 'credentials', 'exchange', 'assertion'].map((name): [string, (url: string) => McpServer] => [
    `of the endpoint of ${name}`,
    (url) => ({ url: 'https://u.example.com/mcp', auth: authsOf(url)[name] ?? { type: 'none' } }),
  ]),
  ['of a resource', () => ({ url: 'https://u.example.com/mcp', auth: { type: 'oauth2', resource: `x?key=${KEY}` } })],
])('a mistake %s', (_, serverAt) => {
  for (const url of [`u.example.com/mcp?api_key=${KEY}`, `https://u.example.com:99999/mcp?api_key=${KEY}`]) {
    const make = () => createGateway({ ...GATEWAY, servers: { 'dev/one': serverAt(url) } })
    expect(make).toThrow(ConfigError)
    expect(make).not.toThrow(KEY)
  }
})

test.each<[string, (place: string) => unknown]>([
  ["of the gateway's own URL", (url) => createGateway({ ...GATEWAY, url })],
  ['of an origin that may call', (url) => createGateway({ ...GATEWAY, allowedOrigins: [url] })],
  [
    'of an issuer that is only compared',
    (issuer) =>
      createGateway({
        ...GATEWAY,
        integrations: { corp: { issuer, jwksUri: 'https://idp.example.com/keys', audience: 'x' } },
      }),
  ],
  [
    'of the origin of sign-in',
    (url) => createGuard({ integrations: {}, routes: [], login: { url, keys: [generateKey()], session: 'cookie' } }),
  ],
])('a mistake %s', (_, make) => {
  for (const place of [`htp s://app.example.com?key=${KEY}`, `https://app.example.com:99999/?key=${KEY}`]) {
    expect(() => make(place)).toThrow(ConfigError)
    expect(() => make(place)).not.toThrow(KEY)
  }
})
