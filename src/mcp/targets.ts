/**
 * What a message is about: the tools, prompts and resources that it names. One table
 * for the access check, the header fields and the audit, so that they never differ.
 */
import { isJsonObject, type JsonObject } from './messages.ts'

/** A tool or a prompt by its name, a resource by its URI (or the template of one). */
export interface Target {
  readonly kind: 'tool' | 'prompt' | 'resource'
  readonly name: string
}

/** What a message is about; nothing in particular for most methods. `malformed` where it does not say so as it must. */
export type Targets =
  | { readonly kind: 'targets'; readonly targets: readonly Target[] }
  | { readonly kind: 'malformed'; readonly detail: string }

const NONE: Targets = { kind: 'targets', targets: [] }

/** Which member of `params` the `Mcp-Name` header field repeats (2026-07-28; `tasks/*` by the Tasks extension). */
export const NAMED_BY: ReadonlyMap<string, 'name' | 'uri' | 'taskId'> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
])

/**
 * The tools, prompts and resources that a request or notification names.
 *
 * ```ts
 * targetsOf('tools/call', { name: 'get_weather' }) // { kind: 'targets', targets: [{ kind: 'tool', name: 'get_weather' }] }
 * ```
 */
export function targetsOf(method: string, params: JsonObject | undefined): Targets {
  switch (method) {
    case 'tools/call':
      return one('tool', 'params.name', params?.name)
    case 'prompts/get':
      return one('prompt', 'params.name', params?.name)
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return one('resource', 'params.uri', params?.uri)
    case 'completion/complete':
      return ofReference(params?.ref)
    case 'subscriptions/listen':
      return ofSubscriptions(params?.notifications)
    default:
      return NONE
  }
}

/** `ref` of completion/complete. */
function ofReference(ref: unknown): Targets {
  if (isJsonObject(ref)) {
    if (ref.type === 'ref/prompt') return one('prompt', 'params.ref.name', ref.name)
    if (ref.type === 'ref/resource') return one('resource', 'params.ref.uri', ref.uri)
  }
  return { kind: 'malformed', detail: 'params.ref must name a prompt or a resource' }
}

/** Of one `subscriptions/listen`, as of a session up to 2025-11-25. Each is judged at every look at the open stream. */
const MAX_SUBSCRIBED = 1_000

/** 2026-07-28: `resourceSubscriptions` takes the place of resources/subscribe. */
function ofSubscriptions(notifications: unknown): Targets {
  if (!isJsonObject(notifications)) return { kind: 'malformed', detail: 'params.notifications must be an object' }
  const uris = notifications.resourceSubscriptions
  if (uris === undefined) return NONE
  if (!Array.isArray(uris)) {
    return { kind: 'malformed', detail: 'params.notifications.resourceSubscriptions must be a list' }
  }
  if (uris.length > MAX_SUBSCRIBED) {
    return { kind: 'malformed', detail: `there are more than ${MAX_SUBSCRIBED} resource subscriptions` }
  }
  const targets: Target[] = []
  for (const uri of uris) {
    const found = one('resource', 'a resource subscription', uri)
    if (found.kind === 'malformed') return found
    targets.push(...found.targets)
  }
  return { kind: 'targets', targets }
}

function one(kind: Target['kind'], place: string, name: unknown): Targets {
  if (typeof name !== 'string') return { kind: 'malformed', detail: `${place} must be a text` }
  const problem = nameProblem(name)
  return problem === undefined
    ? { kind: 'targets', targets: [{ kind, name }] }
    : { kind: 'malformed', detail: `${place} ${problem}` }
}

const MAX_NAME = 4096
/** A NUL ends a text for some servers: `delete_all\0_read` would pass as `*_read`. */
const CONTROL = /\p{Cc}/u

/** Why a text cannot name anything, or `undefined` when it can. Servers take liberties with names, these none. */
export function nameProblem(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name.length > MAX_NAME) return `is longer than ${MAX_NAME} characters`
  if (CONTROL.test(name)) return 'has a control character'
  return name.isWellFormed() ? undefined : 'has half a surrogate pair'
}

/** 2026-07-28, Tool Names: what a name should be, and what the tools of virtual servers are. */
const TOOL_NAME = /^[\w.-]{1,128}$/

/** Whether a text is a tool name as the specification wants it; upstreams may have others. */
export function isToolName(name: string): boolean {
  return TOOL_NAME.test(name)
}
