/** Which member a name leads to. Told from the configuration where that leaves one; else from what the members list. */
import { endOfTurn } from '../../core/turn.ts'
import type { AbortSource } from '../../http/gate.ts'
import type { ListName } from '../../mcp/list-filter.ts'
import { collisionOriginal, isMemberUri, type NameKind } from '../../mcp/virtual/merge.ts'
import type { VirtualContext } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember, LiveVirtualServer } from './live.ts'

/** Where something is. */
export interface Route {
  readonly member: LiveMember
  /** What the member calls it. */
  readonly original: string
  /** It could be there, and the member cannot list now. Nothing is asked of it, nor of a member behind it, before it can. */
  readonly unlisted?: boolean
}

const LIST: Readonly<Record<NameKind, ListName>> = { tool: 'tools', prompt: 'prompts', resource: 'resources' }

/** Lists, as far as routes are told from them. */
type Lists = Pick<VirtualLists, 'list'>

/** So many routes are found before others get their turn. */
const TOGETHER = 20

/** The routes of several resources, by URI, with one look at each list; as far as it has come when `signal` aborts. Without `unlisted` ones. */
export async function routesOf(
  context: VirtualContext,
  lists: Lists,
  uris: readonly string[],
  signal: AbortSource,
): Promise<ReadonlyMap<string, Route>> {
  const seen = new Map<string, ReturnType<Lists['list']>>()
  const once: Lists = {
    list(of, list, options) {
      const key = `${list} ${options?.known === true}`
      const found = seen.get(key) ?? lists.list(of, list, options)
      seen.set(key, found)
      return found
    },
  }
  const routes = new Map<string, Route>()
  for (const [index, uri] of uris.entries()) {
    if (index % TOGETHER === TOGETHER - 1) await endOfTurn()
    if (signal.aborted) break
    const route = await routeOf(context, once, 'resource', uri)
    if (route !== undefined && route.unlisted !== true) routes.set(uri, route)
  }
  return routes
}

/** The route of a tool, prompt or resource; `undefined` where there is none of that name. */
export async function routeOf(
  context: VirtualContext,
  lists: Lists,
  kind: NameKind,
  name: string,
): Promise<Route | undefined> {
  const { byName } = context.virtual
  const { plain, collided } = candidatesOf(context.virtual, kind, name)
  const explicit = plain.find((each) => each.explicit)
  if (explicit !== undefined) return explicit
  const [only] = plain
  if (only === undefined && collided.length === 0) return undefined
  if (only !== undefined && plain.length === 1 && collided.length === 0) return only
  return (await look(true)) ?? (await look(false))

  async function look(known: boolean): Promise<Route | undefined> {
    const { byName: entries, unknown, waited } = await lists.list(context, LIST[kind], { known })
    const entry = entries.get(name)
    const member = entry === undefined ? undefined : byName.get(entry.server)
    if (entry !== undefined && member !== undefined) {
      return inFront(plain, member, waited) ?? { member, original: entry.original }
    }
    if (known) return undefined
    // Templates, and what is not listed: whoever comes first and may have it. A member that nothing is known of may, too.
    if (kind === 'resource') return (await ofTemplates(context, lists, name, plain, waited)) ?? plain[0] ?? collided[0]
    const open = plain.filter(({ member: each }) => unknown.has(each.server.name))
    return open.length === 1 ? open[0] : undefined
  }
}

/** Where something could be by the configuration, whether or not any member has it: under its name, or with the member in front. */
export function candidatesOf({ having }: Pick<LiveVirtualServer, 'having'>, kind: NameKind, name: string): Candidates {
  const plain: (Route & { readonly explicit: boolean })[] = []
  const collided: Route[] = []
  for (const member of having[kind]) {
    const map = member.names[kind]
    if (map === undefined) continue
    const found = isMemberUri(name, kind) ? undefined : map.originalOf(name)
    if (found !== undefined) plain.push({ member, ...found })
    const inner = collisionOriginal(member.server.name, name, kind)
    const behind = inner === undefined ? undefined : map.originalOf(inner)
    if (behind !== undefined) collided.push({ member, original: behind.original })
  }
  return { plain, collided }
}

interface Candidates {
  readonly plain: readonly (Route & { readonly explicit: boolean })[]
  readonly collided: readonly Route[]
}

async function ofTemplates(
  context: VirtualContext,
  lists: Lists,
  uri: string,
  candidates: readonly Route[],
  waitedForResources: ReadonlySet<string>,
): Promise<Route | undefined> {
  const { entries, waited } = await lists.list(context, 'resourceTemplates', { known: true })
  for (const entry of entries) {
    const route = candidates.find(({ member }) => member.server.name === entry.server)
    if (route !== undefined && fits(entry.original, uri)) {
      return inFront(candidates, route.member, waitedForResources, waited) ?? route
    }
  }
  return undefined
}

/** The first member before `member` that would have the name if it could list, which it cannot now. */
function inFront(
  candidates: readonly Route[],
  member: LiveMember,
  ...waited: readonly ReadonlySet<string>[]
): Route | undefined {
  for (const each of candidates) {
    if (each.member === member) return undefined
    if (waited.some((names) => names.has(each.member.server.name))) return { ...each, unlisted: true }
  }
  return undefined
}

/** Whether a URI may come of a template (RFC 6570), as far as its literal parts tell. */
function fits(template: string, uri: string): boolean {
  const brace = template.indexOf('{')
  // Nearly all others, at once.
  if (brace > 0 && !uri.startsWith(template.slice(0, brace))) return false
  const parts = template.split(/\{[^{}]*\}/)
  const [head = ''] = parts
  if (!uri.startsWith(head)) return false
  let at = head.length
  for (const part of parts.slice(1)) {
    const found = part === '' ? at : uri.indexOf(part, at)
    if (found === -1) return false
    at = found + part.length
  }
  const last = parts.at(-1) ?? ''
  return parts.length === 1 ? uri === template : uri.endsWith(last)
}
