/** The answer to a list request of a client: the merged list, without what the caller may not have, page by page. */
import { META } from '../../mcp/eras.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { spliceJson } from '../../mcp/json-splice.ts'
import type { ListName } from '../../mcp/list-filter.ts'
import { type RequestMessage, resultResponse } from '../../mcp/messages.ts'
import { namedEntry } from '../../mcp/virtual/merge.ts'
import { pageOf } from '../../mcp/virtual/paging.ts'
import type { Permissions } from '../permissions.ts'
import { errorAnswer, oneAnswer, type VirtualAnswer } from './answer.ts'
import { serverInfoOf, type VirtualContext } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { VirtualSignal } from './signal.ts'

/** What lists are answered with. */
export interface ListAnswerParts {
  readonly permissions: Permissions
  readonly lists: VirtualLists
  readonly signal: VirtualSignal
  /** What is to be done before anything can be used (`require: 'all'`). */
  missingConsents(context: VirtualContext, request: RequestMessage): Promise<VirtualAnswer | undefined>
}

const COMMA = Buffer.from(',')
/** Of a list, for the operator. */
const MAX_PROBLEMS = 20
const RELAYED = { outcome: 'relayed' } as const

/** See the top of the file. */
export function createListAnswer(parts: ListAnswerParts) {
  const { permissions, lists, signal, missingConsents } = parts
  return answerList

  async function answerList(context: VirtualContext, request: RequestMessage, list: ListName): Promise<VirtualAnswer> {
    const { virtual, asker, era } = context
    const found = await lists.list(context, list)
    if (found.needs.length > 0 && virtual.config.require !== 'any') {
      return (await missingConsents(context, request)) ?? signal.needs(context, request, virtual.name, found.needs)
    }
    const judge = permissions.lists(asker)
    const kept: (typeof found.entries)[number][] = []
    for (const entry of found.entries) {
      const allowed = judge === undefined || judge.allows(list, entry.name)
      if (typeof allowed === 'boolean' ? allowed : await allowed) kept.push(entry)
    }
    const page = pageOf(kept, request.params?.cursor)
    if (page === undefined) {
      const words = 'Invalid params: the cursor is of another list; begin again without one'
      return errorAnswer(request.id, JsonRpcCode.INVALID_PARAMS, words, { outcome: 'refused', reason: 'cursor' })
    }
    const result = {
      ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }),
      ...(era.era === 'legacy'
        ? {}
        : {
            resultType: 'complete',
            ttlMs: found.ttlMs,
            cacheScope: 'private',
            _meta: { [META.serverInfo]: serverInfoOf(virtual) },
          }),
    }
    const entries = page.entries.map(namedEntry)
    const json = Buffer.concat([
      Buffer.from('['),
      ...entries.flatMap((entry, index) => (index === 0 ? [entry] : [COMMA, entry])),
      Buffer.from(']'),
    ])
    const bytes = spliceJson(Buffer.from(JSON.stringify(resultResponse(request.id, result))), [
      { path: ['result', list], json },
    ])
    const problems = found.problems.slice(0, MAX_PROBLEMS).join('; ')
    return oneAnswer(bytes, problems === '' ? RELAYED : { ...RELAYED, reason: 'partial_list', detail: problems })
  }
}
