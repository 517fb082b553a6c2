/**
 * Asks an MCP server for its challenge: a request without a credential, of the modern era first and then `initialize`, since a
 * server of one era may refuse the other for reasons that have nothing to do with authorization.
 */
import { FetchError } from '../../core/errors.ts'
import { type Fetch, fetchHead, type LookAtBody } from '../../net/fetch.ts'
import { type BearerChallenge, readBearerChallenge } from '../../oauth/challenge-parameters.ts'

/** An answer to one question. */
export interface ProbeStatus {
  readonly asked: 'server/discover' | 'initialize'
  readonly status: number
  /** What it began with, where that was wanted. */
  readonly beginning?: { readonly type: string; readonly bytes: Uint8Array }
}

/** What a server has answered to somebody without a credential. */
export interface Probe {
  /** In the order of the questions; the last is that of the challenge, where there is one. */
  readonly statuses: readonly ProbeStatus[]
  /** Whether it has answered 401. */
  readonly challenged: boolean
  /** Of the 401, where it has a Bearer challenge. */
  readonly challenge: BearerChallenge | undefined
}

/** How it is asked. */
export interface ProbeTransport {
  readonly fetch: Fetch
  /** For each question. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Whether to read what answers begin with: a whole JSON text or an event, where they are no longer than 64 KiB. */
  readonly reads?: boolean
}

const MAX_BEGINNING = 64 * 1024
const MODERN = '2026-07-28'
const LEGACY = '2025-11-25'
const CLIENT = { name: 'sallyport', version: '0.0.0' }
const META = 'io.modelcontextprotocol/'

const QUESTIONS = [
  {
    asked: 'server/discover',
    headers: { 'mcp-protocol-version': MODERN, 'mcp-method': 'server/discover' },
    params: {
      _meta: {
        [`${META}protocolVersion`]: MODERN,
        [`${META}clientCapabilities`]: {},
        [`${META}clientInfo`]: CLIENT,
      },
    },
  },
  {
    asked: 'initialize',
    headers: {},
    params: { protocolVersion: LEGACY, capabilities: {}, clientInfo: CLIENT },
  },
] as const

/**
 * Asks the server at `url`.
 *
 * @throws FetchError (`ERR_FETCH`) where it does not answer at all
 */
export async function probeServer(
  url: string,
  { fetch, timeoutMs, signal, reads = false }: ProbeTransport,
): Promise<Probe> {
  const statuses: ProbeStatus[] = []
  let failure: unknown
  for (const { asked, headers, params } of QUESTIONS) {
    let answer: Response
    let beginning: Uint8Array = new Uint8Array(0)
    const read: LookAtBody = async ({ headers: fields, body }) => {
      const isStream = fields.get('content-type')?.startsWith('text/event-stream') === true
      for await (const bytes of soFar(body)) {
        beginning = bytes
        if (bytes.length >= MAX_BEGINNING || (isStream && hasEvent(bytes))) break
      }
    }
    try {
      const init = {
        method: 'POST',
        headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: asked, params }),
        signal,
      }
      answer = await fetchHead(fetch, url, timeoutMs, init, reads ? read : undefined)
    } catch (error) {
      failure = error
      continue
    }
    const type = answer.headers.get('content-type') ?? ''
    statuses.push({ asked, status: answer.status, ...(reads ? { beginning: { type, bytes: beginning } } : {}) })
    if (answer.status === 401) {
      return {
        statuses,
        challenged: true,
        challenge: readBearerChallenge(answer.headers.get('www-authenticate') ?? ''),
      }
    }
    if (asked === 'initialize') await endSession(answer)
  }
  if (statuses.length > 0) return { statuses, challenged: false, challenge: undefined }
  throw failure instanceof FetchError ? failure : new FetchError('the MCP server does not answer')

  /** A session that nobody will use should not be left behind. */
  async function endSession({ headers }: Response): Promise<void> {
    const session = headers.get('mcp-session-id')
    if (session === null) return
    const fields = { 'mcp-session-id': session, 'mcp-protocol-version': LEGACY }
    await fetchHead(fetch, url, timeoutMs, { method: 'DELETE', headers: fields, signal }).catch(() => {})
  }
}

/** Whether there is a whole event with data. */
function hasEvent(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('latin1')
  const data = text.search(/^data:/m)
  return data !== -1 && /\n\n|\r\r|\r\n\r\n/.test(text.slice(data))
}

/** What has come of a body, piece by piece. */
async function* soFar(body: ReadableStream<Uint8Array> | null): AsyncGenerator<Uint8Array> {
  let all = Buffer.alloc(0)
  // Node's are iterable; left, they are let go of.
  for await (const piece of (body ?? []) as AsyncIterable<Uint8Array>) {
    all = Buffer.concat([all, piece])
    yield all
  }
}
