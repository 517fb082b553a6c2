import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ConfigProblem } from '../../src/core/errors.ts'
import { checkServerNames } from '../../src/gateway/check-server-names.ts'
import { createEndpoints, isServerId, isServerName } from '../../src/gateway/endpoints.ts'
import { readPath } from '../../src/http/path.ts'

const ORIGIN = 'https://gw.example.com'
const endpoints = createEndpoints({ 'dev/github': { id: 'gh' }, 'data/Hub-2.x_y': {} }, ORIGIN)

/** What a request target leads to; `refused` before anybody looks at it. */
function at(target: string, of = endpoints) {
  const reading = readPath(target)
  return reading === undefined ? 'refused' : of.find({ path: reading.path, otherPaths: reading.others })
}

describe('G19 an endpoint', () => {
  it.each([
    ['/mcp/dev/github/server', 'dev/github', 'dev/github'],
    ['/mcp/dev/github/server/', 'dev/github', 'dev/github'],
    ['/mcp/dev/github/server?x=/mcp/a/b/server', 'dev/github', 'dev/github'],
    ['/api/llm/mcp/gh/server', 'dev/github', 'gh'],
    ['/mcp/data/Hub-2.x_y/server', 'data/Hub-2.x_y', 'data/Hub-2.x_y'],
  ])('%s is of %s', (target, server, label) => {
    const path = readPath(target)?.path ?? ''
    expect(at(target)).toEqual({ server, label, path, url: `${ORIGIN}${path}` })
  })

  it.each([
    '/mcp/dev/gitlab/server',
    '/mcp/constructor/toString/server',
    '/mcp/dev/GitHub/server',
    '/mcp/DEV/github/server',
    '/mcp/data/hub-2.x_y/server',
    '/api/llm/mcp/GH/server',
    '/api/llm/mcp/hub/server',
    '/api/llm/mcp/hasOwnProperty/server',
  ])('%s is of no server, and has all that others have', (target) => {
    expect(at(target)).toEqual({
      server: undefined,
      label: expect.any(String),
      path: target,
      url: `${ORIGIN}${target}`,
    })
  })

  it.each([
    '/',
    '/mcp',
    '/mcp/dev/github',
    '/mcp/dev/server',
    '/mcp/dev/github/servers',
    '/mcp/dev/github/server/x',
    '/mcp/dev/github/x/server',
    '/MCP/dev/github/server',
    '/mcp/dev/github/SERVER',
    '/x/mcp/dev/github/server',
    '/api/llm/mcp/dev/github/server',
    '/api/llm/mcp//server',
    '/mcp/.dev/github/server',
    '/mcp/-/github/server',
    '/mcp/dev/git hub/server',
    '/mcp/dev/git:hub/server',
    `/mcp/dev/${'x'.repeat(65)}/server`,
    '/orders/42',
    '/caf%C3%A9',
    '/orders;v=1/42',
  ])('%s is none', (target) => {
    expect(at(target.replaceAll(' ', '%20'))).toBeUndefined()
  })

  it.each([
    '/mcp//dev/github/server',
    '//mcp/dev/github/server',
    '//evil.test/mcp/dev/github/server',
    '/mcp/x/../dev/github/server',
    '/mcp/./dev/github/server',
    '/mcp/dev/git%68ub/server',
    '/mcp/dev/github/%73erver',
    '/%6dcp/dev/github/server',
    '/mcp/dev/github/server;x',
    '/mcp;x/dev/github/server',
    '/mcp/dev/github;/server',
    '/mcp/dev/%2e/github/server',
    '/mcp/dev/github/server%3Fx',
    '/mcp/dev/unknown;/server',
    '/api/llm/mcp/g%68/server',
  ])('%s may be one and may be none: it is refused', (target) => {
    expect(at(target)).toBe('ambiguous')
  })

  it.each([
    '/mcp/dev%2Fgithub/server',
    '/mcp%2fdev/github/server',
    '/mcp/dev%5Cgithub/server',
    '/mcp\\dev/github/server',
    '/mcp/dev/github%00/server',
    '/mcp/dev/github/server%',
    '/../mcp/dev/github/server',
  ])('%s does not get as far as this', (target) => {
    expect(at(target)).toBe('refused')
  })

  it('has the URLs of its server, by name and by id', () => {
    expect(endpoints.urlsOf('dev/github')).toEqual([
      `${ORIGIN}/mcp/dev/github/server`,
      `${ORIGIN}/api/llm/mcp/gh/server`,
    ])
    expect(endpoints.urlsOf('data/Hub-2.x_y')).toEqual([`${ORIGIN}/mcp/data/Hub-2.x_y/server`])
    expect(endpoints.urlsOf('dev/gitlab')).toEqual([])
    expect(endpoints.urlsOf('toString')).toEqual([])
  })

  it('lists URLs anew, so that nobody can add to them', () => {
    endpoints.urlsOf('dev/github').push('x')
    expect(endpoints.urlsOf('dev/github')).toHaveLength(2)
  })

  it('is not made for a name that has not been checked', () => {
    expect(() => createEndpoints({ github: {} }, ORIGIN)).toThrow(TypeError)
    expect(() => createEndpoints({ 'a/b': { id: 'x/y' } }, ORIGIN)).toThrow(TypeError)
  })
})

const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,12}$/)

describe('G19 whatever a name is', () => {
  it('its URLs lead back to it, in one spelling, and are what WHATWG URL makes of them', () => {
    fc.assert(
      fc.property(part, part, part, (group, server, id) => {
        const name = `${group}/${server}`
        const own = createEndpoints({ [name]: { id } }, ORIGIN)
        for (const url of own.urlsOf(name)) {
          expect(new URL(url).href).toBe(url)
          expect(at(url.slice(ORIGIN.length), own)).toMatchObject({ server: name, url })
        }
      }),
    )
  })

  it('a target that leads to a server is that of one of its URLs', () => {
    const piece = fc.constantFrom(
      '/',
      '//',
      'mcp',
      'dev',
      'github',
      'server',
      'api',
      'llm',
      'gh',
      '.',
      '..',
      ';',
      '%2e',
      '%67',
      '%2F',
      'x',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const target = `/${pieces.join('')}`
        const found = at(target)
        if (typeof found !== 'object' || found.server === undefined) return
        expect(endpoints.urlsOf(found.server)).toContain(`${ORIGIN}${target.replace(/\/$/, '')}`)
      }),
      { numRuns: 2_000 },
    )
  })

  it('that the check accepts can be an endpoint, and no other can', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ maxLength: 20 }),
          fc.tuple(part, part).map((both) => both.join('/')),
        ),
        (name) => {
          const problems: ConfigProblem[] = []
          checkServerNames({ servers: { [name]: {} } }, problems)
          const sound = isServerName(name)
          expect(problems.length === 0).toBe(sound)
          if (sound) expect(createEndpoints({ [name]: {} }, ORIGIN).urlsOf(name)).toHaveLength(1)
          else expect(() => createEndpoints({ [name]: {} }, ORIGIN)).toThrow(TypeError)
        },
      ),
    )
  })
})

describe('G19 names and ids of servers', () => {
  function problemsOf(parts: Record<string, unknown>): string[] {
    const problems: ConfigProblem[] = []
    checkServerNames(parts, problems)
    return problems.map(({ path, message }) => `${path}: ${message}`)
  }

  it('that are sound', () => {
    const servers = { 'dev/github': { id: 'gh' }, 'dev/gitlab': { id: 'gl' }, 'data/github': {}, '0/1.2_3-4': {} }
    expect(problemsOf({ servers })).toEqual([])
    expect(problemsOf({ servers, virtualServers: { 'team/assistant': { id: 'assistant' } } })).toEqual([])
  })

  it.each<[Record<string, unknown>, string]>([
    [
      { github: {} },
      'servers.github: expected "group/server", two parts with a "/" in between; for example "default/github"',
    ],
    [{ 'a/b/c': {} }, 'servers["a/b/c"]: expected "group/server", two parts with a "/" in between'],
    [{ '': {} }, 'servers[""]: expected "group/server", two parts with a "/" in between'],
    [{ 'a/': {} }, 'servers["a/"]: each part of "group/server" has 1 to 64 letters'],
    [{ '../x': {} }, 'servers["../x"]: each part of "group/server" has 1 to 64 letters'],
    [{ 'dev/*': {} }, 'servers["dev/*"]: each part'],
    [{ 'dév/x': {} }, 'servers["dév/x"]: each part'],
    [{ [`a/${'x'.repeat(65)}`]: {} }, 'each part'],
    [{ 'a/b\n': {} }, 'each part'],
    [JSON.parse('{"__proto__":{}}'), 'expected "group/server"'],
    [
      { 'dev/github': {}, 'dev/GitHub': {} },
      'servers["dev/GitHub"]: differs from servers["dev/github"], "dev/github", in case only',
    ],
    [{ 'a/b': { id: 'x' }, 'a/c': { id: 'x' } }, 'servers["a/c"].id: the same as servers["a/b"].id'],
    [
      { 'a/b': { id: 'x' }, 'a/c': { id: 'X' } },
      'servers["a/c"].id: differs from servers["a/b"].id, "x", in case only',
    ],
    [{ 'a/b': { id: 'a/b' } }, 'servers["a/b"].id: "a/b": an id has 1 to 64 letters'],
    [{ 'a/b': { id: '..' } }, 'servers["a/b"].id: "..": an id has'],
    [{ 'a/b': { id: 'x\n' } }, 'an id has'],
  ])('%j', (servers, message) => {
    const problems = problemsOf({ servers })
    expect(problems).toHaveLength(1)
    expect(problems[0]).toContain(message)
  })

  it('are one namespace for servers and virtual servers', () => {
    const parts = { servers: { 'a/b': { id: 'x' } }, virtualServers: { 'a/b': { id: 'x' } } }
    expect(problemsOf(parts)).toEqual([
      'virtualServers["a/b"]: the same as servers["a/b"]',
      'virtualServers["a/b"].id: the same as servers["a/b"].id',
    ])
  })

  it('are all told at once', () => {
    expect(problemsOf({ servers: { a: { id: '/' }, b: {} } })).toHaveLength(3)
  })

  it.each([undefined, null, 7, 'x', [], { 'a/b': null }, { 'a/b': 7 }, { 'a/b': { id: 7 } }, { 'a/b': { id: '' } }])(
    'what is no server is for others to say: %j',
    (servers) => expect(problemsOf({ servers })).toEqual([]),
  )

  it('an id is one part', () => {
    expect([isServerId('gh'), isServerId('a/b'), isServerId(''), isServerId('.a')]).toEqual([true, false, false, false])
  })
})
