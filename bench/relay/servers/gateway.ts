/** The gateway in a node:http server, as one would have it in production: JWT callers, grants, OAuth tokens, audit. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKey } from 'sallyport'
import { createGateway, type GatewayConfig } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { sqliteStore } from 'sallyport/stores/sqlite'
import { contextFromParent, serve } from '../../lib/child.ts'
import { AUDIENCE, type GatewayContext, memberOf, PATH, SERVER, VIRTUAL } from '../context.ts'

const { issuer, jwksUri, authorizationServer, upstream, members: count = 0 } = contextFromParent<GatewayContext>()
const members = Array.from({ length: count }, (_, index) => memberOf(index + 1))
const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** Others have servers here too. */
const TEAMS = ['sales', 'support', 'finance', 'legal', 'design']

let listener: RequestListener = (_req, res) => res.writeHead(503).end()
const outcomes: Record<string, number> = {}

function configOf(port: number): GatewayConfig {
  return {
    url: `http://127.0.0.1:${port}`,
    store: sqliteStore(join(folder, 'tokens.db')),
    keys: [generateKey()],
    integrations: { corp: { issuer, jwksUri, audience: AUDIENCE } },
    servers: {
      ...Object.fromEntries(
        TEAMS.map((team) => [`${team}/notes`, { url: `${upstream}/${team}`, auth: { type: 'none' } }]),
      ),
      [SERVER]: protectedServer(PATH),
      ...Object.fromEntries(members.map(({ name, path }) => [name, protectedServer(path)])),
    },
    ...(members.length === 0
      ? {}
      : {
          virtualServers: {
            [VIRTUAL]: {
              tools: Object.fromEntries(
                members.map(({ name, prefix }) => [name, { include: ['get_*', 'search_*'], prefix }]),
              ),
            },
          },
        }),
    access: [
      ...TEAMS.map((team) => ({ to: `group:corp/${team}`, on: `${team}/*` })),
      { to: 'group:corp/engineering', on: 'bench/*', tools: ['get_*', 'search_*'] },
      ...(members.length === 0 ? [] : [{ to: 'group:corp/engineering', on: VIRTUAL }]),
      { to: 'user:corp/*@example.com', on: 'bench/upstream', tools: ['whoami'] },
    ],
    // Nobody signs in here: the bench follows its links itself.
    signIn: 'link',
    // As many streams as the suite opens.
    limits: { connections: 4096 },
    audit: (event) => {
      const kind = event.type === 'request' ? `${event.methods[0] ?? event.httpMethod} ${event.outcome}` : event.type
      outcomes[kind] = (outcomes[kind] ?? 0) + 1
    },
  }
}

function protectedServer(path: string): GatewayConfig['servers'][string] {
  return {
    url: `${upstream}${path}`,
    auth: {
      type: 'oauth2',
      clientId: 'gateway',
      clientSecret: 'a secret of the bench',
      authorizationUrl: `${authorizationServer}/authorize`,
      tokenUrl: `${authorizationServer}/token`,
    },
  }
}

serve(
  createServer((req, res) => listener(req, res)),
  { outcomes: () => outcomes },
  async (port) => {
    const gateway = createGateway(configOf(port))
    await gateway.ready()
    listener = sallyport(gateway)((_req, res) => res.writeHead(404).end())
  },
)
