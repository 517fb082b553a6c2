/**
 * What a virtual server lists: the lists of all its members (`member-list.ts`), merged, for one user, and kept as long as they may be.
 * A member that is dead, slow, or goes on for ever costs its own entries at most; what it had before is shown as long as it is known,
 * and only to a user who has the credential still that it was told with.
 */
import { LRUCache } from 'lru-cache'
import { CALLER_HEADERS_FIELD } from '../../broker/caller-headers.ts'
import type { AuthorizationNeed, CredentialKind } from '../../broker/credential.ts'
import type { Clock } from '../../core/clock.ts'
import type { ListName } from '../../mcp/list-filter.ts'
import { type MergedList, mergeLists, type NameKind } from '../../mcp/virtual/merge.ts'
import type { ParameterHeader } from '../../mcp/virtual/parameter-headers.ts'
import type { VirtualContext } from './context.ts'
import { authOf, sourceOf } from './credential-source.ts'
import type { LiveMember } from './live.ts'
import type { MemberProblem } from './member-credential.ts'
import { createMemberList, MAX_TTL_MS, type MemberList, type NoMemberList, noList } from './member-list.ts'
import type { VirtualMembers } from './members.ts'

/** A merged list. */
export interface VirtualList extends MergedList {
  /** Consents that are missing, by member. */
  readonly needs: readonly AuthorizationNeed[]
  /** How long it may be kept, in milliseconds. */
  readonly ttlMs: number
  /** Members of which nothing is known: they could have anything. */
  readonly unknown: ReadonlySet<string>
  /** Those of them that nothing passes by: with `require: 'any'`, all but those that this user is not let in to for now. */
  readonly waited: ReadonlySet<string>
}

/** See the top of the file. */
export interface VirtualLists {
  /** `known`: what was found out before will do, however old. */
  list(context: VirtualContext, list: ListName, options?: { readonly known?: boolean }): Promise<VirtualList>
  /** The fields that a member wants for a tool of its own. Asks the member where nothing is known, unless `known`. */
  parameters(
    context: VirtualContext,
    member: LiveMember,
    tool: string,
    options?: { readonly known?: boolean },
  ): Promise<readonly ParameterHeader[]>
  /** A member has said that its lists are others now; or, of one `identity`, there is nothing any more that they were told with. */
  changed(member: string, identity?: string): void
}

/** The kind of names of a list, by which a configuration chooses. */
export const KIND_OF: Readonly<Record<ListName, NameKind>> = {
  tools: 'tool',
  prompts: 'prompt',
  resources: 'resource',
  resourceTemplates: 'resource',
}

/** How long a member that has failed is not asked again. */
const FAILED_MS = 5_000
const CACHE_BYTES = 64 * 1024 * 1024

/** What is known of one list of one member, for one user. */
interface Known extends Omit<MemberList, 'ttlMs' | 'credential'> {
  readonly need: AuthorizationNeed | undefined
  readonly failed: boolean
  /** Nothing has ever been found out. */
  readonly never: boolean
  /** The user has still to connect it, or is refused. */
  readonly closed: boolean
  readonly freshUntil: number
}

/** @param listMs - for all pages of a member, in milliseconds */
export function createVirtualLists(members: VirtualMembers, clock: Clock, listMs: number): VirtualLists {
  const known = new LRUCache<string, Known>({ maxSize: CACHE_BYTES, sizeCalculation: ({ bytes }) => bytes + 1_000 })
  /** Tools and prompts that anybody with a connection was last told of, by member: shown to those who are still to be connected. */
  const lastKnown = new LRUCache<string, Known>({
    maxSize: CACHE_BYTES / 4,
    sizeCalculation: ({ bytes }) => bytes + 1_000,
  })
  const asking = new Map<string, Promise<Known>>()
  const askMember = createMemberList(members, listMs)

  async function ofMember(
    context: VirtualContext,
    member: LiveMember,
    list: ListName,
    anyAge: boolean,
  ): Promise<Known> {
    const credential = await members.credential(context, member)
    if (credential.kind !== 'credential') {
      const problem: MemberProblem =
        credential.kind === 'authorization_required' ? { kind: 'need', need: credential.need } : credential
      return withoutList(member, list, noList(problem))
    }
    const key = keyOf(context, member, list, sourceOf(context, member, credential))
    const before = known.get(key)
    if (before !== undefined && (clock.now() < before.freshUntil || (anyAge && !before.never && !before.failed)))
      return before
    const under = asking.get(key)
    if (under !== undefined) return under
    const asked = ask(context, member, list, before)
    asking.set(key, asked)
    try {
      const found = await asked
      if (asking.get(key) === asked) known.set(key, found)
      return found
    } finally {
      if (asking.get(key) === asked) asking.delete(key)
    }
  }

  async function ask(context: VirtualContext, member: LiveMember, list: ListName, before?: Known): Promise<Known> {
    const found = await askMember(context, member, list)
    if (!('entries' in found)) return withoutList(member, list, found, before)
    const { ttlMs, credential, ...rest } = found
    const freshUntil = clock.now() + ttlMs
    const told: Known = { ...rest, need: undefined, failed: false, never: false, closed: false, freshUntil }
    if (isForAll(context, list, credential)) lastKnown.set(sharedKey(member, list), told)
    return told
  }

  function withoutList(member: LiveMember, list: ListName, found: NoMemberList, before?: Known): Known {
    const { server } = member
    // A failure shows nobody what others have: theirs may be more than this user is given.
    const others = found.need === undefined ? undefined : lastKnown.get(sharedKey(member, list))
    const last = before?.never === false && !found.withheld ? before : others
    return {
      entries: last?.entries ?? [],
      headers: last?.headers ?? new Map(),
      problems: found.problem === undefined ? [] : [`${server.name}: ${found.problem}`],
      need: found.need,
      failed: true,
      never: last === undefined,
      closed: found.closed === true,
      bytes: last?.bytes ?? 0,
      // Who has just consented comes back at once.
      freshUntil: found.need === undefined ? clock.now() + FAILED_MS : 0,
    }
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
      const never = chosen.flatMap(({ server }, index) => {
        const each = found[index]
        return each?.never === true ? [{ name: server.name, closed: each.closed }] : []
      })
      const passes = context.virtual.config.require === 'any'
      const fresh = found.map(({ freshUntil }) => freshUntil - clock.now())
      return {
        ...merged,
        problems: [...found.flatMap(({ problems }) => problems), ...merged.problems],
        needs: found.flatMap(({ need }) => (need === undefined ? [] : [need])),
        ttlMs: Math.max(0, Math.floor(Math.min(MAX_TTL_MS, ...fresh))),
        unknown: new Set(never.map(({ name }) => name)),
        waited: new Set(never.flatMap(({ name, closed }) => (passes && closed ? [] : [name]))),
      }
    },
    async parameters(context, member, tool, { known: onlyKnown = false } = {}) {
      if (!onlyKnown) return (await ofMember(context, member, 'tools', true)).headers.get(tool) ?? []
      const credential = await members.credential(context, member)
      if (credential.kind !== 'credential') return []
      return known.get(keyOf(context, member, 'tools', sourceOf(context, member, credential)))?.headers.get(tool) ?? []
    },
    changed(member, identity) {
      const start = startOf(identity === undefined ? [member] : [member, identity])
      for (const key of known.keys()) if (key.startsWith(start)) known.delete(key)
      // What is being told may have been true before.
      for (const key of asking.keys()) if (key.startsWith(start)) asking.delete(key)
    },
  }
}

/** Whether a list tells what there is for everybody who connects: URIs are somebody's own, and so is what headers of their own bring. */
function isForAll({ exchange }: VirtualContext, list: ListName, credential: CredentialKind | undefined): boolean {
  const isShown = list === 'tools' || list === 'prompts'
  return isShown && credential === 'oauth2' && exchange.request.headers[CALLER_HEADERS_FIELD] === undefined
}

/** Two servers of one URL may have credentials that see different things. */
function sharedKey(member: LiveMember, list: ListName): string {
  const { name, relay } = member.server
  return JSON.stringify([list, name, relay.url.href, authOf(member)])
}

/** `source`: what the credential comes from, with which it is told. */
function keyOf({ asker, virtual }: VirtualContext, { server }: LiveMember, list: ListName, source: string): string {
  const { name, relay } = server
  return JSON.stringify([name, asker.caller.identity.id, list, virtual.name, relay.url.href, source])
}

/** What keys of {@link keyOf} begin with. */
function startOf(first: readonly string[]): string {
  return `${JSON.stringify(first).slice(0, -1)},`
}
