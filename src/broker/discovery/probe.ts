/**
 * Asks an MCP server for its challenge: a request without a credential, of the modern era first and then `initialize`, since a
 * server of one era may refuse the other for reasons that have nothing to do with authorization.
 */
import { FetchError } from '../../core/errors.ts'
import { type Fetch, fetchHead } from '../../net/fetch.ts'
import { type BearerChallenge, readBearerChallenge } from '../../oauth/challenge-parameters.ts'

/** What a server has answered to somebody without a credential. */
export interface Probe {
  /** Statuses, in the order of the questions; the last is that of the challenge, where there is one. */
  readonly statuses: readonly { readonly asked: 'server/discover' | 'initialize'; readonly status: number }[]
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
}

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
export async function probeServer(url: string, { fetch, timeoutMs, signal }: ProbeTransport): Promise<Probe> {
  const statuses: Probe['statuses'][number][] = []
  let failure: unknown
  for (const { asked, headers, params } of QUESTIONS) {
    let answer: Response
    try {
      answer = await fetchHead(fetch, url, timeoutMs, {
        method: 'POST',
        headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: asked, params }),
        signal,
      })
    } catch (error) {
      failure = error
      continue
    }
    statuses.push({ asked, status: answer.status })
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
