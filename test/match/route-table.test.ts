/** The route table: its order, and a comparison with a table that is too simple to be wrong. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRouteTable, type Located, type RoutePattern } from '../../src/match/route-table.ts'

interface Written {
  /** `*.` in front for a wildcard. */
  host?: string
  port?: number
  path?: string
  methods?: string[]
  open?: boolean
}

function pattern({ host, port, path = '/', methods, open }: Written): RoutePattern {
  return {
    host: host?.replace(/^\*\./, ''),
    wildcard: host?.startsWith('*.') === true,
    port,
    path,
    methods,
    ...(open === undefined ? {} : { open }),
  }
}

function table(routes: readonly Written[], caseSensitive = false) {
  return createRouteTable(
    routes.map((written) => ({ pattern: pattern(written), route: written })),
    { caseSensitive },
  )
}

function request(parts: Partial<Located> = {}): Located {
  return { method: 'GET', host: 'h', hostAsSpelled: true, port: 80, path: '/', otherPaths: [], ...parts }
}

describe('A1 hosts', () => {
  const exact = { host: 's1.apps.example.com' }
  const wildcard = { host: '*.apps.example.com' }
  const any = {}
  const all = table([any, wildcard, exact])

  it('an exact host comes before a wildcard, a wildcard before none, in whatever order they are written', () => {
    for (const routes of [
      [any, wildcard, exact],
      [exact, wildcard, any],
    ]) {
      const { find } = table(routes)
      expect(find(request({ host: 's1.apps.example.com' }))).toBe(exact)
      expect(find(request({ host: 's2.apps.example.com' }))).toBe(wildcard)
      expect(find(request({ host: 'example.com' }))).toBe(any)
    }
  })

  it.each(['apps.example.com', 'a.b.apps.example.com', 'xapps.example.com', 'example.com', 'com', '', '[::1]'])(
    'a wildcard is one label: not %j',
    (host) => {
      expect(all.find(request({ host }))).toBe(any)
      expect(table([wildcard]).find(request({ host }))).toBeUndefined()
    },
  )

  it('a request that the best host has no route for is tried on the next', () => {
    const a = { host: 's1.apps.example.com', path: '/a' }
    const b = { host: '*.apps.example.com', path: '/b' }
    const c = { path: '/c' }
    const { find } = table([a, b, c])
    const at = (path: string) => find(request({ host: 's1.apps.example.com', path }))
    expect([at('/a'), at('/b'), at('/c'), at('/d')]).toEqual([a, b, c, undefined])
  })

  it('an open route of a host that is spelled in another way gives way to a protected one', () => {
    const open = { host: 'public.h', open: true }
    const wild = { host: '*.h', path: '/a', open: true }
    const asked = request({ host: 'public.h', path: '/a' })
    const spelled = { ...asked, hostAsSpelled: false }
    for (const caseSensitive of [false, true]) {
      const { find } = table([any, wild, open], caseSensitive)
      expect([find(asked), find(spelled)]).toEqual([open, any])
      expect(table([open, wild], caseSensitive).find(spelled)).toBe(open)
      const openToAll = { open: true }
      expect(table([open, openToAll], caseSensitive).find(spelled)).toBe(open)
      const guarded = { host: 'public.h', path: '/a' }
      expect(table([any, open, guarded], caseSensitive).find(spelled)).toBe(guarded)
    }
  })

  it('a better host wins over a longer path', () => {
    const host = { host: 'h' }
    expect(table([{ path: '/a/b/c' }, host]).find(request({ path: '/a/b/c' }))).toBe(host)
  })
})

describe('A2 paths', () => {
  const root = { path: '/' }
  const app = { path: '/app' }
  const deep = { path: '/app/v1/admin' }
  const { find } = table([root, deep, app])

  it.each([
    ['/', root],
    ['/app', app],
    ['/app/', app],
    ['/app/v1', app],
    ['/app/v1/admi', app],
    ['/app/v1/admin', deep],
    ['/app/v1/admin/x/y', deep],
    ['/app/v1/administrators', app],
    ['/apple', root],
    ['/ap', root],
    ['/x/app', root],
    ['//app', root],
    ['/app//v1/admin', app],
  ])('%s: the longest prefix on segment boundaries', (path, route) => {
    expect(find(request({ path }))).toBe(route)
  })

  it('match without regard to case unless asked', () => {
    const written = { path: '/App/Caf\u00e9' }
    const insensitive = table([written])
    const sensitive = table([written], true)
    for (const path of ['/App/Caf\u00e9', '/APP/CAF\u00c9/x', '/app/caf\u00e9']) {
      expect(insensitive.find(request({ path }))).toBe(written)
      expect(sensitive.find(request({ path }))).toBe(path === written.path ? written : undefined)
    }
  })

  it('an open route that matches by ignoring case gives way to a protected one', () => {
    const open = { path: '/Public', open: true }
    const inner = { path: '/Public/Admin' }
    const { find } = table([root, open, inner])
    const at = (path: string) => find(request({ path }))
    expect([at('/Public'), at('/Public/x')]).toEqual([open, open])
    expect([at('/public'), at('/PUBLIC/x'), at('/Publi\u0441'), at('/Publicx')]).toEqual([root, root, root, root])
    expect([at('/Public/Admin'), at('/public/ADMIN'), at('/Public/admin/x')]).toEqual([inner, inner, inner])
    const alone = table([open])
    expect([alone.find(request({ path: '/public' })), alone.find(request({ path: '/other' }))]).toEqual([
      open,
      undefined,
    ])
    const openRoot = { path: '/', open: true }
    expect(table([openRoot]).find(request({ path: '/X' }))).toBe(openRoot)
    expect(table([openRoot, open]).find(request({ path: '/public' }))).toBe(open)
    expect(table([open], true).find(request({ path: '/Public' }))).toBe(open)
  })

  it('are ambiguous where another reading leads elsewhere, and only there', () => {
    expect(find(request({ path: '/app', otherPaths: ['/%61pp'] }))).toBe('ambiguous')
    expect(find(request({ path: '/x', otherPaths: ['/app/v1'] }))).toBe('ambiguous')
    expect(find(request({ path: '/app/x', otherPaths: ['/app/y', '/app', '/app//z'] }))).toBe(app)
    expect(find(request({ path: '/app/x', otherPaths: ['/app/y', '/app/v1/admin'] }))).toBe('ambiguous')
    const only = table([app])
    expect(only.find(request({ path: '/app', otherPaths: ['/x'] }))).toBe('ambiguous')
    expect(only.find(request({ path: '/x', otherPaths: ['/app'] }))).toBe('ambiguous')
    expect(only.find(request({ path: '/x', otherPaths: ['/y'] }))).toBeUndefined()
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    '%s is a segment and a host like others',
    (name) => {
      expect(table([app]).find(request({ path: `/${name}`, host: name, method: name }))).toBeUndefined()
      const route = { path: `/${name}`, host: name }
      expect(table([route], true).find(request({ path: `/${name}/x`, host: name }))).toBe(route)
    },
  )
})

describe('A13 ports', () => {
  it('a given port comes before none, before the length of the path', () => {
    const port = { port: 8080 }
    const path = { path: '/app' }
    const { find } = table([path, port])
    expect(find(request({ port: 8080, path: '/app' }))).toBe(port)
    expect(find(request({ port: 80, path: '/app' }))).toBe(path)
    expect(find(request({ port: 80 }))).toBeUndefined()
  })

  it('a port without a route for the path leaves it to the routes without a port', () => {
    const port = { port: 8080, path: '/a' }
    const none = { path: '/b' }
    expect(table([port, none]).find(request({ port: 8080, path: '/b' }))).toBe(none)
  })
})

describe('A2 methods', () => {
  const get = { path: '/app', methods: ['GET'] }
  const put = { path: '/app', methods: ['PUT', 'PATCH'] }
  const rest = { path: '/app' }
  const root = { methods: ['POST'] }

  it('given methods come before none, in whatever order', () => {
    for (const routes of [
      [rest, get, put],
      [get, rest, put],
      [get, put, rest],
    ]) {
      const { find } = table(routes)
      const by = (method: string) => find(request({ path: '/app', method }))
      expect([by('GET'), by('HEAD'), by('PUT'), by('PATCH'), by('DELETE')]).toEqual([get, get, put, put, rest])
    }
  })

  it('GET has HEAD with it, and HEAD alone not GET', () => {
    const head = { methods: ['HEAD'] }
    const by = (routes: Written[], method: string) => table(routes).find(request({ method }))
    expect(by([{ methods: ['GET'] }], 'HEAD')).toBeDefined()
    expect(by([head], 'GET')).toBeUndefined()
    expect(by([{ methods: ['POST'] }], 'HEAD')).toBeUndefined()
  })

  it('a method that the longest prefix has no route for is tried on shorter ones', () => {
    const { find } = table([get, root])
    expect(find(request({ path: '/app', method: 'POST' }))).toBe(root)
    expect(find(request({ path: '/app', method: 'DELETE' }))).toBeUndefined()
  })

  it('are compared as they are sent: `get` is no method', () => {
    expect(table([get]).find(request({ path: '/app', method: 'get' }))).toBeUndefined()
  })
})

describe('A1 A2 A13 properties of the table', () => {
  const host = fc.constantFrom(undefined, 'h', 'a.h', '*.h', '*.a.h', 'b.a.h', '[::1]', '*.localhost')
  const segment = fc.constantFrom('a', 'A', 'b', 'k', '\u212a', '\u00e9', '\u00c9', 'a b')
  const path = fc.array(segment, { maxLength: 3 }).map((segments) => `/${segments.join('/')}`)
  const methods = fc.constantFrom(undefined, ['GET'], ['HEAD'], ['POST', 'PUT'], ['GET', 'POST'])
  const port = fc.constantFrom(undefined, undefined, 80, 8080)
  const written = fc
    .record({ host, port, path, methods, open: fc.constantFrom(undefined, undefined, true) })
    .map((parts) => Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined)) as Written)
  const asked: fc.Arbitrary<Located> = fc.record({
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE'),
    host: fc.constantFrom('h', 'a.h', 'c.h', 'b.a.h', 'c.a.h', 'd.c.a.h', 'localhost', 'x.localhost', '[::1]', ''),
    hostAsSpelled: fc.boolean(),
    port: fc.constantFrom(80, 8080, 1),
    path,
    otherPaths: fc.array(fc.oneof(path, fc.constantFrom('//a', '/a//b', '/%61')), { maxLength: 2 }),
  })

  it('finds what comparing every route finds', () => {
    fc.assert(
      fc.property(fc.array(written, { maxLength: 12 }), asked, fc.boolean(), (routes, located, caseSensitive) => {
        const found = table(routes, caseSensitive).find(located)
        const naive = [located.path, ...located.otherPaths].map((each) => best(routes, located, each, caseSensitive))
        expect(found).toBe(naive.every((route) => route === naive[0]) ? naive[0] : 'ambiguous')
      }),
      { numRuns: 10_000 },
    )
  })

  /** The best route for one reading of the path: an open one, unless it is spelled like it, gives way to a protected one. */
  function best(routes: readonly Written[], located: Located, path: string, caseSensitive: boolean) {
    const winner = bestOf(routes, located, path, caseSensitive)
    const isSpelled = (route: Written) =>
      bestOf([route], located, path, true) !== undefined && (route.host === undefined || located.hostAsSpelled)
    if (winner?.open !== true || isSpelled(winner)) return winner
    const spelled = routes.filter((route) => route.open !== true || isSpelled(route))
    const asSpelled = bestOf(spelled, located, path, caseSensitive)
    return asSpelled === undefined || asSpelled.open === true ? winner : asSpelled
  }

  /** By comparing all. */
  function bestOf(
    routes: readonly Written[],
    located: Located,
    path: string,
    caseSensitive: boolean,
  ): Written | undefined {
    const fold = (text: string) => (caseSensitive ? text : text.toLowerCase())
    const under = (inner: string, outer: string) => outer === '/' || inner === outer || inner.startsWith(`${outer}/`)
    const fitting = routes.filter(({ host, port, path: prefix = '/', methods }) => {
      const ownHost =
        host === undefined ||
        host === located.host ||
        (host.startsWith('*.') && located.host.replace(/^[^.]+/, '*') === host)
      const ownMethod =
        methods === undefined ||
        methods.includes(located.method) ||
        (located.method === 'HEAD' && methods.includes('GET'))
      const ownPath = under(fold(path), fold(prefix))
      return ownHost && ownMethod && ownPath && (port === undefined || port === located.port)
    })
    const rank = ({ host, port, path: prefix = '/', methods }: Written) => [
      host === undefined ? 0 : host.startsWith('*.') ? 1 : 2,
      port === undefined ? 0 : 1,
      prefix.split('/').filter((each) => each !== '').length,
      methods === undefined ? 0 : 1,
    ]
    return fitting.reduce<Written | undefined>((winner, route) => {
      if (winner === undefined) return route
      const [own, other] = [rank(route), rank(winner)]
      const index = own.findIndex((value, at) => value !== other[at])
      return index !== -1 && (own[index] ?? 0) > (other[index] ?? 0) ? route : winner
    }, undefined)
  }
})

describe('A13 ten thousand routes', () => {
  it('are all found, each by its own requests', () => {
    const routes: Written[] = []
    for (let index = 0; index < 2500; index++) {
      routes.push(
        { host: `s${index}.apps.example.com`, path: '/' },
        { host: `*.d${index}.example.com`, path: '/api' },
        { host: 'example.com', path: `/services/s${index}` },
        { path: `/t${index % 50}/u${index}`, port: 8000 + (index % 3), methods: ['GET'] },
      )
    }
    const { find } = table(routes)
    for (const route of routes) {
      const host = route.host?.replace('*', 'x') ?? 'elsewhere'
      const at = request({ host, path: `${route.path === '/' ? '' : route.path}/x`, port: route.port ?? 80 })
      expect(find(at)).toBe(route)
      expect(find({ ...at, host: `${host}.evil` })).toBe(route.host === undefined ? route : undefined)
    }
  })
})
