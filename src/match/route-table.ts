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

/**
 * A place, and the best route in it. In a large table each object on the way to a route is a miss of the processor's
 * cache, and so is the far end of a large one: so this is one object, the first four fields are all that most requests
 * ask for, and what few places have is elsewhere.
 */
interface Place<Route> {
  route: Route | undefined
  /** The places under it, by the next segment. */
  children: Map<string, Place<Route>> | undefined
  rare: Rare<Route> | undefined
  /** Whether the route is open and ignores case, so that it counts for sure only where the path is spelled as it is. */
  bySpelling: boolean
  open: boolean
  /** Whether the route's path has no capitals. */
  lowerCase: boolean
  /** The route's path with its case. */
  path: string
}

/** What few places have. */
interface Rare<Route> {
  /** Of the best route: for which methods it is. */
  readonly methods: ReadonlySet<string> | undefined
  /** The next best route in the same place. */
  readonly next: Place<Route> | undefined
  /** Of a host: the same for single ports. */
  readonly ports: Map<number, Place<Route>> | undefined
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
      const ports = node.rare?.ports ?? new Map<number, Place<Route>>()
      node.rare = { methods: undefined, next: undefined, ...node.rare, ports }
      node = placeOf(ports, port)
    }
    for (const segment of fold(path).split('/')) {
      if (segment === '') continue
      node.children ??= new Map()
      node = placeOf(node.children, segment)
    }
    const open = pattern.open === true
    const bySpelling = open && !options.caseSensitive && path !== '/'
    const methods = pattern.methods && new Set(withHead(pattern.methods))
    insert(node, { route, methods, bySpelling, open, lowerCase: path === fold(path), path })
  }

  function findOnHost(host: Place<Route> | undefined, lookup: Lookup): Place<Route> | undefined {
    if (host === undefined) return undefined
    // The port is only asked for where it matters; the socket looks it up.
    const atPort = host.rare?.ports?.get(lookup.request.port)
    return (atPort && longestPrefix(atPort, lookup)) ?? longestPrefix(host, lookup)
  }

  function findPlace(lookup: Lookup): Place<Route> | undefined {
    const { host } = lookup.request
    const dot = wildcard.size === 0 ? -1 : host.indexOf('.')
    return (
      findOnHost(exact.get(host), lookup) ??
      (dot === -1 ? undefined : findOnHost(wildcard.get(host.slice(dot + 1)), lookup)) ??
      findOnHost(anyHost, lookup)
    )
  }

  function findRoute(request: Located, path: string): Route | undefined {
    const folded = fold(path)
    const lookup = { request, path, folded, openAsSpelled: false }
    const place = findPlace(lookup)
    if (place?.bySpelling !== true || (folded === path && place.lowerCase) || liesUnder(path, place.path)) {
      return place?.route
    }
    const asSpelled = findPlace({ ...lookup, openAsSpelled: true })
    return asSpelled === undefined || asSpelled.open ? place.route : asSpelled.route
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

function longestPrefix<Route>(root: Place<Route>, lookup: Lookup): Place<Route> | undefined {
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

function firstFor<Route>(place: Place<Route>, lookup: Lookup): Place<Route> | undefined {
  for (let each: Place<Route> | undefined = place; each !== undefined; each = each.rare?.next) {
    if (each.route === undefined || each.rare?.methods?.has(lookup.request.method) === false) continue
    if (!lookup.openAsSpelled || !each.open || liesUnder(lookup.path, each.path)) return each
  }
  return undefined
}

/** A route on its way into a place. */
type Added<Route> = Omit<Place<Route>, 'children' | 'rare'> & Pick<Rare<Route>, 'methods'>

/** Routes with methods come first, so that the first that fits is the most specific; else the earlier one does. */
function insert<Route>(place: Place<Route>, added: Added<Route>): void {
  const all: Added<Route>[] = []
  for (let each: Place<Route> | undefined = place; each?.route !== undefined; each = each.rare?.next) {
    const { route, bySpelling, open, lowerCase, path } = each
    all.push({ route, methods: each.rare?.methods, bySpelling, open, lowerCase, path })
  }
  all.push(added)
  const sorted = [...all.filter(({ methods }) => methods), ...all.filter(({ methods }) => !methods)]
  const best = sorted.shift() ?? added
  put(
    place,
    best,
    sorted.reduceRight<Place<Route> | undefined>((next, each) => put(newPlace(), each, next), undefined),
  )
}

function put<Route>(place: Place<Route>, added: Added<Route>, next: Place<Route> | undefined): Place<Route> {
  const { methods, ...known } = added
  const ports = place.rare?.ports
  const rare = methods || next || ports ? { methods, next, ports } : undefined
  return Object.assign(place, known, { rare })
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
    children: undefined,
    rare: undefined,
    bySpelling: false,
    open: false,
    lowerCase: true,
    path: '/',
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
