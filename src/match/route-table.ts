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

/** A route in its place. */
interface Entry<Route> {
  route: Route | undefined
  methods: ReadonlySet<string> | undefined
  /** The path with its case. */
  path: string
  open: boolean
  /** The next best in the same place. */
  next: Entry<Route> | undefined
}

/**
 * A place, and the best route in it: one object for both, since in a large table each object on the way to a route is
 * a miss of the processor's cache.
 */
interface Place<Route> extends Entry<Route> {
  /** The places under it, by the next segment. */
  children: Map<string, Place<Route>> | undefined
  /** Of a host: the same for single ports. */
  ports: Map<number, Place<Route>> | undefined
}

/** A table of `routes`; between two that lie in the same place the earlier one wins. */
export function createRouteTable<Route extends object>(
  routes: readonly { pattern: RoutePattern; route: Route }[],
  options: { caseSensitive: boolean },
): RouteTable<Route> {
  const fold = options.caseSensitive ? (path: string) => path : (path: string) => path.toLowerCase()
  const exact = new Map<string, Place<Route>>()
  const wildcard = new Map<string, Place<Route>>()
  const anyHost = newPlace<Route>()
  for (const { pattern, route } of routes) {
    const { host, port, path } = pattern
    let node = host === undefined ? anyHost : placeOf(pattern.wildcard ? wildcard : exact, host)
    if (port !== undefined) {
      node.ports ??= new Map()
      node = placeOf(node.ports, port)
    }
    for (const segment of fold(path).split('/')) {
      if (segment === '') continue
      node.children ??= new Map()
      node = placeOf(node.children, segment)
    }
    insert(node, {
      route,
      methods: pattern.methods && new Set(withHead(pattern.methods)),
      path,
      open: pattern.open === true,
      next: undefined,
    })
  }

  function findOnHost(host: Place<Route> | undefined, lookup: Lookup): Entry<Route> | undefined {
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

function longestPrefix<Route>(root: Place<Route>, lookup: Lookup): Entry<Route> | undefined {
  const { folded } = lookup
  let best = firstFor(root, lookup)
  let children = root.children
  for (let start = 1; children !== undefined && start < folded.length; ) {
    const slash = folded.indexOf('/', start)
    const end = slash === -1 ? folded.length : slash
    const node = children.get(folded.slice(start, end))
    if (node === undefined) break
    best = firstFor(node, lookup) ?? best
    children = node.children
    start = end + 1
  }
  return best
}

function firstFor<Route>(place: Place<Route>, lookup: Lookup): Entry<Route> | undefined {
  for (let entry: Entry<Route> | undefined = place; entry !== undefined; entry = entry.next) {
    const { route, methods } = entry
    if (route === undefined || (methods !== undefined && !methods.has(lookup.request.method))) continue
    if (!lookup.openAsSpelled || !entry.open || liesUnder(lookup.path, entry.path)) return entry
  }
  return undefined
}

/** Routes with methods come first, so that the first that fits is the most specific; else the earlier one does. */
function insert<Route>(place: Place<Route>, added: Entry<Route>): void {
  const all: Entry<Route>[] = []
  for (let entry: Entry<Route> | undefined = place; entry?.route !== undefined; entry = entry.next) all.push(entry)
  all.push(added)
  const sorted = [...all.filter(({ methods }) => methods), ...all.filter(({ methods }) => !methods)]
  let next: Entry<Route> | undefined
  for (const { route, methods, path, open } of sorted.reverse()) next = { route, methods, path, open, next }
  Object.assign(place, next)
}

function liesUnder(path: string, prefix: string): boolean {
  if (prefix === '/') return true
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
}

function withHead(methods: readonly string[]): string[] {
  return methods.includes('GET') ? [...methods, 'HEAD'] : [...methods]
}

function newPlace<Route>(): Place<Route> {
  return {
    route: undefined,
    methods: undefined,
    path: '/',
    open: false,
    next: undefined,
    children: undefined,
    ports: undefined,
  }
}

function placeOf<Key, Route>(map: Map<Key, Place<Route>>, key: Key): Place<Route> {
  let node = map.get(key)
  if (node === undefined) {
    node = newPlace()
    map.set(key, node)
  }
  return node
}
