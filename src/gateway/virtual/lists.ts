/**
 * What a virtual server lists: every page of every member, merged, for one user. A member that is dead, slow, or goes on for ever
 * costs its own entries at most, and what it had before is shown as long as it is known.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { AuthorizationNeed } from '../../broker/credential.ts'
import type { Clock } from '../../core/clock.ts'
import { JsonRpcCode } from '../../mcp/error-codes.ts'
import { spliceJson } from '../../mcp/json-splice.ts'
import type { ListName } from '../../mcp/list-filter.ts'
import { isJsonObject, type JsonObject, type RequestMessage } from '../../mcp/messages.ts'
import { ownId } from '../../mcp/request-ids.ts'
import { UpstreamReadError } from '../../mcp/upstream-messages.ts'
import { toMember } from '../../mcp/virtual/crossing.ts'
import { readListPage } from '../../mcp/virtual/list-page.ts'
import { type ListEntry, type MergedList, mergeLists, type NameKind } from '../../mcp/virtual/merge.ts'
import { type ParameterHeader, parameterHeaders } from '../../mcp/virtual/parameter-headers.ts'
import type { VirtualContext } from './context.ts'
import type { LiveMember } from './live.ts'
import type { VirtualMembers } from './members.ts'

/** A merged list. */
export interface VirtualList extends MergedList {
  /** Consents that are missing, by member. */
  readonly needs: readonly AuthorizationNeed[]
  /** How long it may be kept, in milliseconds. */
  readonly ttlMs: number
  /** Members of which nothing is known: they could have anything. */
  readonly unknown: ReadonlySet<string>
}

/** See the top of the file. */
export interface VirtualLists {
  /** `known`: what was found out before will do, however old. */
  list(context: VirtualContext, list: ListName, options?: { readonly known?: boolean }): Promise<VirtualList>
  /** The fields that a member wants for a tool of its own. Asks the member where nothing is known. */
  parameters(context: VirtualContext, member: LiveMember, tool: string): Promise<readonly ParameterHeader[]>
  /** A member has said that its lists are others now. */
  changed(member: string): void
}

/** The kind of names of a list, by which a configuration chooses. */
export const KIND_OF: Readonly<Record<ListName, NameKind>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'resource',
}

const METHOD: Readonly<Record<ListName, string>> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  resourceTemplates: 'resources/templates/list',
}

/** Of a member that does not say: its lists may be others at any time, and mostly are not. */
const DEFAULT_TTL_MS = 5_000
const MAX_TTL_MS = 60 * 60 * 1000
/** How long a member that has failed is not asked again. */
const FAILED_MS = 5_000
const MAX_PAGES = 50
const MAX_ENTRIES = 5_000
const MAX_BYTES = 8 * 1024 * 1024
const CACHE_BYTES = 64 * 1024 * 1024

/** What is known of one list of one member, for one user. */
interface Known {
  readonly entries: readonly ListEntry[]
  readonly headers: ReadonlyMap<string, readonly ParameterHeader[]>
  readonly problems: readonly string[]
  readonly need: AuthorizationNeed | undefined
  readonly failed: boolean
  /** Nothing has ever been found out. */
  readonly never: boolean
  readonly bytes: number
  readonly freshUntil: number
}

/** @param listMs - for all pages of a member, in milliseconds */
export function createVirtualLists(members: VirtualMembers, clock: Clock, listMs: number): VirtualLists {
  const known = new LRUCache<string, Known>({ maxSize: CACHE_BYTES, sizeCalculation: ({ bytes }) => bytes + 1_000 })
  /** What anybody was last told, by member: shown to those who are still to be connected. */
  const lastKnown = new LRUCache<string, Known>({
    maxSize: CACHE_BYTES / 4,
    sizeCalculation: ({ bytes }) => bytes + 1_000,
  })
  const asking = new Map<string, Promise<Known>>()

  async function ofMember(
    context: VirtualContext,
    member: LiveMember,
    list: ListName,
    anyAge: boolean,
  ): Promise<Known> {
    const key = keyOf(context, member, list)
    const before = known.get(key)
    if (before !== undefined && (clock.now() < before.freshUntil || (anyAge && !before.never && !before.failed)))
      return before
    const under = asking.get(key)
    if (under !== undefined) return under
    const asked = ask(context, member, list, before).finally(() => asking.delete(key))
    asking.set(key, asked)
    const found = await asked
    known.set(key, found)
    return found
  }

  async function ask(context: VirtualContext, member: LiveMember, list: ListName, before?: Known): Promise<Known> {
    const { server } = member
    const shared = `${server.relay.url.href} ${list}`
    const found = await pagesOf(context, member, list)
    if ('entries' in found) {
      lastKnown.set(shared, found)
      return found
    }
    const last = before?.never === false ? before : lastKnown.get(shared)
    return {
      entries: last?.entries ?? [],
      headers: last?.headers ?? new Map(),
      problems: found.problem === undefined ? [] : [`${server.name}: ${found.problem}`],
      need: found.need,
      failed: true,
      never: last === undefined,
      bytes: 0,
      // Who has just consented comes back at once.
      freshUntil: found.need === undefined ? clock.now() + FAILED_MS : 0,
    }
  }

  async function pagesOf(
    context: VirtualContext,
    member: LiveMember,
    list: ListName,
  ): Promise<Known | { readonly need?: AuthorizationNeed; readonly problem?: string }> {
    const entries: ListEntry[] = []
    const headers = new Map<string, readonly ParameterHeader[]>()
    const problems: string[] = []
    const { name } = member.server
    const signal = AbortSignal.timeout(listMs)
    const cursors = new Set<string>()
    let cursor: string | undefined
    let bytes = 0
    let ttlMs = MAX_TTL_MS
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await pageOf(context, member, list, cursor, signal)
      if ('problem' in page || 'need' in page) return page
      if ('none' in page) break
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
    const freshUntil = clock.now() + Math.min(ttlMs, MAX_TTL_MS)
    return { entries, headers, problems, need: undefined, failed: false, never: false, bytes, freshUntil }
  }

  async function pageOf(
    context: VirtualContext,
    member: LiveMember,
    list: ListName,
    cursor: string | undefined,
    signal: AbortSignal,
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
    )
    if (sent.kind === 'need') return { need: sent.need }
    if (sent.kind !== 'sent') return { problem: problemText(sent) }
    const { result } = sent
    let response: { readonly bytes: Uint8Array; readonly value: JsonObject } | undefined
    if (result.kind === 'error') response = result.message
    else if (result.kind === 'messages') {
      try {
        for await (const message of result.messages) if (message.kind === 'response') response = message
      } catch (error) {
        if (!(error instanceof UpstreamReadError)) throw error
        return { problem: signal.aborted ? 'no list in time' : error.message }
      }
    }
    const error = response?.value.error
    if (isJsonObject(error)) {
      // It has no such thing.
      return error.code === JsonRpcCode.METHOD_NOT_FOUND
        ? { none: true }
        : { problem: `its list is the error ${error.code}` }
    }
    const page =
      response !== undefined && isJsonObject(response.value.result)
        ? readListPage(response.bytes, response.value.result, list)
        : undefined
    return page ?? { problem: 'its list cannot be read' }
  }

  return {
    async list(context, list, { known: anyAge = false } = {}) {
      const kind = KIND_OF[list]
      const chosen = context.virtual.having[kind]
      const found = await Promise.all(chosen.map((member) => ofMember(context, member, list, anyAge)))
      const merged = mergeLists(
        chosen.flatMap(({ server, names }, index) => {
          const { [kind]: map } = names
          return map === undefined ? [] : [{ server: server.name, names: map, entries: found[index]?.entries ?? [] }]
        }),
        kind,
      )
      const fresh = found.map(({ freshUntil }) => freshUntil - clock.now())
      return {
        ...merged,
        problems: [...found.flatMap(({ problems }) => problems), ...merged.problems],
        needs: found.flatMap(({ need }) => (need === undefined ? [] : [need])),
        ttlMs: Math.max(0, Math.floor(Math.min(MAX_TTL_MS, ...fresh))),
        unknown: new Set(chosen.filter((_, index) => found[index]?.never === true).map(({ server }) => server.name)),
      }
    },
    async parameters(context, member, tool) {
      const { headers } = await ofMember(context, member, 'tools', true)
      return headers.get(tool) ?? []
    },
    changed(member) {
      for (const key of known.keys()) if (key.startsWith(`${member} `)) known.delete(key)
    },
  }
}

const ANNOTATION = Buffer.from('x-mcp-header')

/** The fields of a tool; `undefined` where it must not be offered. */
function annotated({ bytes }: ListEntry): readonly ParameterHeader[] | undefined {
  // Nearly no tool has any, and keys could be spelt with escapes.
  if (!Buffer.from(bytes).includes(ANNOTATION) && !bytes.includes(0x5c)) return []
  try {
    const tool: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return isJsonObject(tool) ? parameterHeaders(tool.inputSchema) : undefined
  } catch {
    return undefined
  }
}

function keyOf({ asker, virtual, exchange }: VirtualContext, { server }: LiveMember, list: ListName): string {
  // Somebody who brings a credential of their own sees what that may see.
  const brought = exchange.request.headers['x-tfy-mcp-headers'] ?? null
  const of = [asker.caller.identity.id, virtual.name, server.relay.url.href, brought]
  return `${server.name} ${list} ${createHash('sha256').update(JSON.stringify(of)).digest('base64url')}`
}

function problemText(problem: { readonly kind: string; readonly detail?: string; readonly message?: string }): string {
  return problem.detail ?? problem.message ?? problem.kind
}

/** An entry under the name that it has here. */
export function namedEntry(
  list: ListName,
  { name, original, bytes }: { name: string; original: string; bytes: Uint8Array },
) {
  if (name === original) return bytes
  const member = list === 'resources' ? 'uri' : list === 'resourceTemplates' ? 'uriTemplate' : 'name'
  return spliceJson(bytes, [{ path: [member], json: JSON.stringify(name) }])
}
