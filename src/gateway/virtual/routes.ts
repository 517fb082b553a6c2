/** Which member a name leads to. Told from the configuration where that leaves one; else from what the members list. */

import type { ListName } from '../../mcp/list-filter.ts'
import { collisionOriginal, isMemberUri, type NameKind } from '../../mcp/virtual/merge.ts'
import type { VirtualContext } from './context.ts'
import type { VirtualLists } from './lists.ts'
import type { LiveMember } from './live.ts'

/** Where something is. */
export interface Route {
  readonly member: LiveMember
  /** What the member calls it. */
  readonly original: string
}

const LIST: Readonly<Record<NameKind, ListName>> = { tool: 'tools', prompt: 'prompts', resource: 'resources' }

/** The route of a tool, prompt or resource; `undefined` where there is none of that name. */
export async function routeOf(
  context: VirtualContext,
  lists: VirtualLists,
  kind: NameKind,
  name: string,
): Promise<Route | undefined> {
  const { having, byName } = context.virtual
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
  const explicit = plain.find((each) => each.explicit)
  if (explicit !== undefined) return explicit
  const [only] = plain
  if (only === undefined && collided.length === 0) return undefined
  if (only !== undefined && plain.length === 1 && collided.length === 0) return only
  return (await look(true)) ?? (await look(false))

  async function look(known: boolean): Promise<Route | undefined> {
    const { byName: entries, unknown } = await lists.list(context, LIST[kind], { known })
    const entry = entries.get(name)
    const member = entry === undefined ? undefined : byName.get(entry.server)
    if (entry !== undefined && member !== undefined) return { member, original: entry.original }
    if (known) return undefined
    // Templates, and what is not listed: whoever comes first and may have it. A member that nothing is known of may, too.
    if (kind === 'resource') return (await ofTemplates(context, lists, name, plain)) ?? plain[0] ?? collided[0]
    const open = plain.filter(({ member: each }) => unknown.has(each.server.name))
    return open.length === 1 ? open[0] : undefined
  }
}

async function ofTemplates(
  context: VirtualContext,
  lists: VirtualLists,
  uri: string,
  candidates: readonly Route[],
): Promise<Route | undefined> {
  const { entries } = await lists.list(context, 'resourceTemplates', { known: true })
  for (const entry of entries) {
    const route = candidates.find(({ member }) => member.server.name === entry.server)
    if (route !== undefined && fits(entry.original, uri)) return route
  }
  return undefined
}

/** Whether a URI may come of a template (RFC 6570), as far as its literal parts tell. */
function fits(template: string, uri: string): boolean {
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
