/**
 * How the servers that sallyport stands in front of read a target: the real
 * routers of Express, Fastify and Koa, and what people write by hand on node:http.
 * Each has two handlers, one for the paths under a prefix (`inner`) and one for
 * everything else (`outer`), and tells which of them a target reaches.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { posix } from 'node:path'
import { parse as legacyParse } from 'node:url'
import express from 'express'
import express4 from 'express4'
import Koa from 'koa'
import mount from 'koa-mount'

/** Which handler runs; `none` where the server answers by itself (404, 400). */
export type Reached = 'inner' | 'outer' | 'none'

/** One way to route. */
export interface Server {
  readonly name: string
  /** Whether `/Admin` is another path than `/admin` to it. */
  readonly caseSensitive: boolean
  /** Whether it finds the path in `http://host/path`; to code that takes `req.url` for a path, it is gibberish. */
  readonly absoluteForm: boolean
  reaches(target: string): Reached | Promise<Reached>
}

type FindMyWay = (options: object) => {
  on(method: string, path: string, handler: () => void): void
  find(method: string, url: string): { handler: () => Reached } | null
}

// Fastify's routers are no direct dependencies: each is the one that its Fastify brings.
const require = createRequire(import.meta.url)
const findMyWay: Record<string, FindMyWay> = {
  'fastify 4': createRequire(require.resolve('fastify4'))('find-my-way') as FindMyWay,
  'fastify 5': createRequire(require.resolve('fastify'))('find-my-way') as FindMyWay,
}

/** Every server, with `prefix` (decoded, `/admin`) as the inner part. */
export function serversFor(prefix: string): Server[] {
  return [...expressServers(prefix), ...fastifyRouters(prefix), ...koaServers(prefix), ...handWritten(prefix)]
}

function expressServers(prefix: string): Server[] {
  const encoded = encodeURI(prefix)
  const versions: [string, typeof express.Router][] = [
    ['express 4', express4.Router as never],
    ['express 5', express.Router],
  ]
  return versions.flatMap(([name, Router]) =>
    [false, true].flatMap((caseSensitive): Server[] => {
      const mounted = Router({ caseSensitive })
      const routed = Router({ caseSensitive, strict: caseSensitive })
      let reached: Reached = 'none'
      const inner = () => {
        reached = 'inner'
      }
      const outer = () => {
        reached = 'outer'
      }
      mounted.use(encoded, inner)
      mounted.use(outer)
      routed.get([encoded, `${encoded}/`, name === 'express 4' ? `${encoded}/*` : `${encoded}/*rest`], inner)
      routed.get(name === 'express 4' ? '*' : '/{*rest}', outer)
      const run = (router: typeof mounted) => (target: string) => {
        reached = 'none'
        router({ url: target, originalUrl: target, method: 'GET', headers: {} } as never, {} as never, () => {})
        return reached
      }
      const suffix = caseSensitive ? ', case-sensitive' : ''
      return [
        { name: `${name}, use()${suffix}`, caseSensitive, absoluteForm: true, reaches: run(mounted) },
        { name: `${name}, get()${suffix}`, caseSensitive, absoluteForm: true, reaches: run(routed) },
      ]
    }),
  )
}

function fastifyRouters(prefix: string): Server[] {
  const flags = ['ignoreDuplicateSlashes', 'ignoreTrailingSlash', 'useSemicolonDelimiter'] as const
  return Object.entries(findMyWay).flatMap(([version, create]) =>
    [true, false].flatMap((caseSensitive) =>
      Array.from({ length: 1 << flags.length }, (_, bits): Server => {
        const on = flags.filter((_flag, index) => bits & (1 << index))
        const options = { caseSensitive, ...Object.fromEntries(on.map((flag) => [flag, true])) }
        const router = create(options)
        const inner = () => 'inner' as const
        const outer = () => 'outer' as const
        router.on('GET', prefix, inner)
        if (!on.includes('ignoreTrailingSlash')) router.on('GET', `${prefix}/`, inner)
        router.on('GET', `${prefix}/*`, inner)
        router.on('GET', '*', outer)
        if (!on.includes('ignoreTrailingSlash')) router.on('GET', '/:one', outer)
        return {
          name: [version, caseSensitive ? 'case-sensitive' : 'any case', ...on].join(', '),
          caseSensitive,
          absoluteForm: true,
          reaches: (target) => router.find('GET', target)?.handler() ?? 'none',
        }
      }),
    ),
  )
}

function koaServers(prefix: string): Server[] {
  const app = new Koa()
  return [encodeURI(prefix), `${encodeURI(prefix)}/`].map((mounted) => ({
    name: `koa-mount ${mounted.endsWith('/') ? 'with a trailing slash' : ''}`,
    caseSensitive: true,
    absoluteForm: true,
    async reaches(target) {
      let reached: Reached = 'none'
      const inner = mount(mounted, async () => {
        reached = 'inner'
      })
      const request = { url: target, method: 'GET', headers: {}, socket: {} } as IncomingMessage
      const context = app.createContext(request, {} as ServerResponse)
      if (!hasPath(context)) return 'none'
      await inner(context as never, async () => {
        reached = 'outer'
      })
      // koa-mount's `/admin/` leaves `/admin` to the application, like everybody who writes it so expects.
      return mounted.endsWith('/') && context.path === encodeURI(prefix) ? 'none' : reached
    },
  }))
}

/** Koa has no path, or throws, for a target such as `//a@b?#`. */
function hasPath(context: { readonly path: string | null }): boolean {
  try {
    return context.path !== null
  } catch {
    return false
  }
}

function handWritten(prefix: string): Server[] {
  const parsed: Record<string, (target: string) => string | null> = {
    'new URL(url, base)': (target) => new URL(target, 'http://h').pathname,
    'url.parse': (target) => legacyParse(target).pathname,
    'url.parse with hosts': (target) => legacyParse(target, false, true).pathname,
  }
  const pathOf: Record<string, (target: string) => string | null> = {
    ...parsed,
    "split('?')": (target) => target.split('?')[0] ?? '',
    'decoded before the query is cut': (target) => decodeURIComponent(target).split(/[?#]/)[0] ?? '',
    'new URL(origin + url)': (target) => new URL(`http://h${target}`).pathname,
    'cut at semicolon': (target) => target.split(/[?;]/)[0] ?? '',
    'path parameters': (target) => (target.split('?')[0] ?? '').replace(/;[^/]*/g, ''),
  }
  const refine: Record<string, (path: string) => string> = {
    '': (path) => path,
    decoded: decodeURIComponent,
    normalised: posix.normalize,
    'decoded, normalised': (path) => posix.normalize(decodeURIComponent(path)),
    'normalised, decoded': (path) => decodeURIComponent(posix.normalize(path)),
    'merged slashes': (path) => path.replace(/\/\/+/g, '/'),
    'decoded, merged slashes': (path) => decodeURIComponent(path).replace(/\/\/+/g, '/'),
  }
  const servers: Server[] = []
  for (const [reader, read] of Object.entries(pathOf)) {
    for (const [refiner, refined] of Object.entries(refine)) {
      // Nobody decodes twice.
      if (reader.includes('decoded') && refiner.includes('decoded')) continue
      for (const caseSensitive of [true, false]) {
        const own = /decoded/.test(`${reader} ${refiner}`) ? prefix : encodeURI(prefix)
        const wanted = caseSensitive ? own : own.toLowerCase()
        servers.push({
          name: ['node', reader, refiner, caseSensitive ? '' : 'any case'].filter((part) => part !== '').join(', '),
          caseSensitive,
          absoluteForm: Object.hasOwn(parsed, reader),
          reaches(target) {
            let path: string | null
            try {
              path = read(target)
              path = path === null ? null : refined(path)
            } catch {
              return 'none'
            }
            if (path === null) return 'none'
            if (!caseSensitive) path = path.toLowerCase()
            return path === wanted || path.startsWith(`${wanted}/`) ? 'inner' : 'outer'
          },
        })
      }
    }
  }
  return servers
}
