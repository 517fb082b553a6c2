/** Every page of one list of one member, for one user: up to a deadline, and to bounds that no member gets past. */
import type { AuthorizationNeed, CredentialKind } from '../../broker/credential.ts'
import type { AbortSource } from '../../http/gate.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import type { ListName } from '../../mcp/list-filter.ts'
import { isJsonObject, type JsonObject, type RequestMessage } from '../../mcp/messages.ts'
import { ownId } from '../../mcp/request-ids.ts'
import { UpstreamReadError } from '../../mcp/upstream-messages.ts'
import { toMember } from '../../mcp/virtual/crossing.ts'
import { readListPage } from '../../mcp/virtual/list-page.ts'
import type { ListEntry } from '../../mcp/virtual/merge.ts'
import { type ParameterHeader, parameterHeaders } from '../../mcp/virtual/parameter-headers.ts'
import type { VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'
import type { MemberProblem } from './member-credential.ts'
import type { VirtualMembers } from './members.ts'

/** What a member lists. */
export interface MemberList {
  readonly entries: readonly ListEntry[]
  /** Of tools that have any, by the tool's own name. */
  readonly headers: ReadonlyMap<string, readonly ParameterHeader[]>
  /** For the operator: what was left out, and why. */
  readonly problems: readonly string[]
  /** Of all entries. */
  readonly bytes: number
  /** How long the member says that it may be kept, in milliseconds; the least of its pages. */
  readonly ttlMs: number
  /** What it was asked with; `undefined` where it has no such list. */
  readonly credential: CredentialKind | undefined
}

/** Why there is no list of a member: consent that is missing, or what went wrong. */
export interface NoMemberList {
  readonly need?: AuthorizationNeed
  readonly problem?: string
  /** The user has no credential that the member takes: what it has told them before is nothing to go by, either. */
  readonly withheld: boolean
  /** Somebody has to consent first, or nothing would mend it. */
  readonly closed?: boolean
}

/** Asks a member for one of its lists. */
export type AskMemberList = (
  context: VirtualContext,
  member: LiveMember,
  list: ListName,
) => Promise<MemberList | NoMemberList>

/** The longest that a list is kept, whatever its member says. */
export const MAX_TTL_MS = 60 * 60 * 1000

/** Of a member that does not say: its lists may be others at any time, and mostly are not. */
const DEFAULT_TTL_MS = 5_000
const MAX_PAGES = 50
const MAX_ENTRIES = 5_000
const MAX_BYTES = 8 * 1024 * 1024

const METHOD: Readonly<Record<ListName, string>> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  resourceTemplates: 'resources/templates/list',
}

/** @param listMs - for all pages of a member, in milliseconds */
export function createMemberList(members: VirtualMembers, listMs: number): AskMemberList {
  return pagesOf

  async function pagesOf(
    context: VirtualContext,
    member: LiveMember,
    list: ListName,
  ): Promise<MemberList | NoMemberList> {
    const entries: ListEntry[] = []
    const headers = new Map<string, readonly ParameterHeader[]>()
    const problems: string[] = []
    const { name } = member.server
    const signal = AbortSignal.timeout(listMs)
    const cursors = new Set<string>()
    let cursor: string | undefined
    let credential: CredentialKind | undefined
    let bytes = 0
    let ttlMs = MAX_TTL_MS
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await pageOf(context, member, list, cursor, signal)
      if ('withheld' in page) return page
      if ('none' in page) break
      credential = page.credential
      ttlMs = Math.min(ttlMs, page.ttlMs ?? DEFAULT_TTL_MS)
      if (page.nameless > 0) problems.push(`${name} lists ${page.nameless} without a name that can be told`)
      for (const entry of page.entries) {
        const fields = list === 'tools' ? annotated(entry) : []
        bytes += entry.bytes.length
        if (fields === undefined) problems.push(`${name} has a tool with an x-mcp-header where none may be`)
        else if (entries.length < MAX_ENTRIES && bytes <= MAX_BYTES) {
          entries.push(entry)
          if (fields.length > 0) headers.set(entry.original, fields)
        }
      }
      cursor = page.nextCursor
      if (cursor === undefined || entries.length >= MAX_ENTRIES || bytes > MAX_BYTES || cursors.has(cursor)) break
      cursors.add(cursor)
    }
    if (cursor !== undefined || bytes > MAX_BYTES)
      problems.push(`${name} lists more than is read; the rest is left out`)
    return { entries, headers, problems, bytes, ttlMs, credential }
  }

  async function pageOf(
    context: VirtualContext,
    member: LiveMember,
    list: ListName,
    cursor: string | undefined,
    signal: AbortSource,
  ) {
    const id = ownId()
    const params = cursor === undefined ? {} : { cursor }
    const raw = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, method: METHOD[list], params }))
    const request: RequestMessage = { kind: 'request', id, method: METHOD[list], params, raw }
    const sent = await members.send(
      context,
      member,
      (link, peer) => toMember(request, { id, from: 'legacy', link, peer, original: undefined }),
      signal,
      { ofGateway: true },
    )
    if (sent.kind !== 'sent') return noList(sent)
    const { result } = sent
    let response: { readonly bytes: Uint8Array; readonly value: JsonObject } | undefined
    if (result.kind === 'error') response = result.message
    else if (result.kind === 'messages') {
      try {
        for await (const message of result.messages) if (message.kind === 'response') response = message
      } catch (error) {
        if (!(error instanceof UpstreamReadError)) throw error
        return { problem: signal.aborted ? 'no list in time' : error.message, withheld: false }
      }
    }
    const error = response?.value.error
    if (isJsonObject(error)) {
      // It has no such thing.
      return error.code === JsonRpcCode.METHOD_NOT_FOUND
        ? { none: true }
        : { problem: `its list is the error ${error.code}`, withheld: false }
    }
    const page =
      response !== undefined && isJsonObject(response.value.result)
        ? readListPage(response.bytes, response.value.result, list)
        : undefined
    return page === undefined
      ? { problem: 'its list cannot be read', withheld: false }
      : { ...page, credential: sent.credential }
  }
}

const ANNOTATION = Buffer.from('x-mcp-header')

/** The fields of a tool; `undefined` where it must not be offered. */
export function annotated({ bytes }: ListEntry): readonly ParameterHeader[] | undefined {
  // Nearly no tool has any, and keys could be spelt with escapes.
  if (!Buffer.from(bytes).includes(ANNOTATION) && !bytes.includes(0x5c)) return []
  try {
    const tool: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return isJsonObject(tool) ? parameterHeaders(tool.inputSchema) : undefined
  } catch {
    return undefined
  }
}

/** Why there is no list of a member that was not reached. */
export function noList(problem: MemberProblem): NoMemberList {
  if (problem.kind === 'need') return { need: problem.need, withheld: true, closed: true }
  if (problem.kind === 'refused') {
    return { problem: problem.detail ?? problem.message, withheld: true, closed: true }
  }
  const withheld = problem.kind !== 'failed' || problem.upstreamStatus === 401 || problem.upstreamStatus === 403
  return { problem: problem.detail, withheld }
}
