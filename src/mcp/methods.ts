/**
 * Which methods need what access. A grant that names tools grants nothing else (DESIGN), but a client must still be able to
 * connect, list and listen. What is not in the table may do anything, so that it takes a grant of everything.
 */

/** What a method needs. */
export type MethodAccess =
  /** Any access to the server: nothing of it is told, or what is told is filtered. */
  | 'any'
  /** Access to each tool, prompt and resource that it names (see `targetsOf`). */
  | 'targets'
  /** A grant of everything on the server. */
  | 'everything'

const METHODS: ReadonlyMap<string, MethodAccess> = new Map<string, MethodAccess>([
  // Lifecycle.
  ['initialize', 'any'],
  ['server/discover', 'any'],
  ['ping', 'any'],
  ['notifications/initialized', 'any'],
  // About what the client itself has under way.
  ['notifications/cancelled', 'any'],
  ['notifications/progress', 'any'],
  ['notifications/roots/list_changed', 'any'],
  ['logging/setLevel', 'any'],
  // Lists, which are filtered on the way back.
  ['tools/list', 'any'],
  ['prompts/list', 'any'],
  ['resources/list', 'any'],
  ['resources/templates/list', 'any'],
  ['tools/call', 'targets'],
  ['prompts/get', 'targets'],
  ['resources/read', 'targets'],
  ['resources/subscribe', 'targets'],
  ['resources/unsubscribe', 'targets'],
  ['completion/complete', 'targets'],
  // Change notifications say no more than that a list has changed; resources that it names are targets.
  ['subscriptions/listen', 'targets'],
])

/**
 * What a method needs. `tasks/*` too is for those who have everything: a task may be of a tool that the caller has no access to
 * any more, and its id says nothing of that.
 */
export function methodAccess(method: string): MethodAccess {
  return METHODS.get(method) ?? 'everything'
}

/** What 2026-07-28 has no more (Changelog), though a server that speaks both eras still knows it. */
const REMOVED: ReadonlySet<string> = new Set([
  'initialize',
  'logging/setLevel',
  'ping',
  'resources/subscribe',
  'resources/unsubscribe',
])

/**
 * Whether a method is none in an era, so that it is answered as unknown whatever its parameters are. Methods that nobody knows
 * are for the upstream to tell.
 */
export function isRemoved(method: string, era: 'legacy' | 'modern'): boolean {
  return era === 'modern' && REMOVED.has(method)
}
