/**
 * Which revision of MCP a request speaks, and whether it does so as the revision
 * wants (docs/specification/2026-07-28/basic: Versioning, Streamable HTTP). Decided
 * by the body; header fields are checked against it, since others route by them.
 */
import { shortened } from '../core/shortened.ts'
import { JsonRpcCode, McpCode } from './error-codes.ts'
import { decodeHeaderValue, trimHeaderValue } from './header-values.ts'
import {
  isJsonObject,
  type JsonObject,
  type Message,
  type MessageBody,
  type MessageProblem,
  messageProblem,
  type RequestId,
} from './messages.ts'
import { NAMED_BY } from './targets.ts'

/** Revisions with an `initialize` handshake, newest first. Before 2025-03-26 there is no Streamable HTTP, but there are servers that say so. */
export const LEGACY_REVISIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const
/** Revisions whose requests say everything themselves. */
export const MODERN_REVISIONS = ['2026-07-28'] as const

/** One of {@link LEGACY_REVISIONS}. */
export type LegacyRevision = (typeof LEGACY_REVISIONS)[number]
/** One of {@link MODERN_REVISIONS}. */
export type ModernRevision = (typeof MODERN_REVISIONS)[number]

/** What a request speaks. */
export type Era =
  | {
      readonly kind: 'era'
      readonly era: 'legacy'
      /** For `initialize`: what the client asks for, or the nearest that there is. */
      readonly revision: LegacyRevision
      /** Of `initialize` only; later requests have them from the session. */
      readonly capabilities: JsonObject | undefined
    }
  | {
      readonly kind: 'era'
      readonly era: 'modern'
      readonly revision: ModernRevision
      /** What the client declares for this request. */
      readonly capabilities: JsonObject
    }

/** What is known beside the request. */
export interface EraContext {
  /** What the session was opened with: holds for requests without a version header field. */
  readonly sessionRevision?: LegacyRevision | undefined
  /** The modern revisions that the server behind this endpoint speaks, where that is known; else all that we know. */
  readonly modernRevisions?: readonly string[]
}

/** Header fields as Node has them: names in lower case. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>

/** Keys of `params._meta`. */
export const META = {
  protocolVersion: 'io.modelcontextprotocol/protocolVersion',
  clientCapabilities: 'io.modelcontextprotocol/clientCapabilities',
  clientInfo: 'io.modelcontextprotocol/clientInfo',
  logLevel: 'io.modelcontextprotocol/logLevel',
  serverInfo: 'io.modelcontextprotocol/serverInfo',
  subscriptionId: 'io.modelcontextprotocol/subscriptionId',
} as const

/** What a request without a version speaks (2025-06-18 and later, Protocol Version Header). */
const UNSAID: LegacyRevision = '2025-03-26'
/** The only one that has batches. */
const BATCHES: LegacyRevision = '2025-03-26'

/**
 * What the body of a POST speaks. Problems have the code and the HTTP status that 2026-07-28 asks for:
 *
 * | situation | code |
 * | --- | --- |
 * | a batch outside of 2025-03-26, or with `initialize`; a response in the modern era | -32600 |
 * | `_meta` without version or capabilities, where the header field or `_meta` says modern | -32602 |
 * | `MCP-Protocol-Version`, `Mcp-Method` or `Mcp-Name` missing, malformed, or not what the body says | -32020 |
 * | a version that is not spoken | -32022 |
 */
export function eraOf(body: MessageBody, headers: HeaderFields, context: EraContext = {}): Era | MessageProblem {
  const [message] = body.messages
  if (message === undefined) throw new TypeError('a body has a message')
  return body.batch ? eraOfBatch(body.messages, headers, context) : eraOfMessage(message, headers, context)
}

/**
 * What a GET or a DELETE speaks, which only the legacy eras have. The modern era gets 405 (2026-07-28, Earlier
 * Streamable HTTP Revisions).
 */
export function eraWithoutBody(headers: HeaderFields, context: EraContext = {}): Era | MessageProblem {
  const version = headerValue(headers, 'mcp-protocol-version')
  if (version !== undefined && isModern(version)) {
    return messageProblem(405, undefined, JsonRpcCode.INVALID_REQUEST, `Method not allowed: ${version} has POST only`)
  }
  return legacy(version, undefined, context)
}

/**
 * Whether a client takes `elicitation/create` in URL mode. `elicitation: {}` means forms only (2025-11-25 and later,
 * Elicitation), and before 2025-11-25 there is no URL mode.
 */
export function takesUrlElicitation(revision: string, capabilities: JsonObject | undefined): boolean {
  if (revision < '2025-11-25') return false
  const elicitation = capabilities?.elicitation
  return isJsonObject(elicitation) && isJsonObject(elicitation.url)
}

/** A client has not declared a capability that is needed (2026-07-28): `requiredCapabilities` as a client declares them. */
export function missingCapability(id: RequestId | undefined, requiredCapabilities: JsonObject): MessageProblem {
  const names = Object.keys(requiredCapabilities).join(', ')
  const message = `Missing required client capabilities: ${names}`
  return messageProblem(400, id, McpCode.MISSING_CLIENT_CAPABILITY, message, { requiredCapabilities })
}

/** A header field does not say what the body says (2026-07-28, HeaderMismatch). */
export function headerMismatch(id: RequestId | undefined, detail: string): MessageProblem {
  return messageProblem(400, id, McpCode.HEADER_MISMATCH, `Header mismatch: ${detail}`)
}

function eraOfBatch(messages: readonly Message[], headers: HeaderFields, context: EraContext): Era | MessageProblem {
  const refused = (why: string) =>
    messageProblem(400, undefined, JsonRpcCode.INVALID_REQUEST, `Invalid Request: ${why}`)
  for (const message of messages) {
    if (message.kind === 'response') continue
    if (metaOf(message)?.[META.protocolVersion] !== undefined) return refused('a batch has no modern requests')
    if (message.method === 'initialize') return refused('initialize must not be in a batch')
  }
  const version = headerValue(headers, 'mcp-protocol-version')
  if (version !== undefined && isModern(version)) return refused(`${version} has no batches`)
  const era = legacy(version, undefined, context)
  if (era.kind === 'problem' || era.revision === BATCHES) return era
  return refused(`${era.revision} has no batches`)
}

function eraOfMessage(message: Message, headers: HeaderFields, context: EraContext): Era | MessageProblem {
  const version = headerValue(headers, 'mcp-protocol-version')
  if (message.kind === 'response') {
    if (version === undefined || !isModern(version)) return legacy(version, undefined, context)
    const why = `Invalid Request: ${version} has no responses of clients`
    return messageProblem(400, undefined, JsonRpcCode.INVALID_REQUEST, why)
  }
  const claim = metaOf(message)?.[META.protocolVersion]
  // `initialize` is legacy unless it says all that a modern request says. SDK servers see it in the same way.
  const isClaim =
    typeof claim === 'string' && isModern(claim) && isJsonObject(metaOf(message)?.[META.clientCapabilities])
  if (message.method === 'initialize' && !isClaim) {
    return version !== undefined && isModern(version)
      ? mismatch(message, `${version} in MCP-Protocol-Version has no initialize`)
      : eraOfInitialize(message)
  }
  if (claim !== undefined) return eraOfClaim(message, claim, version, headers, context)
  if (version === undefined || !isModern(version)) return legacy(version, idOf(message), context)
  // Notifications of clients have no `_meta` that they must have, and their header fields are not defined.
  if (message.kind === 'notification') {
    return methodProblem(message, headers, false) ?? modern(message, version, {}, context)
  }
  return incomplete(message, `params._meta has no ${META.protocolVersion}, though MCP-Protocol-Version is ${version}`)
}

type Asking = Exclude<Message, { kind: 'response' }>

function eraOfInitialize({ params }: Asking): Era {
  const asked = params?.protocolVersion
  const capabilities = isJsonObject(params?.capabilities) ? params.capabilities : undefined
  // What is newer than all handshakes gets the last one; what cannot be told gets the least.
  const nearest = typeof asked === 'string' && asked > LEGACY_REVISIONS[0] ? LEGACY_REVISIONS[0] : UNSAID
  const revision = LEGACY_REVISIONS.find((each) => each === asked) ?? nearest
  return { kind: 'era', era: 'legacy', revision, capabilities }
}

/** A message that says in `_meta` what it speaks. */
function eraOfClaim(
  message: Asking,
  claim: unknown,
  version: string | undefined,
  headers: HeaderFields,
  context: EraContext,
): Era | MessageProblem {
  if (typeof claim !== 'string') return incomplete(message, `${META.protocolVersion} in params._meta must be a text`)
  if (version === undefined ? message.kind === 'request' : version !== claim) {
    const said = version === undefined ? 'is missing' : `is ${quoted(version)}`
    return mismatch(message, `MCP-Protocol-Version ${said}, the body has ${quoted(claim)}`)
  }
  if (LEGACY_REVISIONS.some((revision) => revision === claim)) return legacy(claim, idOf(message), context)
  const capabilities = metaOf(message)?.[META.clientCapabilities]
  const era = modern(message, claim, isJsonObject(capabilities) ? capabilities : {}, context)
  if (era.kind === 'problem') return era
  if (message.kind === 'request' && !isJsonObject(capabilities)) {
    return incomplete(message, `params._meta has no ${META.clientCapabilities}, or it is not an object`)
  }
  const isRequest = message.kind === 'request'
  return methodProblem(message, headers, isRequest) ?? (isRequest ? nameProblemOf(message, headers) : undefined) ?? era
}

function methodProblem(message: Asking, headers: HeaderFields, required: boolean): MessageProblem | undefined {
  const said = headerValue(headers, 'mcp-method')
  if (said === undefined) return required ? mismatch(message, 'Mcp-Method is missing') : undefined
  if (said === message.method) return undefined
  return mismatch(message, `Mcp-Method is ${quoted(said)}, the body has ${quoted(message.method)}`)
}

function nameProblemOf(message: Asking, headers: HeaderFields): MessageProblem | undefined {
  const member = NAMED_BY.get(message.method)
  if (member === undefined) return undefined
  const named = message.params?.[member]
  const said = headerValue(headers, 'mcp-name')
  // Of the Tasks extension only what is said is checked. A body without the name is dealt with later.
  if (said === undefined) {
    return typeof named === 'string' && member !== 'taskId' ? mismatch(message, 'Mcp-Name is missing') : undefined
  }
  const decoded = decodeHeaderValue(said)
  if (decoded === undefined) return mismatch(message, 'Mcp-Name has characters or base64 that it must not have')
  if (decoded === named) return undefined
  return mismatch(message, `Mcp-Name is ${quoted(decoded)}, params.${member} in the body is not`)
}

function modern(message: Asking, version: string, capabilities: JsonObject, context: EraContext): Era | MessageProblem {
  const supported = context.modernRevisions ?? MODERN_REVISIONS
  const revision = MODERN_REVISIONS.find((each) => each === version)
  if (revision === undefined || !supported.includes(revision)) {
    return unsupported(idOf(message), version, supported.length === 0 ? LEGACY_REVISIONS : supported)
  }
  return { kind: 'era', era: 'modern', revision, capabilities }
}

function legacy(version: string | undefined, id: RequestId | undefined, context: EraContext): Era | MessageProblem {
  if (version === undefined) {
    return { kind: 'era', era: 'legacy', revision: context.sessionRevision ?? UNSAID, capabilities: undefined }
  }
  const revision = LEGACY_REVISIONS.find((each) => each === version)
  if (revision !== undefined) return { kind: 'era', era: 'legacy', revision, capabilities: undefined }
  return unsupported(id, version, [...(context.modernRevisions ?? MODERN_REVISIONS), ...LEGACY_REVISIONS])
}

function unsupported(id: RequestId | undefined, version: string, supported: readonly string[]): MessageProblem {
  const requested = shortened(version, MAX_QUOTED)
  const message = `Unsupported protocol version: ${requested}`
  return messageProblem(400, id, McpCode.UNSUPPORTED_PROTOCOL_VERSION, message, { supported, requested })
}

function mismatch(message: Asking, detail: string): MessageProblem {
  return headerMismatch(idOf(message), detail)
}

function incomplete(message: Asking, detail: string): MessageProblem {
  return messageProblem(400, idOf(message), JsonRpcCode.INVALID_PARAMS, `Invalid params: ${detail}`)
}

/** What a message quotes goes to the audit too, and a body has room for megabytes. */
const MAX_QUOTED = 100

function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_QUOTED ? `${shortened(text, MAX_QUOTED)}...` : text)
}

const REVISION = /^\d{4}-\d{2}-\d{2}$/

/** Revisions are dates; what comes after the last handshake has none. */
function isModern(version: string): boolean {
  return REVISION.test(version) && version > LEGACY_REVISIONS[0]
}

function idOf(message: Asking): RequestId | undefined {
  return message.kind === 'request' ? message.id : undefined
}

function metaOf(message: Message): JsonObject | undefined {
  const meta = message.kind === 'response' ? undefined : message.params?._meta
  return isJsonObject(meta) ? meta : undefined
}

/** Several lines of one field have no meaning here: Node joins them with commas, and they match nothing. */
function headerValue(headers: HeaderFields, name: string): string | undefined {
  const value = headers[name]
  if (value === undefined) return undefined
  return trimHeaderValue(typeof value === 'string' ? value : value.join(', '))
}
