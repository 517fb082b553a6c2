/** The header fields that repeat parameters of a call (2026-07-28, `x-mcp-header`): checked as they come, made for modern members. */
import { headerMismatch } from '../../mcp/eras.ts'
import type { MessageProblem, RequestMessage } from '../../mcp/messages.ts'
import { mistakenField, parameterFields } from '../../mcp/virtual/parameter-headers.ts'
import type { VirtualContext } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { Route } from './routes.ts'

/** Fields for the member, or what is wrong with those of the client. */
export type CallFields = { readonly kind: 'fields'; readonly fields: Readonly<Record<string, string>> } | MessageProblem

const PARAMETER = /^mcp-param-[!#$%&'*+.^_`|~\w-]+$/
const NONE: CallFields = { kind: 'fields', fields: {} }

/** Those that the tool's schema wants, and the client's own that it says nothing of. None for what is no tool. */
export async function callFields(
  context: VirtualContext,
  lists: Pick<VirtualLists, 'parameters'>,
  request: RequestMessage,
  { member, original }: Route,
): Promise<CallFields> {
  if (request.method !== 'tools/call') return NONE
  const { era, virtual, exchange } = context
  const isModern = era.era === 'modern'
  const own = isModern ? Object.entries(exchange.request.headers).filter(([name]) => PARAMETER.test(name)) : []
  // A bridged server that a modern client needs the bridge for is legacy.
  const isLegacy = member.server.config.era === 'legacy' || (virtual.bridged !== undefined && isModern)
  // Nobody sends them, and nobody wants them.
  if (isLegacy && !isModern) return NONE
  // A legacy server means nothing by them: it is not asked for its tools only to miss one.
  const headers = await lists.parameters(context, member, original, { known: isLegacy && own.length === 0 })
  const args = request.params?.arguments
  // A client of an earlier revision knows nothing of them: they are made for it.
  const mistaken = isModern && mistakenField(headers, args, (field) => own.find(([name]) => name === field)?.[1])
  if (mistaken) return headerMismatch(request.id, `${mistaken} is missing, or is not what the arguments say`)
  const declared = new Set(headers.map(({ field }) => field))
  // What no schema tells of goes on as it is (2026-07-28): whoever reads the body validates what it recognises.
  const others = own.flatMap(([name, value]) =>
    typeof value === 'string' && !declared.has(name) ? [[name, value] as const] : [],
  )
  const made = parameterFields(headers, args)
  return { kind: 'fields', fields: others.length === 0 ? made : { ...Object.fromEntries(others), ...made } }
}
