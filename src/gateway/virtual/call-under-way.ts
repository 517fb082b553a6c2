/** A call that a member has, and what its response may ask first. */
import type { Abort } from '../../http/abort.ts'
import { isJsonObject, type JsonObject, type MessageProblem, type RequestMessage } from '../../mcp/messages.ts'
import type { UpstreamMessage } from '../../mcp/upstream-messages.ts'
import type { UpstreamLink } from '../../mcp/upstream-peer.ts'
import type { VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'
import type { MemberPeer } from './members.ts'

/** A call that is under way. */
export interface CallUnderWay {
  readonly context: VirtualContext
  readonly member: LiveMember
  /** What it calls what was asked for: found once, for the name that access was judged by. */
  readonly original: string
  readonly peer: MemberPeer
  readonly link: UpstreamLink
  /** The client's. */
  readonly request: RequestMessage
  /** Its id at the member. */
  readonly memberId: string | number
  readonly messages: AsyncGenerator<UpstreamMessage>
  readonly abort: Abort
  /** What a modern client is answered if the call fails, since the member has asked for what the client has not declared. */
  readonly missing?: MessageProblem | undefined
}

/** 2026-07-28, Multi Round-Trip Requests: the only ones that are answered with what is required. */
export const TAKES_INPUT: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** What a response asks of the client, if it does (2026-07-28, InputRequiredResult). */
export function inputsOf(message: UpstreamMessage): JsonObject | undefined {
  const { result } = message.value
  const asks = message.kind === 'response' && isJsonObject(result) && result.resultType === 'input_required'
  return asks ? (isJsonObject(result.inputRequests) ? result.inputRequests : {}) : undefined
}

/** So much may be asked of a client at once: each question costs something for as long as it waits. */
export const MAX_ASKED = 32
/** What a member does that wants more. */
export const TOO_MUCH_ASKED = `asks for more than ${MAX_ASKED} things at once`

/** Messages of a call that nobody waits for. */
export async function* nothing(): AsyncGenerator<never> {}

/** The messages of a call of which the only one has been read already. */
export async function* replayed(message: UpstreamMessage): AsyncGenerator<UpstreamMessage> {
  yield message
}
