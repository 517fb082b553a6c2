/** Requests that any server of a revision answers without preparation, and what their answers say of authorization. */

/** What is sent with one. */
export interface Probe {
  readonly token?: string | undefined
  /** `POST` by default, with the first message of the revision. */
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  /** In place of that message. */
  readonly message?: Readonly<Record<string, unknown>>
}

/** An answer, as far as it matters. */
export interface ProbeAnswer {
  readonly status: number
  /** Of `WWW-Authenticate: Bearer`, by name; `undefined` where there is no such challenge. */
  readonly challenge: Readonly<Record<string, string>> | undefined
  readonly sessionId: string | undefined
}

/** Sends one. */
export async function probe(url: string, revision: string, sent: Probe = {}): Promise<ProbeAnswer> {
  const { token, method = 'POST', headers = {}, message = opening(revision) } = sent
  const response = await fetch(url, {
    method,
    redirect: 'manual',
    headers: {
      accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
      ...(method === 'POST' ? { 'content-type': 'application/json', ...ofMessage(revision, message) } : {}),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(method === 'POST' ? { body: JSON.stringify(message) } : {}),
  })
  await response.body?.cancel()
  return {
    status: response.status,
    challenge: bearerParameters(response.headers.get('www-authenticate')),
    sessionId: response.headers.get('mcp-session-id') ?? undefined,
  }
}

/** Whether a revision has sessions and GET. */
export function hasSessions(revision: string): boolean {
  return revision < '2026-07-28'
}

function ofMessage(revision: string, { method }: Readonly<Record<string, unknown>>): Record<string, string> {
  if (hasSessions(revision)) return {}
  return { 'mcp-protocol-version': revision, 'mcp-method': String(method) }
}

function opening(revision: string): Readonly<Record<string, unknown>> {
  const clientInfo = { name: 'conformance-authorization', version: '1.0.0' }
  const rpc = { jsonrpc: '2.0', id: 1 }
  if (hasSessions(revision)) {
    return { ...rpc, method: 'initialize', params: { protocolVersion: revision, capabilities: {}, clientInfo } }
  }
  return list(revision, 'tools/list')
}

/** A list, of a revision without sessions. */
function list(revision: string, method: string): Readonly<Record<string, unknown>> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': revision,
    'io.modelcontextprotocol/clientInfo': { name: 'conformance-authorization', version: '1.0.0' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  return { jsonrpc: '2.0', id: 1, method, params: { _meta } }
}

const PARAMETER = /([\w-]+)="((?:[^"\\]|\\.)*)"/g

function bearerParameters(field: string | null): Readonly<Record<string, string>> | undefined {
  if (field === null || !/^Bearer\b/i.test(field)) return undefined
  return Object.fromEntries([...field.matchAll(PARAMETER)].map(([, name = '', value = '']) => [name, value]))
}
