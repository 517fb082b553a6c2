/**
 * Finds the route of a request: exact host over wildcard over none, then a given
 * port over none, then the longest path prefix on segment boundaries, then given
 * methods over none. A request that the best host has no route for is tried on
 * the next. Hosts are map lookups and paths a tree of segments, so the cost does
 * not grow with the table.
 */
import type { NormalisedRequest } from '../http/normalise.ts'

/** Where a route lies. */
export interface RoutePattern {
  /** Lower case, without the wildcard's `*.`; `undefined` for any host. */
  readonly host: string | undefined
  readonly wildcard: boolean
  readonly port: number | undefined
  /** Decoded; `/` for everything. */
  readonly path: string
  /** Upper case; `undefined` for all. `GET` includes `HEAD`. */
  readonly methods: readonly string[] | undefined
}

/** The parts of a request that a route is found by. */
export type Located = Pick<NormalisedRequest, 'method' | 'host' | 'port' | 'path' | 'otherPaths'>

/** The route of a request; `'ambiguous'` when it depends on how the path is read (answered 400). */
export interface RouteTable<Route> {
  find(request: Located): Route | 'ambiguous' | undefined
}

interface Entry<Route> {
  readonly methods: ReadonlySet<string> | undefined
  readonly route: Route
}

interface PathNode<Route> {
  readonly entries: Entry<Route>[]
  readonly children: Map<string, PathNode<Route>>
}

interface HostNode<Route> {
  readonly ports: Map<number, PathNode<Route>>
  readonly anyPort: PathNode<Route>
}

/** A table of `routes`; between two that lie in the same place the earlier one wins. */
export function createRouteTable<Route extends object>(
  routes: readonly { pattern: RoutePattern; route: Route }[],
  options: { caseSensitive: boolean },
): RouteTable<Route> {
  const fold = options.caseSensitive ? (path: string) => path : (path: string) => path.toLowerCase()
  const exact = new Map<string, HostNode<Route>>()
  const wildcard = new Map<string, HostNode<Route>>()
  const anyHost = newHostNode<Route>()
  for (const { pattern, route } of routes) {
    const hosts = pattern.wildcard ? wildcard : exact
    const host = pattern.host === undefined ? anyHost : entryOf(hosts, pattern.host, newHostNode<Route>)
    let node = pattern.port === undefined ? host.anyPort : entryOf(host.ports, pattern.port, newPathNode<Route>)
    for (const segment of fold(pattern.path).split('/')) {
      if (segment !== '') node = entryOf(node.children, segment, newPathNode<Route>)
    }
    const entry = { methods: pattern.methods && new Set(withHead(pattern.methods)), route }
    // Entries with methods first, so that the first that fits is the most specific.
    const firstOpen = node.entries.findIndex(({ methods }) => methods === undefined)
    if (entry.methods === undefined || firstOpen === -1) node.entries.push(entry)
    else node.entries.splice(firstOpen, 0, entry)
  }

  function findOnHost(host: HostNode<Route> | undefined, request: Located, path: string): Route | undefined {
    if (host === undefined) return undefined
    // The port is only asked for where it matters; the socket looks it up.
    const atPort = host.ports.size === 0 ? undefined : host.ports.get(request.port)
    return (atPort && longestPrefix(atPort, path, request.method)) ?? longestPrefix(host.anyPort, path, request.method)
  }

  function findPath(request: Located, path: string): Route | undefined {
    const { host } = request
    const dot = wildcard.size === 0 ? -1 : host.indexOf('.')
    return (
      findOnHost(exact.get(host), request, path) ??
      (dot === -1 ? undefined : findOnHost(wildcard.get(host.slice(dot + 1)), request, path)) ??
      findOnHost(anyHost, request, path)
    )
  }

  return {
    find(request) {
      const route = findPath(request, fold(request.path))
      for (const other of request.otherPaths) {
        if (findPath(request, fold(other)) !== route) return 'ambiguous'
      }
      return route
    },
  }
}

function longestPrefix<Route>(root: PathNode<Route>, path: string, method: string): Route | undefined {
  let node: PathNode<Route> | undefined = root
  let best = firstFor(root.entries, method)
  for (let start = 1; node.children.size > 0 && start < path.length; ) {
    const slash = path.indexOf('/', start)
    const end = slash === -1 ? path.length : slash
    node = node.children.get(path.slice(start, end))
    if (node === undefined) break
    best = firstFor(node.entries, method) ?? best
    start = end + 1
  }
  return best
}

function firstFor<Route>(entries: readonly Entry<Route>[], method: string): Route | undefined {
  for (const { methods, route } of entries) if (methods === undefined || methods.has(method)) return route
  return undefined
}

function withHead(methods: readonly string[]): string[] {
  return methods.includes('GET') ? [...methods, 'HEAD'] : [...methods]
}

function newPathNode<Route>(): PathNode<Route> {
  return { entries: [], children: new Map() }
}

function newHostNode<Route>(): HostNode<Route> {
  return { ports: new Map(), anyPort: newPathNode() }
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  let value = map.get(key)
  if (value === undefined) {
    value = make()
    map.set(key, value)
  }
  return value
}
