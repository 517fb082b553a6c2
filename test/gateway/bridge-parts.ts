/** Bridged servers for tests: one server of one era, behind a plain name with `bridge`, or behind a virtual one. */
import { inputRequired, inputResponse, McpServer, UrlElicitationRequiredError } from '@modelcontextprotocol/server'
import type { McpServer as ServerConfig } from 'sallyport/gateway'
import { startSdk2Server } from '../support/mcp/sdk2-server.ts'
import { during, open, startVirtual } from './virtual-parts.ts'
import { startWorld, type World, type WorldOptions } from './world.ts'

/** A gateway, and a user who may have all of the server. */
export type Bridged = World & { readonly url: string; readonly token: string }

/** A gateway with `dev/one` bridged. */
export async function startBridged(
  url: string,
  server: Partial<ServerConfig> = {},
  config: WorldOptions = {},
): Promise<Bridged> {
  const world = await startWorld({
    servers: { 'dev/one': { url, auth: { type: 'none' }, bridge: true, ...server } },
    access: [{ to: 'user:corp/*', on: 'dev/one' }],
    ...config,
  })
  return { ...world, url: world.endpoint('dev/one'), token: await world.jwt('alice') }
}

/** The two ways in which a server is reached by clients of the other era. */
export const WAYS = {
  'a bridged server': (url: string, config?: WorldOptions) => startBridged(url, {}, config),
  'a virtual server': (url: string, config?: WorldOptions) =>
    startVirtual(
      { 'dev/one': open(url) },
      { tools: { 'dev/one': '*' }, prompts: { 'dev/one': '*' }, resources: { 'dev/one': '*' } },
      config,
    ),
} as const

/** The names of {@link WAYS}. */
export const WAY_NAMES = Object.keys(WAYS) as (keyof typeof WAYS)[]

/** The page that {@link startAsking} wants to be visited. */
export const PAGE = 'https://pay.example.com/checkout?order=7'

/** A server of one era whose tools ask the client for everything that there is to be asked, as that era does it. */
export async function startAsking(era: 'legacy' | 'modern', answers: 'auto' | 'sse' = 'auto') {
  const visited = { yet: false }
  const offer = () => (era === 'legacy' ? legacyAsking(visited) : modernAsking(visited))
  const server = await during(startSdk2Server({ eras: era, answers, offer }))
  return { ...server, visited }
}

function legacyAsking(visited: { readonly yet: boolean }): McpServer {
  const server = askingServer()
  server.registerTool('ask', { description: 'A form.' }, async ({ mcpReq }) => {
    const params = { message: 'Which colour?', requestedSchema: FORM }
    const { action } = await mcpReq.send({ method: 'elicitation/create', params })
    return said(action)
  })
  server.registerTool('roots', { description: 'Roots.' }, async ({ mcpReq }) => {
    const { roots } = await mcpReq.send({ method: 'roots/list' })
    return said(roots.map(({ uri }) => uri).join())
  })
  server.registerTool('visit', { description: 'A page.' }, async () => {
    if (visited.yet) return said('thank you')
    throw new UrlElicitationRequiredError([
      { mode: 'url', elicitationId: 'order-7', url: PAGE, message: 'Please pay first.' },
    ])
  })
  return server
}

function modernAsking(visited: { readonly yet: boolean }): McpServer {
  const server = askingServer()
  const ask = () => inputRequired.elicit({ message: 'Which colour?', requestedSchema: FORM })
  server.registerTool('ask', { description: 'A form.' }, async ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'form')
    return answer.kind === 'elicit' ? said(answer.action) : inputRequired({ inputRequests: { form: ask() } })
  })
  server.registerTool('roots', { description: 'Roots.' }, async ({ mcpReq }) => {
    const answer = inputResponse(mcpReq.inputResponses, 'roots')
    if (answer.kind === 'roots') return said(answer.roots.map(({ uri }) => uri).join())
    return inputRequired({ inputRequests: { roots: inputRequired.listRoots() } })
  })
  server.registerTool('visit', { description: 'A page.' }, async ({ mcpReq }) => {
    if (inputResponse(mcpReq.inputResponses, 'page').kind !== 'missing' && visited.yet) return said('thank you')
    const page = inputRequired.elicitUrl({ url: PAGE, message: 'Please pay first.' })
    return inputRequired({ inputRequests: { page } })
  })
  return server
}

function askingServer(): McpServer {
  const server = new McpServer(
    { name: 'asking', version: '2.0.0', title: 'The asking server' },
    { capabilities: { logging: {}, tools: { listChanged: true } }, instructions: 'Answer what you are asked.' },
  )
  server.registerTool('log', { description: 'Says something at each level.' }, async ({ mcpReq }) => {
    for (const level of ['debug', 'info', 'error'] as const) {
      await mcpReq.notify({ method: 'notifications/message', params: { level, data: `at ${level}` } })
    }
    return said('logged')
  })
  return server
}

const FORM = {
  type: 'object' as const,
  properties: { colour: { type: 'string' as const } },
  required: ['colour'],
}

function said(text: string) {
  return { content: [{ type: 'text' as const, text }] }
}
