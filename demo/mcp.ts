/**
 * A small MCP client, and one line of text for what comes back: `200 5`, `200 4011 Please visit: <link>`, `404 4040`. It speaks
 * 2025-11-25 without any extras; the official client has checks of its own.
 */
import type { Token } from './ask.ts'
import type { Target } from './servers.ts'

/** Whom to talk to, and as whom. */
export interface Talk {
  /** `group/server`. */
  readonly server: string
  readonly token?: Token
  readonly headers?: Readonly<Record<string, string>>
  /** Another path than `/mcp/{group}/{server}/server`. */
  readonly path?: string
}

/** A JSON-RPC answer, as far as the demo reads it. */
interface Message {
  readonly result?: {
    readonly content?: readonly { readonly text?: string }[]
    readonly isError?: boolean
    readonly tools?: readonly { readonly name: string }[]
    readonly prompts?: readonly { readonly name: string }[]
    readonly serverInfo?: { readonly name: string }
  }
  readonly error?: { readonly code: number; readonly message: string; readonly data?: unknown }
}

/** An HTTP answer with the message in it. */
interface Answer {
  readonly status: number
  readonly challenge: string | null
  readonly session: string | null
  readonly message: Message | undefined
}

const REVISION = '2025-11-25'
const TIMEOUT_MS = 12_000
const LINK = /\bhttps?:\/\/[!-~]+/g

/** Connects, calls a tool, and describes the first answer that is not as one would hope. */
export async function callTool(
  target: Pick<Target, 'url'>,
  talk: Talk,
  name: string,
  args: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return describe(await converse(target, talk, 'tools/call', { name, arguments: args }))
}

/** Connects and lists: the names of what there is. */
export async function list(target: Pick<Target, 'url'>, talk: Talk, what: 'tools' | 'prompts'): Promise<string> {
  return describe(await converse(target, talk, `${what}/list`, {}))
}

/** Connects, and no more. */
export async function initialize(target: Pick<Target, 'url'>, talk: Talk): Promise<string> {
  return describe(await begin(target, talk))
}

/** The link in the answer to somebody who has yet to give consent (G16), found as the clients in the field find it. */
export async function consentLink(target: Pick<Target, 'url'>, talk: Talk): Promise<string> {
  const [link = ''] = await consentLinks(target, talk)
  return link
}

/** All of them, where several are missing. */
export async function consentLinks(target: Pick<Target, 'url'>, talk: Talk): Promise<string[]> {
  const { message } = await begin(target, talk)
  const [, urls] = /Please visit:\s*(.+)$/.exec(String(message?.error?.data)) ?? []
  if (urls === undefined) throw new Error(`no link to visit: ${JSON.stringify(message)}`)
  return urls.split(' , ')
}

/** The URL of a server's endpoint. */
export function endpointOf({ url }: Pick<Target, 'url'>, { server, path }: Pick<Talk, 'server' | 'path'>): string {
  return url + (path ?? `/mcp/${server}/server`)
}

/** Opens a session and asks one thing in it. */
async function converse(target: Pick<Target, 'url'>, talk: Talk, method: string, params: object): Promise<Answer> {
  const begun = await begin(target, talk)
  if (begun.message?.result === undefined) return begun
  const session = begun.session === null ? {} : { 'mcp-session-id': begun.session }
  const headers = { ...session, 'mcp-protocol-version': REVISION }
  await post(target, talk, { method: 'notifications/initialized' }, headers)
  return post(target, talk, { id: 2, method, params }, headers)
}

function begin(target: Pick<Target, 'url'>, talk: Talk): Promise<Answer> {
  const clientInfo = { name: 'demo', version: '1.0.0' }
  const params = { protocolVersion: REVISION, capabilities: {}, clientInfo }
  return post(target, talk, { id: 1, method: 'initialize', params }, {})
}

async function post(
  target: Pick<Target, 'url'>,
  talk: Talk,
  message: object,
  more: Readonly<Record<string, string>>,
): Promise<Answer> {
  const response = await fetch(endpointOf(target, talk), {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(talk.token === undefined ? {} : { authorization: `Bearer ${talk.token.jwt}` }),
      ...talk.headers,
      ...more,
    },
    body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  })
  const { status, headers } = response
  const text = await response.text()
  return {
    status,
    challenge: headers.get('www-authenticate'),
    session: headers.get('mcp-session-id'),
    message: parse(headers.get('content-type') ?? '', text),
  }
}

/** The message that answers; in an event stream, the last one. */
function parse(type: string, text: string): Message | undefined {
  if (type.includes('json')) return JSON.parse(text) as Message
  const data = [...text.matchAll(/^data: ?(.+)$/gm)].map(([, line = '']) => line)
  return data.length === 0 ? undefined : (JSON.parse(data.at(-1) ?? '') as Message)
}

function describe({ status, challenge, message }: Answer): string {
  const names = (entries: readonly { readonly name: string }[]) =>
    entries.map(({ name }) => name).join(' ') || '(nothing)'
  const { result, error } = message ?? {}
  if (error !== undefined) {
    const data = typeof error.data === 'string' ? ` ${error.data.replace(LINK, '<link>')}` : ''
    const said = challenge === null ? '' : ` ${describeChallenge(challenge)}`
    return `${status} ${error.code}${said}${data}`
  }
  if (result === undefined) return [status, challenge && describeChallenge(challenge)].filter(Boolean).join(' ')
  if (result.tools !== undefined) return `${status} ${names(result.tools)}`
  if (result.prompts !== undefined) return `${status} ${names(result.prompts)}`
  if (result.serverInfo !== undefined) return `${status} connected to ${result.serverInfo.name}`
  const text = result.content?.map((part) => part.text).join(' ') ?? ''
  return `${status} ${result.isError ? `tool error: ${text}` : text}`
}

/** The scheme and the names of its parameters. */
function describeChallenge(challenge: string): string {
  const [scheme = ''] = challenge.split(' ')
  const names = [...challenge.matchAll(/(\w+)="/g)]
    .map(([, name]) => name)
    .filter((name) => !/descr|realm/.test(name ?? ''))
  return [scheme, ...names].join(' ')
}
