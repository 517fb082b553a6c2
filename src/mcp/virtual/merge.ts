/**
 * One list out of those of several members (G5). Pure. The order is that of the configuration, then each member's own. Of two
 * that would have one name, the one that the configuration names goes first, also where it lists nothing, then the member that comes
 * first there; the other gets its server in front. So no member can take a name away from one that had it before.
 */
import { isToolName, nameProblem } from '../targets.ts'
import type { NameMap } from './selection.ts'

/** What a member lists. */
export interface MemberEntries {
  /** The member's configured name, `dev/github`. */
  readonly server: string
  readonly names: NameMap
  readonly entries: readonly ListEntry[]
}

/** One entry of a member's list. */
export interface ListEntry {
  /** As the member calls it: the name, or the URI. */
  readonly original: string
  /** As it was sent. */
  readonly bytes: Uint8Array
  /** Where in `bytes` the name begins, and where it is past, quotes included. */
  readonly nameAt: readonly [start: number, end: number]
}

/** One entry of the merged list. */
export interface MergedEntry extends ListEntry {
  readonly name: string
  readonly server: string
}

/** What came of it. */
export interface MergedList {
  readonly entries: readonly MergedEntry[]
  readonly byName: ReadonlyMap<string, MergedEntry>
  /** For the operator: what was left out or renamed, and why. */
  readonly problems: readonly string[]
}

/** What makes a name: tools have a grammar, URIs have another, prompts none. */
export type NameKind = 'tool' | 'prompt' | 'resource'

/** An entry under the name that it has here; nothing else of it changes. */
export function namedEntry({ name, original, bytes, nameAt: [start, end] }: MergedEntry): Uint8Array {
  if (name === original) return bytes
  return Buffer.concat([bytes.subarray(0, start), Buffer.from(JSON.stringify(name)), bytes.subarray(end)])
}

/** Merges lists. */
export function mergeLists(members: readonly MemberEntries[], kind: NameKind): MergedList {
  const problems: string[] = []
  const candidates = members.flatMap(({ server, names, entries }) => {
    const seen = new Set<string>()
    return entries.flatMap((entry): Candidate[] => {
      const exposed = names.expose(entry.original)
      if (exposed === undefined) return []
      if (seen.has(entry.original)) {
        problems.push(`${server} lists ${shown(entry.original)} twice`)
        return []
      }
      seen.add(entry.original)
      const problem = isMemberUri(exposed.name, kind) ? 'is a URI of ours' : problemOf(exposed.name, kind)
      if (problem === undefined) return [{ ...entry, ...exposed, server }]
      problems.push(`${server} has ${shown(entry.original)}, which ${problem}`)
      return []
    })
  })
  const reserved = new Map<string, Reserved>()
  for (const { server, names } of members) {
    for (const [name, original] of names.explicit) if (!reserved.has(name)) reserved.set(name, { server, original })
  }
  const taken = new Map<string, Candidate>()
  for (const each of candidates) {
    const owner = reserved.get(each.name)
    const isFree = owner === undefined || (owner.server === each.server && owner.original === each.original)
    if (isFree && !taken.has(each.name)) taken.set(each.name, each)
  }
  const byName = new Map<string, MergedEntry>()
  for (const each of candidates) {
    const { server, original, bytes, nameAt } = each
    const holder = taken.get(each.name)
    if (holder === each) {
      byName.set(each.name, { server, original, bytes, nameAt, name: each.name })
      continue
    }
    const name = collisionName(server, each.name, kind)
    const free = !taken.has(name) && !reserved.has(name) && problemOf(name, kind) === undefined
    problems.push(
      `${server} has ${shown(original)}${of(holder, reserved.get(each.name))}; ` +
        (free ? `it is called ${shown(name)}` : 'there is no name for it'),
    )
    if (!free) continue
    taken.set(name, each)
    byName.set(name, { server, original, bytes, nameAt, name })
  }
  return { entries: [...byName.values()], byName, problems }
}

/** Whose a name is, where that is not whoever lists it now. */
function of(holder: Candidate | undefined, owner: Reserved | undefined): string {
  return holder === undefined ? `, and the name is of ${owner?.server}` : ` as well as ${holder.server}`
}

/** A name that the configuration spells out, and what it stands for. */
interface Reserved {
  readonly server: string
  readonly original: string
}

interface Candidate extends ListEntry {
  readonly name: string
  readonly explicit: boolean
  readonly server: string
}

/** What the second of two is called: with its server in front. */
export function collisionName(server: string, name: string, kind: NameKind): string {
  if (kind === 'resource') return `${MEMBER_SCHEME}${server}/${isTemplate(name) ? name : encodeURIComponent(name)}`
  return `${server.replace(/[^A-Za-z0-9]/g, '_')}_${name}`
}

/** What a name of {@link collisionName} would stand for at `server`, if it can be one. */
export function collisionOriginal(server: string, name: string, kind: NameKind): string | undefined {
  const start = kind === 'resource' ? `${MEMBER_SCHEME}${server}/` : `${server.replace(/[^A-Za-z0-9]/g, '_')}_`
  if (!name.startsWith(start) || name.length === start.length) return undefined
  const rest = name.slice(start.length)
  if (kind !== 'resource' || WITH_SCHEME.test(rest)) return rest
  try {
    return decodeURIComponent(rest)
  } catch {
    return undefined
  }
}

/** Whether a URI is one that {@link collisionName} makes. No member has one of its own: it could speak for another with it. */
export function isMemberUri(name: string, kind: NameKind): boolean {
  return kind === 'resource' && name.startsWith(MEMBER_SCHEME)
}

/**
 * A template stays as it is behind the server: of one with its literal parts encoded nobody could tell, once a client has put its
 * values in, which escapes are of these (RFC 6570 §3.2.1). What is encoded has no colon, so that the two are never mistaken.
 */
function isTemplate(name: string): boolean {
  return name.includes('{')
}

/** RFC 3986 §3.1. */
const WITH_SCHEME = /^[a-z][a-z\d+.-]*:/i
const MEMBER_SCHEME = 'mcp-member://'
const MAX_PROMPT_NAME = 128
/** What a page or a terminal would take for more than a name. */
const MARKUP = /[<>"'`&\\]/

function problemOf(name: string, kind: NameKind): string | undefined {
  if (kind === 'tool') return isToolName(name) ? undefined : 'is no name of 1 to 128 letters, digits, "_", "-" and "."'
  const problem = nameProblem(name)
  if (problem !== undefined) return problem
  if (kind === 'resource') return undefined
  if (name.length > MAX_PROMPT_NAME) return `is longer than ${MAX_PROMPT_NAME} characters`
  return MARKUP.test(name) ? 'has characters of markup' : undefined
}

/** A name for the operator: in ASCII, and not at any length. */
function shown(name: string): string {
  const text = JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}...` : name)
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
