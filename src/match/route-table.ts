/**
 * Finds the route of a request: exact host over wildcard over none, then a given
 * port over none, then the longest path prefix on segment boundaries, then given
 * methods over none. A request that the best host has no route for is tried on
 * the next. Hosts are map lookups and paths a tree of segments, so the cost does
 * not grow with the table.
 */
import type { NormalisedRequest } from '../http/normalise.ts'
import { createNameTree, type NameTree } from './name-tree.ts'

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
   * Whether it lets everybody in. Where such a route matches only because spelling is ignored (the case of a path, the case
   * or the last dot of a host), it gives way to whatever else matches and is protected: to a server that tells case apart,
   * `/HEALTHZ` is not the open `/healthz`, and to one that compares the `Host` field, `PUBLIC.h` is not the open `public.h`.
   */
  readonly open?: boolean
}

/** The parts of a request that a route is found by. */
export type Located = Pick<NormalisedRequest, 'method' | 'host' | 'hostAsSpelled' | 'port' | 'path' | 'otherPaths'>

/** The route of a request; `'ambiguous'` when it depends on how the path is read (answered 400). */
export interface RouteTable<Route> {
  find(request: Located): Route | 'ambiguous' | undefined
}

/**
 * What is known of a route, in bits. Places and routes are numbers, and what requests ask of them is in arrays of numbers: in
 * a large table each object on the way to a route would be a miss of the processor's cache.
 */
const OPEN = 1
/** Open, and case is ignored: it counts for sure only where the path is spelled as it is. */
const BY_SPELLING = 2
/** Its path has no capitals. */
const LOWER_CASE = 4
const HAS_METHODS = 8
/** Open, and on one host or a wildcard. */
const OPEN_BY_HOST = 16

/** Routes in their places, by numbers: 0 is none of either. */
interface Layout<Route> {
  readonly tree: NameTree
  /** Above the hosts: the place of exact ones, and of wildcards. */
  readonly exactHosts: number
  readonly wildcardHosts: number
  readonly anyHost: number
  /** By the place of a host: the places for single ports. */
  readonly ports: ReadonlyMap<number, ReadonlyMap<number, number>>
  /** By place: its best route, and whether there are places under it. */
  readonly first: Int32Array
  readonly isAbove: Uint8Array
  /** By route: {@link OPEN} and so on, the next best route in the same place, the route itself and its parts. */
  readonly bits: Uint8Array
  readonly next: Int32Array
  readonly routes: readonly (Route | undefined)[]
  readonly methods: readonly (ReadonlySet<string> | undefined)[]
  readonly paths: readonly string[]
}

/** A table of `routes`; between two that lie in the same place the earlier one wins. */
export function createRouteTable<Route extends object>(
  routes: readonly { pattern: RoutePattern; route: Route }[],
  options: { caseSensitive: boolean },
): RouteTable<Route> {
  const asIs = (path: string) => path
  const fold = options.caseSensitive ? asIs : (path: string) => path.toLowerCase()
  const layout = layOut(routes, fold, options.caseSensitive)
  const { tree, exactHosts, wildcardHosts, anyHost, ports, first, isAbove, bits, next, methods, paths } = layout

  function findOnHost(host: number, lookup: Lookup): number {
    if (host === 0) return 0
    // The port is only asked for where it matters; the socket looks it up.
    const atPort = ports.size === 0 ? undefined : ports.get(host)?.get(lookup.request.port)
    return (atPort && longestPrefix(atPort, lookup)) || longestPrefix(host, lookup)
  }

  function hostUnder(parent: number, host: string, start: number): number {
    return isAbove[parent] === 1 ? tree.find(parent, host, start, host.length) : 0
  }

  function findBest(lookup: Lookup): number {
    const { host } = lookup.request
    const onExact = findOnHost(hostUnder(exactHosts, host, 0), lookup)
    if (onExact !== 0) return onExact
    const dot = isAbove[wildcardHosts] === 1 ? host.indexOf('.') : -1
    const onWildcard = dot === -1 ? 0 : findOnHost(hostUnder(wildcardHosts, host, dot + 1), lookup)
    return onWildcard || findOnHost(anyHost, lookup)
  }

  function longestPrefix(root: number, lookup: Lookup): number {
    const { folded } = lookup
    let best = firstFor(root, lookup)
    let place = root
    for (let start = 1; isAbove[place] === 1 && start < folded.length; ) {
      const slash = folded.indexOf('/', start)
      const end = slash === -1 ? folded.length : slash
      place = tree.find(place, folded, start, end)
      if (place === 0) break
      best = firstFor(place, lookup) || best
      start = end + 1
    }
    return best
  }

  function firstFor(place: number, { request, path, openAsSpelled }: Lookup): number {
    for (let route = first[place] as number; route !== 0; route = next[route] as number) {
      const known = bits[route] as number
      if ((known & HAS_METHODS) !== 0 && methods[route]?.has(request.method) !== true) continue
      if (!openAsSpelled || (known & OPEN) === 0) return route
      if (!hostIsSure(known, request) || !liesUnder(path, paths[route] as string)) continue
      return route
    }
    return 0
  }

  /** Where no route has a path, it does not matter how one is spelled. */
  const foldAsked = layout.paths.every((path) => path === '/') ? asIs : fold

  function findRoute(request: Located, path: string): Route | undefined {
    const folded = foldAsked(path)
    const lookup = { request, path, folded, openAsSpelled: false }
    const best = findBest(lookup)
    const known = bits[best] as number
    const isSure =
      (known & BY_SPELLING) === 0 ||
      (folded === path && (known & LOWER_CASE) !== 0) ||
      liesUnder(path, paths[best] as string)
    if (isSure && hostIsSure(known, request)) return layout.routes[best]
    const asSpelled = findBest({ ...lookup, openAsSpelled: true })
    return layout.routes[((bits[asSpelled] as number) & OPEN) !== 0 || asSpelled === 0 ? best : asSpelled]
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

function layOut<Route>(
  routes: readonly { pattern: RoutePattern; route: Route }[],
  fold: (path: string) => string,
  caseSensitive: boolean,
): Layout<Route> {
  const tree = createNameTree()
  const exactHosts = tree.add(0, 'exact')
  const wildcardHosts = tree.add(0, 'wildcard')
  const anyHost = tree.add(0, 'any')
  const allPorts = tree.add(0, 'ports')
  const ports = new Map<number, Map<number, number>>()
  const parents = new Set<number>()

  function under(parent: number, name: string): number {
    parents.add(parent)
    return tree.add(parent, name)
  }

  function placeOf({ host, wildcard, port, path }: RoutePattern): number {
    let place = host === undefined ? anyHost : under(wildcard ? wildcardHosts : exactHosts, host)
    if (port !== undefined) {
      const ofHost = ports.get(place) ?? new Map<number, number>()
      ports.set(place, ofHost)
      place = under(allPorts, `${place}:${port}`)
      ofHost.set(port, place)
    }
    for (const segment of fold(path).split('/')) if (segment !== '') place = under(place, segment)
    return place
  }

  function bitsOf({ open, host, path, methods }: RoutePattern): number {
    const byHost = open === true && host !== undefined
    const bySpelling = open === true && !caseSensitive && path !== '/'
    return (
      (open === true ? OPEN : 0) |
      (bySpelling ? BY_SPELLING : 0) |
      (byHost ? OPEN_BY_HOST : 0) |
      (path === fold(path) ? LOWER_CASE : 0) |
      (methods === undefined ? 0 : HAS_METHODS)
    )
  }

  const patterns = routes.map(({ pattern }) => pattern)
  const places = patterns.map(placeOf)
  const first = new Int32Array(tree.size + 1)
  const next = new Int32Array(routes.length + 1)
  // From the last to the first, each before those that are in its place already. Routes with methods come after those without
  // and so before them, that the first that fits is the most specific.
  for (const withMethods of [false, true]) {
    for (let index = routes.length - 1; index >= 0; index--) {
      if ((patterns[index]?.methods !== undefined) !== withMethods) continue
      const place = places[index] as number
      next[index + 1] = first[place] as number
      first[place] = index + 1
    }
  }
  return {
    tree,
    exactHosts,
    wildcardHosts,
    anyHost,
    ports,
    first,
    isAbove: Uint8Array.from(first, (_, place) => (parents.has(place) ? 1 : 0)),
    bits: Uint8Array.from([0, ...patterns.map(bitsOf)]),
    next,
    routes: [undefined, ...routes.map(({ route }) => route)],
    methods: [undefined, ...patterns.map(({ methods }) => methods && new Set(withHead(methods)))],
    paths: ['/', ...patterns.map(({ path }) => path)],
  }
}

/** Whether an open route of which that is `known` holds also for a server that compares hosts as they are spelled. */
function hostIsSure(known: number, request: Located): boolean {
  return (known & OPEN_BY_HOST) === 0 || request.hostAsSpelled
}

function liesUnder(path: string, prefix: string): boolean {
  if (prefix === '/') return true
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
}

function withHead(methods: readonly string[]): string[] {
  return methods.includes('GET') ? [...methods, 'HEAD'] : [...methods]
}
