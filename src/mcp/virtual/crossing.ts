/**
 * Single messages on their way between a client and a member of a virtual server, each in an era of its own (B6). Pure, and on the
 * bytes: arguments and results stay as they were sent; ids, names, and what an era says of itself are written anew.
 */
import { META } from '../eras.ts'
import { JsonRpcCode, McpCode } from '../error-codes.ts'
import { type JsonEdit, spliceJson } from '../json-splice.ts'
import { listOf } from '../list-filter.ts'
import { isJsonObject, type JsonObject, type RequestId, type RequestMessage } from '../messages.ts'
import { ofUpstream } from '../upstream-messages.ts'
import { stampOf, type UpstreamLink, type UpstreamPeer, type UpstreamSend } from '../upstream-peer.ts'

type EraName = 'legacy' | 'modern'

/** What becomes of a request on its way to a member. */
export interface ToMember {
  readonly id: RequestId
  /** The client's. */
  readonly from: EraName
  readonly link: Pick<UpstreamLink, 'era' | 'revision'>
  readonly peer: Pick<UpstreamPeer, 'client'>
  /** The tool, prompt or resource as the member calls it; as it is where nothing is named. */
  readonly original: string | undefined
  /** What a legacy client has asked for with `logging/setLevel`. */
  readonly logLevel?: string | undefined
  /** More to write, such as the answers to what the member has asked. */
  readonly edits?: readonly JsonEdit[]
  readonly fields?: Readonly<Record<string, string>> | undefined
}

/** A request for a member. */
export function toMember(request: RequestMessage, to: ToMember): Extract<UpstreamSend, { kind: 'request' }> {
  const { method, raw, params } = request
  const { id, original, link, fields } = to
  const path = original === undefined ? undefined : namePath(method, params)
  const edits: JsonEdit[] = [{ path: ['id'], json: JSON.stringify(id) }]
  if (path !== undefined) edits.push({ path: ['params', ...path], json: JSON.stringify(original) })
  edits.push(...stampEdits(to), ...(to.edits ?? []))
  const [first, ...deeper] = path ?? []
  const named: JsonObject | undefined =
    first !== undefined && deeper.length === 0 ? { ...params, [first]: original } : params
  const send = { kind: 'request', id, method, params: named, bytes: spliceJson(raw, edits) } as const
  return link.era === 'modern' && fields !== undefined ? { ...send, fields } : send
}

/** Where a request names what it is about. */
function namePath(method: string, params: JsonObject | undefined): readonly string[] | undefined {
  switch (method) {
    case 'tools/call':
    case 'prompts/get':
      return ['name']
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return ['uri']
    case 'completion/complete':
      return ['ref', isJsonObject(params?.ref) && params.ref.type === 'ref/prompt' ? 'name' : 'uri']
    default:
      return undefined
  }
}

const STAMPS = [META.protocolVersion, META.clientInfo, META.clientCapabilities, META.logLevel]

function stampEdits({ from, link, peer, logLevel }: ToMember): JsonEdit[] {
  const at = (key: string) => ['params', '_meta', key]
  if (link.era === 'legacy') {
    // A server of both eras would take it for a modern request.
    return from === 'legacy' ? [] : STAMPS.map((key) => ({ path: at(key), json: undefined }))
  }
  if (from === 'modern') return []
  const stamp = { ...stampOf(peer, link.revision), ...(logLevel === undefined ? {} : { [META.logLevel]: logLevel }) }
  return Object.entries(stamp).map(([key, value]) => ({ path: at(key), json: JSON.stringify(value) }))
}

/** What becomes of a response on its way to the client. */
export interface ToClient {
  /** The client's. */
  readonly id: RequestId
  readonly to: EraName
  /** The member's. */
  readonly from: EraName
  readonly method: string
  /** What the virtual server calls itself. */
  readonly serverInfo: JsonObject
}

/** A member's response for the client. @throws UpstreamReadError */
export function toClient({ bytes, value }: { bytes: Uint8Array; value: JsonObject }, client: ToClient): Uint8Array {
  const { id, to, from, method, serverInfo } = client
  const edits: JsonEdit[] = [{ path: ['id'], json: JSON.stringify(id) }]
  const { result, error } = value
  if (isJsonObject(result)) {
    if (to === 'modern') {
      edits.push({ path: ['result', '_meta', META.serverInfo], json: JSON.stringify(serverInfo) })
      if (from === 'legacy') {
        edits.push({ path: ['result', 'resultType'], json: '"complete"' })
        // Lists too, of a server that has them for itself.
        if (method === 'resources/read' || listOf(method) !== undefined) {
          edits.push({ path: ['result', 'ttlMs'], json: '0' }, { path: ['result', 'cacheScope'], json: '"private"' })
        }
      }
    } else if (from === 'modern') {
      for (const key of ['resultType', 'ttlMs', 'cacheScope']) edits.push({ path: ['result', key], json: undefined })
      edits.push({ path: ['result', '_meta', META.serverInfo], json: undefined })
    }
  } else if (isJsonObject(error)) {
    const code = codeFor(error.code, to, method)
    if (code !== error.code) edits.push({ path: ['error', 'code'], json: JSON.stringify(code) })
  }
  return ofUpstream(() => spliceJson(bytes, edits))
}

function codeFor(code: unknown, to: EraName, method: string): unknown {
  if (to === 'modern' && code === McpCode.RESOURCE_NOT_FOUND) return JsonRpcCode.INVALID_PARAMS
  // No later revision may say it; what names pages to visit has been made into something else.
  if (to === 'modern' && code === McpCode.URL_ELICITATION_REQUIRED) return JsonRpcCode.INTERNAL_ERROR
  // A legacy client knows nothing of these, and it is not what it has sent that is wrong.
  if (to === 'legacy' && MODERN_ONLY.has(code)) return JsonRpcCode.INTERNAL_ERROR
  return to === 'legacy' && method === 'resources/read' && code === JsonRpcCode.INVALID_PARAMS
    ? McpCode.RESOURCE_NOT_FOUND
    : code
}

const MODERN_ONLY: ReadonlySet<unknown> = new Set([
  McpCode.HEADER_MISMATCH,
  McpCode.MISSING_CLIENT_CAPABILITY,
  McpCode.UNSUPPORTED_PROTOCOL_VERSION,
])
