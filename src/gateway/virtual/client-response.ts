/**
 * The response of a member as the client takes it: in the era of the client, a list without what the caller may not have, and a
 * page that somebody has to visit first in the form that the era has for it (B6).
 */
import { META, takesUrlElicitation } from '../../mcp/eras.ts'
import { GatewayCode, McpCode } from '../../mcp/error-codes.ts'
import { type ListName, listOf } from '../../mcp/list-filter.ts'
import { filterByJudge } from '../../mcp/list-judge.ts'
import { errorResponse, isJsonObject, type JsonObject, resultResponse } from '../../mcp/messages.ts'
import type { RequestStates } from '../../mcp/request-state.ts'
import { authorizationSignal } from '../../mcp/signal.ts'
import { type UpstreamMessage, UpstreamReadError } from '../../mcp/upstream-messages.ts'
import { toClient } from '../../mcp/virtual/crossing.ts'
import { readListPage } from '../../mcp/virtual/list-page.ts'
import type { Permissions } from '../permissions.ts'
import { type CallUnderWay, MAX_ASKED, TAKES_INPUT, TOO_MUCH_ASKED } from './call-under-way.ts'
import { serverInfoOf } from './context.ts'
import { annotated } from './member-list.ts'

/** What has to be known of the call. */
export type AnsweredCall = Pick<CallUnderWay, 'context' | 'member' | 'link' | 'request'>

type Response = Extract<UpstreamMessage, { kind: 'response' }>

/** A response for the client. Rejects where the user's `decide` fails, and with `UpstreamReadError` where too much is asked. */
export type ClientResponse = (call: AnsweredCall, response: Response) => Promise<Uint8Array>

/** What responses are made with. */
export interface ClientResponseParts {
  readonly permissions: Pick<Permissions, 'lists'>
  readonly requestStates: Pick<RequestStates, 'seal'>
}

/** See the top of the file. */
export function createClientResponse({ permissions, requestStates }: ClientResponseParts): ClientResponse {
  /** -32042, which 2026-07-28 does not have: input that is required, and the same request once more afterwards. */
  async function visit({ context, member, link, request }: AnsweredCall, visits: readonly Visit[]) {
    const { era, virtual, asker } = context
    const { id, method } = request
    const form = virtual.config.signal ?? 'best'
    const urlElicitation = takesUrlElicitation(era.revision, era.capabilities)
    if (!urlElicitation || form === 'text' || !TAKES_INPUT.has(method)) {
      const { body } = authorizationSignal({
        era: era.era,
        revision: era.revision,
        urlElicitation,
        asked: { kind: 'messages', batch: false, messages: [request] },
        server: member.server.name,
        need: { kind: 'visit', urls: visits.map(({ url }) => url) },
        form: 'text',
        discovery: undefined,
      })
      return body ?? {}
    }
    const place = { server: virtual.name, identity: asker.caller.identity.id }
    const requests = visits.map(({ url, message }, index) => [
      // As those of our own consents, so that they are cut out of what goes on.
      `authorization-${index + 1}`,
      { method: 'elicitation/create', params: { mode: 'url', message, url } },
    ])
    return resultResponse(id, {
      resultType: 'input_required',
      inputRequests: Object.fromEntries(requests),
      requestState: await requestStates.seal(request, place),
      _meta: { [META.serverInfo]: serverInfoOf(virtual, link) },
    })
  }

  /** A list without what the caller may not know of, and without tools that a client must not be offered. */
  async function filtered({ context, link, request, member }: AnsweredCall, list: ListName, given: Given) {
    const judge = permissions.lists(context.asker)
    const wrong = link.era === 'modern' && list === 'tools' ? wronglyAnnotated(given) : NONE
    if (judge === undefined && wrong.size === 0) return given.bytes
    const done = await filterByJudge(given.bytes, {
      lists: new Set([list]),
      era: context.era.era,
      allows: (of, name) => !wrong.has(name) && (judge === undefined || judge.allows(of, name)),
    })
    if (done.kind === 'changed') return done.bytes
    if (done.kind === 'unchanged') return given.bytes
    const message = `${member.server.name} answered with a list that cannot be read.`
    return Buffer.from(JSON.stringify(errorResponse(request.id, GatewayCode.UPSTREAM_NONSENSE, message)))
  }

  return async (call, response) => {
    const { context, link, request } = call
    const visits = context.era.era === 'modern' ? visitsIn(response.value) : []
    if (visits.length > 0) return Buffer.from(JSON.stringify(await visit(call, visits)))
    const bytes = toClient(response, {
      id: request.id,
      to: context.era.era,
      from: link.era,
      method: request.method,
      serverInfo: serverInfoOf(context.virtual, link),
    })
    const list = listOf(request.method)
    const { result } = response.value
    return list === undefined || !isJsonObject(result) ? bytes : filtered(call, list, { bytes, result })
  }
}

/** A list as the client would get it, and what it says. */
interface Given {
  readonly bytes: Uint8Array
  readonly result: JsonObject
}

const NONE: ReadonlySet<string> = new Set()

/** 2026-07-28, x-mcp-header: a tool whose annotation is invalid is not offered. Clients of other eras do not look. */
function wronglyAnnotated({ bytes, result }: Given): ReadonlySet<string> {
  const { entries = [] } = readListPage(bytes, result, 'tools') ?? {}
  return new Set(entries.flatMap((entry) => (annotated(entry) === undefined ? [entry.original] : [])))
}

/** A page that somebody has to visit. */
interface Visit {
  readonly url: string
  readonly message: string
}

/** Nothing but http(s) may be offered to be opened, and a space would end a URL in a text. */
const URL_FORM = /^https?:\/\/[!-~]+$/

/** The pages of a URLElicitationRequiredError (2025-11-25, Elicitation). @throws UpstreamReadError */
function visitsIn({ error }: JsonObject): readonly Visit[] {
  if (!isJsonObject(error) || error.code !== McpCode.URL_ELICITATION_REQUIRED) return []
  const all = isJsonObject(error.data) && Array.isArray(error.data.elicitations) ? error.data.elicitations : []
  if (all.length > MAX_ASKED) throw new UpstreamReadError('nonsense', TOO_MUCH_ASKED)
  return all.flatMap((each: unknown) => {
    const { url, message } = isJsonObject(each) ? each : {}
    if (typeof url !== 'string' || !URL_FORM.test(url) || !URL.canParse(url)) return []
    return [{ url, message: typeof message === 'string' ? message : `Please visit: ${url}` }]
  })
}
