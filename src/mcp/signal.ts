/**
 * How a client is told that somebody has to allow access first (B3, G16): one answer
 * in the form that this client can use. Decided here and nowhere else; the table is
 * that of "MCP on the wire" in the project's design.
 */
import { createHash } from 'node:crypto'
import type { AuthorizationNeed } from '../broker/credential.ts'
import { META, MODERN_REVISIONS } from './eras.ts'
import { GatewayCode, JsonRpcCode, McpCode } from './error-codes.ts'
import {
  type ErrorResponse,
  errorResponse,
  type JsonObject,
  type MessageBody,
  type RequestId,
  type RequestMessage,
  type ResultResponse,
  resultResponse,
} from './messages.ts'

/** What the form of the answer hangs on. */
export interface SignalSituation {
  readonly era: 'legacy' | 'modern'
  /** For `initialize` the one that is asked for, in a session the one that it was opened with. */
  readonly revision: string
  /** See `takesUrlElicitation`. */
  readonly urlElicitation: boolean
  /** The body of a POST, or the method of a request without one. */
  readonly asked: MessageBody | 'GET' | 'DELETE'
  /** The server's name, `dev/github`. */
  readonly server: string
  readonly need: AuthorizationNeed
  /** `text`: the plain form always, for clients that declare more than they can (`signal: 'text'` of a server). */
  readonly form: 'best' | 'text'
  /** Sealed by the caller: with `input_required` the client sends it back. */
  readonly requestState?: string | undefined
  /**
   * How `server/discover` is answered: `undefined` where the server behind is not known to be modern, so that the client
   * goes back to `initialize`.
   */
  readonly discovery: Discovery | undefined
}

/** Whether the signal may be one that the client comes back with (2026-07-28, Multi Round-Trip Requests). */
export function takesRequestState({
  era,
  urlElicitation,
  need,
  form,
}: Pick<SignalSituation, 'era' | 'urlElicitation' | 'need' | 'form'>): boolean {
  return era === 'modern' && urlElicitation && need.kind === 'visit' && form === 'best'
}

/** What is said of a server that has not been asked. */
export interface Discovery {
  readonly serverInfo: JsonObject
  /** What a client may ask for later: what is left out here it will not ask for. All kinds of lists unless given. */
  readonly capabilities?: JsonObject
}

/** The answer. */
export interface Signal {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** To be printed as JSON; a list answers a batch. */
  readonly body: SignalBody | readonly SignalBody[] | undefined
}

/** The answer to one request. */
export type SignalBody = ErrorResponse | ResultResponse

/**
 * The answer to a request for a server that the caller has access to and no credential for.
 *
 * ```ts
 * authorizationSignal({ era: 'legacy', revision: '2025-06-18', need: { kind: 'visit', urls: [url] }, … }).body
 * // { jsonrpc: '2.0', id: 1, error: { code: 4011, message: '… Please visit: https://…', data: 'Please visit: https://…' } }
 * ```
 *
 * @throws TypeError for URLs that are none, or none at all
 */
export function authorizationSignal(situation: SignalSituation): Signal {
  const { asked, need } = situation
  if (need.kind === 'visit') checkUrls(need.urls)
  // 2025-11-25, Listening for Messages: 405 says that there is no stream here. The same says that a session cannot be ended.
  if (asked === 'GET' || asked === 'DELETE') return { status: 405, headers: { allow: 'POST' }, body: undefined }
  const requests = asked.messages.filter((message) => message.kind === 'request')
  const [first] = requests
  // Transports: what cannot be accepted gets an error status, and a body that has no id.
  if (first === undefined) return json(400, textForm(undefined, situation))
  if (asked.batch) {
    return json(
      200,
      requests.map((request) => answer(request, situation)),
    )
  }
  if (situation.era === 'modern' && first.method === 'server/discover') return discover(first.id, situation.discovery)
  return json(200, answer(first, situation))
}

/** The id of the elicitation of a URL, as a later `notifications/elicitation/complete` would name it. */
export function elicitationIdOf(url: string): string {
  return createHash('sha256').update(url).digest('base64url').slice(0, 22)
}

/** 2026-07-28, Multi Round-Trip Requests: the only ones that may be answered with `input_required`. */
const TAKES_INPUT: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])
/** The only one that has -32042; later ones must not send it. */
const HAS_URL_ERROR = '2025-11-25'

function answer({ id, method }: RequestMessage, situation: SignalSituation): SignalBody {
  const { era, revision, urlElicitation, need, form } = situation
  if (need.kind === 'visit' && urlElicitation && form === 'best') {
    if (era === 'modern' && TAKES_INPUT.has(method)) return inputRequired(id, need.urls, situation)
    if (era === 'legacy' && revision === HAS_URL_ERROR) return urlError(id, need.urls, situation)
  }
  return textForm(id, situation)
}

/** What every client can show, and what a client can find with `Please visit: (.+)$`. */
function textForm(id: RequestId | undefined, { server, need }: SignalSituation): ErrorResponse {
  if (need.kind === 'visit') {
    const data = visitText(need.urls)
    return errorResponse(id, GatewayCode.AUTHORIZATION_REQUIRED, `${reason(server)} ${data}`, data)
  }
  const data = `${server} must be connected by a person: an owner of this virtual account.`
  return errorResponse(id, GatewayCode.PERSON_REQUIRED, `Authorization required: ${data}`, data)
}

/** 2025-11-25, URL Elicitation Required Error. */
function urlError(id: RequestId, urls: readonly string[], { server }: SignalSituation): ErrorResponse {
  // Not the text with the URL here: who looks for it in the printed `data` would find more than the URL behind it.
  const message = `${reason(server)} Try again afterwards.`
  const elicitations = urls.map((url) => ({ mode: 'url', elicitationId: elicitationIdOf(url), url, message }))
  return errorResponse(id, McpCode.URL_ELICITATION_REQUIRED, `${reason(server)} ${visitText(urls)}`, { elicitations })
}

/** 2026-07-28, InputRequiredResult. */
function inputRequired(
  id: RequestId,
  urls: readonly string[],
  { server, requestState, discovery }: SignalSituation,
): ResultResponse {
  const requests = urls.map((url, index) => {
    const params = { mode: 'url', message: `${reason(server)} ${visitText([url])}`, url }
    return [`authorization-${index + 1}`, { method: 'elicitation/create', params }]
  })
  return resultResponse(id, {
    resultType: 'input_required',
    inputRequests: Object.fromEntries(requests),
    ...(requestState === undefined ? {} : { requestState }),
    ...meta(discovery),
  })
}

const EVERY_LIST: JsonObject = { tools: {}, prompts: {}, resources: {} }

function discover(id: RequestId, discovery: Discovery | undefined): Signal {
  if (discovery === undefined) {
    // 2026-07-28, Protocol Version Header. Any error here sends a client that can back to `initialize`.
    return json(404, errorResponse(id, JsonRpcCode.METHOD_NOT_FOUND, 'Method not found: server/discover'))
  }
  const result = {
    resultType: 'complete',
    supportedVersions: MODERN_REVISIONS,
    capabilities: discovery.capabilities ?? EVERY_LIST,
    ttlMs: 0,
    cacheScope: 'private',
    ...meta(discovery),
  }
  return json(200, resultResponse(id, result))
}

function meta(discovery: Discovery | undefined): JsonObject {
  return discovery === undefined ? {} : { _meta: { [META.serverInfo]: discovery.serverInfo } }
}

function reason(server: string): string {
  return `Authorization required for ${server}.`
}

/** The text that clients look for (G16): URLs are told apart by ` , `. */
function visitText(urls: readonly string[]): string {
  return `Please visit: ${urls.join(' , ')}`
}

/** A space would end a URL in the text, and nothing but http(s) may be offered to be opened. */
const URL_FORM = /^https?:\/\/[!-~]+$/

function checkUrls(urls: readonly string[]): void {
  if (urls.length === 0) throw new TypeError('no URL to visit')
  for (const url of urls) {
    if (!URL_FORM.test(url) || !URL.canParse(url))
      throw new TypeError(`not an http or https URL: ${JSON.stringify(url)}`)
  }
}

function json(status: number, body: SignalBody | readonly SignalBody[]): Signal {
  return { status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body }
}
