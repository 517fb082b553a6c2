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
  /**
   * Whether it lets everybody in. Where such a route matches only because case is ignored, it gives way to
   * whatever else matches and is protected: to a server that tells case apart, `/HEALTHZ` is not the open `/healthz`.
   */
  readonly open?: boolean
}

/** The parts of a request that a route is found by. */
export type Located = Pick<NormalisedRequest, 'method' | 'host' | 'port' | 'path' | 'otherPaths'>

/** The route of a request; `'ambiguous'` when it depends on how the path is read (answered 400). */
export interface RouteTable<Route> {
  find(request: Located): Route | 'ambiguous' | undefined
}

/** A route in its place. As few objects as possible: in a large table, each is a miss of the processor's cache. */
interface Entry<Route> {
  /** The path with its case. */
  readonly path: string
  readonly open: boolean
  readonly methods: ReadonlySet<string> | undefined
  readonly route: Route
  /** The next best in the same place: routes with methods first, so that the first that fits is the most specific. */
  next: Entry<Route> | undefined
}

interface PathNode<Route> {
  first: Entry<Route> | undefined
  children: Map<string, PathNode<Route>> | undefined
  /** Of the root of a host: the same for single ports. */
  ports: Map<number, PathNode<Route>> | undefined
}

/** A table of `routes`; between two that lie in the same place the earlier one wins. */
export function createRouteTable<Route extends object>(
  routes: readonly { pattern: RoutePattern; route: Route }[],
  options: { caseSensitive: boolean },
): RouteTable<Route> {
  const fold = options.caseSensitive ? (path: string) => path : (path: string) => path.toLowerCase()
  const exact = new Map<string, PathNode<Route>>()
  const wildcard = new Map<string, PathNode<Route>>()
  const anyHost = newNode<Route>()
  for (const { pattern, route } of routes) {
    const { host, port, path } = pattern
    let node = host === undefined ? anyHost : entryOf(pattern.wildcard ? wildcard : exact, host)
    if (port !== undefined) {
      node.ports ??= new Map()
      node = entryOf(node.ports, port)
    }
    for (const segment of fold(path).split('/')) {
      if (segment === '') continue
      node.children ??= new Map()
      node = entryOf(node.children, segment)
    }
    insert(node, {
      path,
      open: pattern.open === true,
      methods: pattern.methods && new Set(withHead(pattern.methods)),
      route,
      next: undefined,
    })
  }

  function findOnHost(host: PathNode<Route> | undefined, lookup: Lookup): Entry<Route> | undefined {
    if (host === undefined) return undefined
    // The port is only asked for where it matters; the socket looks it up.
    const atPort = host.ports?.get(lookup.request.port)
    return (atPort && longestPrefix(atPort, lookup)) ?? longestPrefix(host, lookup)
  }

  function findEntry(lookup: Lookup): Entry<Route> | undefined {
    const { host } = lookup.request
    const dot = wildcard.size === 0 ? -1 : host.indexOf('.')
    return (
      findOnHost(exact.get(host), lookup) ??
      (dot === -1 ? undefined : findOnHost(wildcard.get(host.slice(dot + 1)), lookup)) ??
      findOnHost(anyHost, lookup)
    )
  }

  function findRoute(request: Located, path: string): Route | undefined {
    const lookup = { request, path, folded: fold(path), openAsSpelled: false }
    const entry = findEntry(lookup)
    if (entry?.open !== true || options.caseSensitive || liesUnder(path, entry.path)) return entry?.route
    const asSpelled = findEntry({ ...lookup, openAsSpelled: true })
    return asSpelled === undefined || asSpelled.open ? entry.route : asSpelled.route
  }

  return {
    find(request) {
      const route = findRoute(request, request.path)
      for (const other of request.otherPaths) {
        if (findRoute(request, other) !== route) return 'ambiguous'
      }
      return route
    },
  }
}

/** What is looked up. */
interface Lookup {
  readonly request: Located
  readonly path: string
  /** The path as the table knows it. */
  readonly folded: string
  /** Whether open routes count only where the path matches as it is spelled. */
  readonly openAsSpelled: boolean
}

function longestPrefix<Route>(root: PathNode<Route>, lookup: Lookup): Entry<Route> | undefined {
  const { folded } = lookup
  let best = firstFor(root.first, lookup)
  let children = root.children
  for (let start = 1; children !== undefined && start < folded.length; ) {
    const slash = folded.indexOf('/', start)
    const end = slash === -1 ? folded.length : slash
    const node = children.get(folded.slice(start, end))
    if (node === undefined) break
    best = firstFor(node.first, lookup) ?? best
    children = node.children
    start = end + 1
  }
  return best
}

function firstFor<Route>(first: Entry<Route> | undefined, lookup: Lookup): Entry<Route> | undefined {
  for (let entry = first; entry !== undefined; entry = entry.next) {
    const { methods } = entry
    if (methods !== undefined && !methods.has(lookup.request.method)) continue
    if (!lookup.openAsSpelled || !entry.open || liesUnder(lookup.path, entry.path)) return entry
  }
  return undefined
}

/** Behind the entries that are as specific, so that the earlier route wins. */
function insert<Route>(node: PathNode<Route>, entry: Entry<Route>): void {
  const ahead = (other: Entry<Route>): boolean => entry.methods === undefined || other.methods !== undefined
  if (node.first === undefined || !ahead(node.first)) {
    entry.next = node.first
    node.first = entry
    return
  }
  let before = node.first
  while (before.next !== undefined && ahead(before.next)) before = before.next
  entry.next = before.next
  before.next = entry
}

function liesUnder(path: string, prefix: string): boolean {
  if (prefix === '/') return true
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
}

function withHead(methods: readonly string[]): string[] {
  return methods.includes('GET') ? [...methods, 'HEAD'] : [...methods]
}

function newNode<Route>(): PathNode<Route> {
  return { first: undefined, children: undefined, ports: undefined }
}

function entryOf<Key, Route>(map: Map<Key, PathNode<Route>>, key: Key): PathNode<Route> {
  let node = map.get(key)
  if (node === undefined) {
    node = newNode()
    map.set(key, node)
  }
  return node
}
