/**
 * The one property that everything about paths is for: whatever a request's
 * target looks like, if it is let in as open, no server runs a protected handler on it.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGuard, type RouteAuth } from '../../src/index.ts'
import { hostileTargets } from './hostile-targets.ts'
import { gateRequest } from './request.ts'
import { type Server, serversFor } from './servers.ts'

/** A prefix in front of a catch-all, one of them open and the other protected. */
interface Layout {
  readonly prefix: string
  readonly inner: 'open' | 'protected'
  readonly caseSensitive: boolean
}

const PREFIXES = ['/healthz', '/admin', '/ok', '/stra\u00dfe', '/caf\u00e9', '/a/b', '/v1.0/Admin', '/a b']

const layouts: Layout[] = PREFIXES.flatMap((prefix) =>
  (['open', 'protected'] as const).flatMap((inner) =>
    [false, true].map((caseSensitive) => ({ prefix, inner, caseSensitive })),
  ),
)

/** What the guard makes of a target. */
type Verdict = 'open' | 'protected' | 'refused'

function guardFor({ prefix, inner, caseSensitive }: Layout): (target: string) => Promise<Verdict> {
  const open: RouteAuth = { type: 'none' }
  const password: RouteAuth = { type: 'basic', username: 'alice', password: 'secret' }
  const guard = createGuard({
    caseSensitive,
    routes: [
      { path: prefix, auth: inner === 'open' ? open : password },
      { path: '/', auth: inner === 'open' ? password : open },
    ],
  })
  return async (target) => {
    // An authority in the target must be the one in `Host`, which an attacker writes as well.
    const host = /^https?:\/\/([^/?#]*)/i.exec(target)?.[1] ?? 'h'
    const outcome = await guard.handle(gateRequest({ target, lines: [['Host', host]] }))
    if (outcome.kind === 'pass') return 'open'
    if (outcome.kind === 'reply' && outcome.reply.status === 401) return 'protected'
    expect(outcome).toMatchObject({ reply: { status: 400 } })
    return 'refused'
  }
}

/** The servers whose routes a layout describes. */
function serversOf({ prefix, caseSensitive }: Layout): Server[] {
  return serversFor(prefix).filter((server) => server.caseSensitive || !caseSensitive)
}

async function protectedHandlersReached(
  { inner }: Layout,
  servers: readonly Server[],
  target: string,
): Promise<string[]> {
  const guarded = inner === 'open' ? 'outer' : 'inner'
  const reached = await Promise.all(
    servers.map(
      async (server) => (server.absoluteForm || target.startsWith('/')) && (await server.reaches(target)) === guarded,
    ),
  )
  return servers.filter((_server, index) => reached[index]).map(({ name }) => name)
}

describe('A2 A13 a target that passes as open reaches no protected handler', () => {
  it.each(layouts)('$prefix $inner, case-sensitive $caseSensitive', async (layout) => {
    const guard = guardFor(layout)
    const servers = serversOf(layout)
    const words = layout.prefix.split('/').filter((word) => word !== '')
    await fc.assert(
      fc.asyncProperty(hostileTargets(words), async (target) => {
        if ((await guard(target)) === 'open')
          expect(await protectedHandlersReached(layout, servers, target)).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })
})

describe('A2 A13 ways around a guard that looks at one reading only', () => {
  const admin: Layout = { prefix: '/admin', inner: 'protected', caseSensitive: false }
  const healthz: Layout = { prefix: '/healthz', inner: 'open', caseSensitive: false }
  const nested: Layout = { prefix: '/a/b', inner: 'protected', caseSensitive: false }
  const ok: Layout = { prefix: '/ok', inner: 'open', caseSensitive: false }
  const cafe: Layout = { prefix: '/caf\u00e9', inner: 'open', caseSensitive: false }

  it.each<[string, Layout, string]>([
    ['another case, which Express takes for the same', admin, '/ADMIN'],
    ['another case, which Fastify takes for something else', healthz, '/HEALTHZ'],
    ['the Kelvin sign, whose small letter is k', ok, '/o%E2%84%AA'],
    ['needless encoding, which Fastify undoes', admin, '/%61dmin'],
    ['needless encoding, which Express does not undo', healthz, '/%68ealthz'],
    ['hexadecimal digits in small letters, which koa-mount does not compare', cafe, '/caf%c3%a9'],
    ['dot segments, which WHATWG URL resolves', healthz, '/healthz/../admin'],
    ['encoded dot segments', healthz, '/healthz/%2e%2e/admin'],
    ['dot segments back to what is encoded', healthz, '/healthz/%2e%2e/%68ealthz'],
    ['dot segments of which the encoded ones are resolved last', nested, '/a/%62/%2e%2e/..'],
    ['an authority, which new URL(target, base) drops', admin, '//h/admin'],
    ['an authority with dot segments', admin, '//h/x/../admin'],
    ['an authority with needless encoding', admin, '//h/%61dmin'],
    ['an authority behind three slashes', admin, '///h/admin'],
    ['an authority behind five', admin, '/////h/admin'],
    ['an authority with a user, which url.parse drops where there is a fragment', admin, '//u@h/admin?#'],
    ['double slashes, which Fastify can merge', admin, '//admin'],
    ['double slashes in front of dot segments', admin, '//admin/..'],
    ['a semicolon, which ends the path for Fastify 4', admin, '/admin;x'],
    ['a semicolon in front of dot segments', healthz, '/healthz;/../admin'],
    ['path parameters, which Java drops', admin, '/x/..;/admin'],
    ['an encoded question mark, for who decodes first', admin, '/admin%3fx'],
    ['an absolute form with a slash in its query, for Fastify 4', admin, 'http://h?/admin'],
    ['an absolute form with an empty authority', admin, 'http:///h/admin'],
    ['an absolute form with its scheme in capitals', healthz, 'HTTP://h/healthz'],
  ])('%s', async (_, layout, target) => {
    const guard = guardFor(layout)
    const servers = serversOf(layout)
    expect(await protectedHandlersReached(layout, servers, target)).not.toEqual([])
    expect(await guard(target)).not.toBe('open')
  })
})

describe('A2 ordinary targets are not refused', () => {
  const layout: Layout = { prefix: '/caf\u00e9', inner: 'protected', caseSensitive: false }
  const guard = guardFor(layout)

  it.each([
    '/',
    '/my%20file',
    '/a%40b',
    '/a@b',
    '/~alice/.profile',
    '/.well-known/openid-configuration',
    '/archive.tar.gz',
    '/a..b/...',
    '/%E4%BD%A0%E5%A5%BD',
    '/what%3F/100%25',
    '/caf%C3%A8',
    '/cafe',
    '/a;v=1/b',
    '/a//b',
    '/search?q=/../admin;%2f\\',
    'http://h/a',
    'http://h',
  ])('%s is open', async (target) => {
    expect(await guard(target)).toBe('open')
  })

  it.each(['/caf%C3%A9', '/caf%C3%A9/', '/caf%C3%A9/x%20y', '/CAF%C3%89', '/caf%C3%A9/a//b', '/caf%C3%A9?x'])(
    '%s is protected',
    async (target) => {
      expect(await guard(target)).toBe('protected')
    },
  )

  it('whatever the segments, as encodeURIComponent writes them', async () => {
    const segment = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !/^\.{1,2}$|[/\\\0;?#%]|^caf\u00e9$/i.test(text) && text.isWellFormed())
    await fc.assert(
      fc.asyncProperty(fc.array(segment), async (segments) => {
        const rest = segments.map((each) => `/${encodeURIComponent(each)}`).join('')
        expect(await guard(rest || '/')).toBe('open')
        expect(await guard(`/caf%C3%A9${rest}`)).toBe('protected')
      }),
    )
  })
})
