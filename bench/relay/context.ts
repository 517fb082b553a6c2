/** What every process of the suite knows: who calls, what they ask for, and where. */
import type { SigningKey, TokenOptions } from '../lib/tokens.ts'

/** What the servers between client and upstream are told. */
export interface Context {
  /** Signs the callers' tokens. */
  readonly issuer: string
  readonly jwksUri: string
  /** Origin of the upstream. */
  readonly upstream: string
}

/** What the gateway is told. */
export interface GatewayContext extends Context {
  /** Origin of the authorization server that protects the upstream. */
  readonly authorizationServer: string
  /** How many members the virtual server has; none without. */
  readonly members?: number
}

/** What the suite itself knows. */
export interface Suite {
  readonly key: SigningKey
  readonly issuer: string
  readonly jwksUri: string
  readonly quick: boolean
}

export const AUDIENCE = 'relay-bench'
/** The name of the upstream in the gateway. */
export const SERVER = 'bench/upstream'
/** Where the gateway serves it. The upstream has the same path, so that one request fits everywhere. */
export const PATH = '/mcp/bench/upstream/server'
/** The virtual server, and where the gateway serves it. */
export const VIRTUAL = 'bench/assistant'
export const VIRTUAL_PATH = '/mcp/bench/assistant/server'
/** Tools that a member lists and that are chosen. There is {@link HIDDEN_TOOL} beside them. */
export const TOOLS_PER_MEMBER = 40
export const REVISION = '2025-11-25'
export const TOOL = 'search_orders'
/** Not granted to anybody, though the upstream would answer. */
export const HIDDEN_TOOL = 'delete_orders'
/** In every good answer to a call. */
export const ANSWER_TEXT = '3 open orders: 10412 (2 items), 10438 (1 item), 10440 (7 items)'

/** Each with a token, a session and a connection of their own. */
export const CALLERS = 16
/** Requests that differ by caller and id; a session never has two of one id under way. */
export const REQUESTS = 256

export interface Caller {
  readonly number: number
  readonly token: string
}

/** Claims that bring a token to about 600 bytes. */
export function claimsOf(number: number): TokenOptions {
  return {
    claims: {
      sub: `00u${number.toString().padStart(4, '0')}`,
      email: `ann${number}@example.com`,
      email_verified: true,
      groups: ['engineering'],
      scope: undefined,
      jti: undefined,
    },
  }
}

/** A member of the virtual server, from 1 on: its name in the gateway, its path at the upstream, what is in front of its tools. */
export function memberOf(number: number): { readonly name: string; readonly path: string; readonly prefix: string } {
  return { name: `bench/member-${number}`, path: `/members/${number}`, prefix: `m${number}_` }
}

/** The token that the authorization server gives for the nth consent. */
export function upstreamToken(number: number): string {
  return `upstream-access-token-of-caller-${number.toString().padStart(4, '0')}`
}

/** `initialize` of a client that knows nothing of elicitation, so that missing consent is said as text. */
export const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 0,
  method: 'initialize',
  params: { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: 'sallyport-bench', version: '1.0.0' } },
})
export const INITIALIZED = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })

/** A small call, about 200 bytes. Ids have four digits, so that all calls are equally long. */
export function callBody(id: number, tool = TOOL): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: {
      name: tool,
      arguments: { customer: 'c-20991-north', status: 'open', since: '2026-10-01', limit: 20, sort: '-created' },
    },
  })
}

/** The fixed answer to a call. */
export function answerBody(id: number): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: ANSWER_TEXT }] } })
}

/** What a client sends with each request, but for the length of the body. */
export function requestHeaders(token: string, session: string | undefined): Record<string, string> {
  return {
    'user-agent': 'sallyport-bench/1.0',
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': REVISION,
    ...(session === undefined ? {} : { 'mcp-session-id': session }),
    authorization: `Bearer ${token}`,
  }
}

/** A whole request as it goes over the wire. */
export function requestBytes(
  method: 'POST' | 'GET',
  host: string,
  headers: Record<string, string>,
  body = '',
  path = PATH,
): Buffer {
  const length: [string, string][] = body === '' ? [] : [['content-length', String(Buffer.byteLength(body))]]
  const lines = [['host', host], ['connection', 'keep-alive'], ...Object.entries(headers), ...length]
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`, 'latin1')
}
