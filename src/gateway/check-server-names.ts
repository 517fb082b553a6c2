/** Checks names and ids of servers: they become paths, keys in the store, and parts of grants. */
import { joinPath } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { isServerId, isServerName } from './endpoints.ts'

const CHARACTERS = '1 to 64 letters, digits, ".", "_" and "-", and begins with a letter or digit'

/**
 * Adds what is wrong with names and ids to `problems`. Of the servers nothing but `id` is looked at.
 *
 * @param parts - records by name, by where they are in the configuration: `{ servers, virtualServers }`; what is no record is left
 *   to other checks
 */
export function checkServerNames(parts: Readonly<Record<string, unknown>>, problems: ConfigProblem[]): void {
  const names = new Map<string, Known>()
  const ids = new Map<string, Known>()
  for (const [part, servers] of Object.entries(parts)) {
    if (typeof servers !== 'object' || servers === null || Array.isArray(servers)) continue
    for (const [name, server] of Object.entries(servers)) {
      const path = joinPath(part, [name])
      const add = (at: string, message: string | undefined) => {
        if (message !== undefined) problems.push({ path: at, message })
      }
      add(path, nameProblem(name) ?? clash(names, name, path))
      const id: unknown = (server as { id?: unknown } | null | undefined)?.id
      if (typeof id === 'string' && id !== '') add(`${path}.id`, idProblem(id) ?? clash(ids, id, `${path}.id`))
    }
  }
}

/** A text and where it is in the configuration. */
interface Known {
  readonly text: string
  readonly at: string
}

function nameProblem(name: string): string | undefined {
  if (isServerName(name)) return undefined
  const parts = name.split('/')
  if (parts.length === 2) return `each part of "group/server" has ${CHARACTERS}`
  const meant = parts.length === 1 && isServerName(`default/${name}`) ? `; for example "default/${name}"` : ''
  return `expected "group/server", two parts with a "/" in between${meant}`
}

function idProblem(id: string): string | undefined {
  return isServerId(id) ? undefined : `"${id}": an id has ${CHARACTERS}`
}

/** Two texts that differ in case only would be two servers here and one to whoever passes the path on, or types it. */
function clash(known: Map<string, Known>, text: string, at: string): string | undefined {
  const folded = text.toLowerCase()
  const other = known.get(folded)
  if (other === undefined) {
    known.set(folded, { text, at })
    return undefined
  }
  return other.text === text ? `the same as ${other.at}` : `differs from ${other.at}, "${other.text}", in case only`
}
