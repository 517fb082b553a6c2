/** Commands to paste for the gateway, with the MCP Inspector's command line and with `curl`; and how to read its part of the walk. */
import type { Token } from './ask.ts'
import type { GatewayTokens } from './gateway-tokens.ts'
import { endpointOf } from './mcp.ts'
import { PASSWORD } from './people.ts'
import { say, styled, title } from './print.ts'
import type { Demo } from './servers.ts'

/** The Inspector does not run on older ones. */
const INSPECTOR_NODE = 22

/** How to read the chapters on the gateway. */
export function explainGateway(): void {
  say(
    'A gateway stands in front of each of the four servers, all on one SQLite file. A line has a tick for each that gave',
  )
  say('the expected answer: the status, then what the tool said, or the code of the JSON-RPC error and its data.')
}

/** Prints them. Tokens and what is the same everywhere are variables and a function, so that the lines stay short. */
export function printGatewayLines({ targets: [first] }: Demo, tokens: GatewayTokens): void {
  if (first === undefined) return
  const url = (server: string) => endpointOf(first, { server })
  title('Try the gateway: paste these into a shell …')
  const variables: Record<string, Token> = {
    PERSONAL: tokens.alicePersonal,
    JWT: tokens.alice,
    NIGHTLY: tokens.nightly,
    CAROL: tokens.carol,
  }
  for (const [name, { jwt }] of Object.entries(variables)) say(`${name}='${jwt}'`)
  const clientInfo = { name: 'curl', version: '1' }
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
  say(`INITIALIZE='${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}'`)
  const node = Number(process.versions.node.split('.')[0]) < INSPECTOR_NODE ? `-p node@${INSPECTOR_NODE} ` : ''
  const inspector = `npx -y ${node}-p @modelcontextprotocol/inspector@2 mcp-inspector`
  say(`inspect() { ${inspector} --cli "$1" --transport http --header "Authorization: Bearer $2" "\${@:3}"; }`)

  title('… then any of these, with the command line of the MCP Inspector (npx gets it):')
  const inspect = (server: string, variable: string, rest: string) => `inspect ${url(server)} "$${variable}" ${rest}`
  const call = (tool: string, ...args: string[]) =>
    ['--method tools/call --tool-name', tool, ...args.map((arg) => `--tool-arg ${arg}`)].join(' ')
  print([
    ['5, with her personal token', inspect('public/calculator', 'PERSONAL', call('add', 'a=2', 'b=3'))],
    ['one tool of two, the one that she may use', inspect('data/hub', 'PERSONAL', '--method tools/list')],
    [
      'the virtual account, by the shared key',
      inspect('data/hub', 'NIGHTLY', call('search_dataset', 'dataset=public/weather')),
    ],
    ['her JWT, passed through', inspect('core/orders', 'JWT', call('my_orders'))],
    [
      `an error with a link: open it, be alice (${PASSWORD}) here and there, and paste the line again`,
      inspect('dev/code', 'PERSONAL', call('who_am_i')),
    ],
    ['a customer, who has connected her account in the walk', inspect('dev/code', 'CAROL', call('who_am_i'))],
  ])

  title('With curl:')
  const types = "-H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream'"
  const post = (server: string, ...rest: string[]) =>
    ['curl -i', url(server), types, ...rest, '-d "$INITIALIZE"'].join(' ')
  const bearer = (variable: string) => `-H "Authorization: Bearer $${variable}"`
  print([
    ['200 and a session id', post('public/calculator', bearer('PERSONAL'))],
    ['200, and a link to visit in the error', post('dev/code', bearer('PERSONAL'))],
    ['404, carol has no role there', post('data/hub', bearer('CAROL'))],
    ['401, and where to find out more', post('public/calculator')],
    [
      'what a stock client reads then',
      `curl ${first.url}/.well-known/oauth-protected-resource/mcp/public/calculator/server`,
    ],
  ])
}

/** What each shows stands on a line of its own: in zsh, a pasted `#` begins no comment. */
function print(lines: readonly (readonly [what: string, line: string])[]): void {
  for (const [what, line] of lines) say(`${styled('dim', `  ${what}:`)}\n${line}`)
}
