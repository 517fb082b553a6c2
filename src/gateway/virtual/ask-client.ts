/** What a modern member wants to know before it answers, asked of a legacy client on its stream (B6). */

import { Abort } from '../../http/abort.ts'
import { mayBeAsked } from '../../mcp/asked-of-clients.ts'
import type { JsonEdit } from '../../mcp/json-splice.ts'
import { spliceJson } from '../../mcp/json-splice.ts'
import { memberBytes, valueBytes } from '../../mcp/json-values.ts'
import { isJsonObject } from '../../mcp/messages.ts'
import { elicitationIdOf } from '../../mcp/signal.ts'
import { ofUpstream, type UpstreamMessage } from '../../mcp/upstream-messages.ts'
import type { ClientAnswers } from './answers-of-clients.ts'
import { type CallUnderWay, inputsOf, MAX_ASKED, TOO_MUCH_ASKED } from './call-under-way.ts'
import { abortWith } from './running-calls.ts'

/** What goes to the member with the next try; a text says why there is none. */
export async function* askClient(
  answers: ClientAnswers,
  { context, abort }: Pick<CallUnderWay, 'context' | 'abort'>,
  message: Extract<UpstreamMessage, { kind: 'response' }>,
): AsyncGenerator<Uint8Array, readonly JsonEdit[] | string> {
  const { session, client } = context
  if (session === undefined) return 'asks for something, and without a session there is no way to answer'
  const inputs = inputsOf(message) ?? {}
  const keys = Object.keys(inputs)
  if (keys.length > MAX_ASKED) return TOO_MUCH_ASKED
  const sent = memberBytes(ofUpstream(() => valueBytes(message.bytes, ['result', 'inputRequests'])) ?? NONE)
  const asked: { readonly key: string; readonly id: string; readonly request: Uint8Array }[] = []
  for (const key of keys) {
    if (abort.aborted) return NOT_ANSWERED
    const input = inputs[key]
    const { method, params } = isJsonObject(input) ? input : {}
    if (typeof method !== 'string' || !mayBeAsked(client.capabilities, method, params)) {
      return 'asks for something that this client has not declared that it can be asked'
    }
    const bytes = valueBytes(sent.get(key) ?? NONE, ['params']) ?? NONE
    const id = await answers.newId(session)
    const head = `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)},"params":`
    const request = Buffer.concat([Buffer.from(head), withElicitationId(bytes, params), Buffer.from('}')])
    asked.push({ key, id, request })
  }
  // Once one is refused nobody waits for the others.
  const over = abortWith(new Abort(), abort)
  const edits: JsonEdit[] = []
  try {
    const waits = asked.map(({ id }) => answers.wait(session, id, over))
    for (const { request } of asked) yield request
    for (const [index, { key }] of asked.entries()) {
      const response = await waits[index]
      const result = response === undefined ? undefined : valueBytes(response, ['result'])
      if (result === undefined) return NOT_ANSWERED
      edits.push({ path: ['params', 'inputResponses', key], json: result })
    }
  } finally {
    over.abort()
  }
  const state = ofUpstream(() => valueBytes(message.bytes, ['result', 'requestState']))
  edits.push({ path: ['params', 'requestState'], json: state })
  return edits
}

const NOT_ANSWERED = 'asked for something that was not answered'
const NONE = Buffer.from('{}')

/** 2025-11-25 wants an id for the elicitation of a URL. */
function withElicitationId(bytes: Uint8Array, params: unknown): Uint8Array {
  const asked = isJsonObject(params) ? params : {}
  if (asked.mode !== 'url' || typeof asked.url !== 'string' || asked.elicitationId !== undefined) return bytes
  return spliceJson(bytes, [{ path: ['elicitationId'], json: JSON.stringify(elicitationIdOf(asked.url)) }])
}
