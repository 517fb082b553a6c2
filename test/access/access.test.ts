import { describe, expect, it } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import type { AccessDecision, Wanted } from '../../src/access/decision.ts'
import type { Grant } from '../../src/access/grants.ts'
import { principalsOf } from '../../src/access/principals.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { members, nobody, person, virtualAccount } from './callers.ts'

const ENGINEER = members('engineering')
const tool = (name: string, args?: unknown): Wanted => ({ kind: 'tool', name, arguments: args })
const prompt = (name: string): Wanted => ({ kind: 'prompt', name })
const resource = (uri: string): Wanted => ({ kind: 'resource', uri })
const CONNECT: Wanted = { kind: 'connect' }
const MANAGE: Wanted = { kind: 'manage' }
const ADMIN: Wanted = { kind: 'admin' }

/** `true`, or why not. */
function outcome(decision: AccessDecision) {
  return decision.allowed || decision.reason
}

describe('G4 deny by default', () => {
  it('without grants nobody has anything', () => {
    const access = createAccess([])
    for (const wanted of [CONNECT, tool('x'), prompt('x'), resource('x'), MANAGE, ADMIN]) {
      expect(access.decide(ENGINEER, 'dev/github', wanted)).toEqual({ allowed: false, reason: 'no_role' })
    }
    expect(access.mayUse(ENGINEER, 'dev/github')).toBe(false)
  })

  it('a grant to others, or on another server, gives nothing', () => {
    const access = createAccess([
      { to: 'group:corp/sales', on: 'dev/github' },
      { to: 'group:partner/engineering', on: 'dev/github' },
      { to: 'group:corp/engineering', on: 'dev/git' },
      { to: 'group:corp/engineering', on: 'dev/github/x' },
    ])
    expect(outcome(access.decide(ENGINEER, 'dev/github', CONNECT))).toBe('no_role')
  })

  it('nothing is given to what is no known kind of thing', () => {
    const access = createAccess([{ to: 'anonymous', on: '*', role: 'admin' }])
    expect(outcome(access.decide(ENGINEER, 'dev/github', { kind: 'task' } as unknown as Wanted))).toBe('not_granted')
  })
})

describe('G4 roles', () => {
  it.each<[Grant['role'], boolean, boolean, boolean]>([
    [undefined, true, false, false],
    ['use', true, false, false],
    ['manage', true, true, false],
    ['admin', true, true, true],
  ])('%s: use %s, manage %s, admin %s', (role, ...expected) => {
    const grant = { to: 'group:corp/engineering', on: 'dev/*', ...(role === undefined ? {} : { role }) }
    const access = createAccess([grant])
    const decide = (wanted: Wanted) => access.decide(ENGINEER, 'dev/github', wanted)
    for (const wanted of [CONNECT, tool('x'), prompt('x'), resource('x')]) {
      expect(decide(wanted).allowed).toBe(expected[0])
    }
    expect(outcome(decide(MANAGE))).toBe(expected[1] || 'not_granted')
    expect(outcome(decide(ADMIN))).toBe(expected[2] || 'not_granted')
  })

  it('a grant that names tools is no role to manage, also where nobody checked', () => {
    const access = createAccess([{ to: 'anonymous', on: '*', role: 'admin', tools: ['*'] }])
    expect(outcome(access.decide(ENGINEER, 'dev/github', MANAGE))).toBe('not_granted')
  })
})

describe('G4 to whom', () => {
  const people = {
    ann: principalsOf(person({ email: 'ann@example.com', groups: ['engineering'] })),
    acme: principalsOf(person({ integration: 'partner', externalIdentities: ['acme'] })),
    ci: principalsOf(virtualAccount('ci')),
    nobody: principalsOf(nobody),
  }
  it.each<[Grant['to'], (keyof typeof people)[]]>([
    ['user:corp/ann@example.com', ['ann']],
    ['user:corp/*@example.com', ['ann']],
    ['user:corp/00u1', ['ann']],
    ['user:corp/*', ['ann']],
    ['user:partner/00u1', ['acme']],
    ['group:corp/engineering', ['ann']],
    ['group:corp/eng*', ['ann']],
    ['virtual-account:ci', ['ci']],
    ['virtual-account:*', ['ci']],
    ['external-identity:acme', ['acme']],
    [
      ['virtual-account:ci', 'external-identity:acme'],
      ['acme', 'ci'],
    ],
    ['anonymous', ['ann', 'acme', 'ci', 'nobody']],
    // What the check of the configuration refuses gives nothing, rather than everything.
    ['*', []],
    ['anon*', []],
    ['user:*', []],
    ['user:*/*', []],
    ['group:*/engineering', []],
    ['**:**', []],
  ])('%j: %j', (to, expected) => {
    const access = createAccess([{ to, on: 'dev/github' }])
    const names = Object.keys(people) as (keyof typeof people)[]
    expect(names.filter((name) => access.mayUse(people[name], 'dev/github'))).toEqual(expected)
  })
})

describe('G4 on which servers', () => {
  const ids = ['dev/github', 'dev/jira', 'data/hub', 'team/assistant', 'Dev/github', 'dev/*', '*', '']
  it.each<[Grant['on'], string[]]>([
    ['dev/github', ['dev/github']],
    ['dev/*', ['dev/github', 'dev/jira', 'dev/*']],
    ['*', ids],
    ['*/hub', ['data/hub']],
    [
      ['data/hub', 'team/*'],
      ['data/hub', 'team/assistant'],
    ],
  ])('%j: %j', (on, expected) => {
    const access = createAccess([{ to: 'anonymous', on }])
    expect(access.servers(ENGINEER, ids)).toEqual(expected)
  })
})

describe('G15 what a grant names', () => {
  const access = createAccess([
    { to: 'group:corp/a', on: 's', tools: ['search_*', 'get'] },
    { to: 'group:corp/b', on: 's', prompts: ['review'] },
    { to: 'group:corp/c', on: 's', resources: ['file:///public/*'] },
    { to: 'group:corp/d', on: 's', tools: ['*'] },
    { to: 'group:corp/e', on: 's' },
  ])
  it.each<[string, Wanted, boolean]>([
    ['a', CONNECT, true],
    ['a', tool('get'), true],
    ['a', tool('search_'), true],
    ['a', tool('search_code'), true],
    ['a', tool('Search_code'), false],
    ['a', tool('GET'), false],
    ['a', tool('get '), false],
    ['a', tool('get\0'), false],
    ['a', tool('search_\0'), false],
    ['a', tool('search_*'), true],
    ['a', tool('g\u0435t'), false],
    ['a', tool(''), false],
    ['a', tool('__proto__'), false],
    ['a', tool('constructor'), false],
    ['a', prompt('get'), false],
    ['a', resource('get'), false],
    ['a', MANAGE, false],
    ['b', CONNECT, true],
    ['b', prompt('review'), true],
    ['b', prompt('reviews'), false],
    ['b', tool('review'), false],
    ['c', resource('file:///public/a'), true],
    ['c', resource('file:///public/../etc/passwd'), false],
    ['c', resource('file:///secret'), false],
    ['c', tool('file:///public/a'), false],
    ['d', tool('anything'), true],
    ['d', tool('bad\nname'), false],
    ['d', prompt('anything'), false],
    ['e', tool('bad\nname'), true],
    ['e', prompt('anything'), true],
    ['e', resource('file:///a/../b'), true],
  ])('group %s: %j is %s', (group, wanted, expected) => {
    expect(outcome(access.decide(members(group), 's', wanted))).toBe(expected || 'not_granted')
  })

  it('several grants add up', () => {
    const both = members('a', 'b')
    expect(access.decide(both, 's', tool('get')).allowed).toBe(true)
    expect(access.decide(both, 's', prompt('review')).allowed).toBe(true)
    expect(access.decide(both, 's', resource('file:///public/a')).allowed).toBe(false)
  })
})

describe('G15 argument values', () => {
  const grants: Grant[] = [
    { to: 'virtual-account:ci', on: 'data/hub', tools: ['search_*'], arguments: { dataset: ['public/*'] } },
    { to: 'virtual-account:ci', on: 'data/hub', tools: ['search_*'], arguments: { dataset: ['team/*'], limit: [10] } },
    { to: 'virtual-account:ci', on: 'data/hub', tools: ['search_free'] },
    { to: 'virtual-account:ci', on: 'data/hub', tools: ['count'] },
  ]
  const access = createAccess(grants)
  const ci = principalsOf(virtualAccount('ci'))

  it.each<[Wanted, number]>([
    [tool('search_x', { dataset: 'public/a' }), 0],
    [tool('search_x', { dataset: 'team/a', limit: 10 }), 1],
    // The rules of one grant do not bind another.
    [tool('search_free', { dataset: 'secret' }), 2],
    [tool('search_free'), 2],
    [tool('count', { dataset: 'secret' }), 3],
  ])('%j is allowed by grant %d', (wanted, index) => {
    expect(access.decide(ci, 'data/hub', wanted)).toEqual({ allowed: true, rule: { index, grant: grants[index] } })
  })

  it.each<[Wanted]>([
    [tool('search_x', { dataset: 'secret' })],
    [tool('search_x', { dataset: 'team/a', limit: 11 })],
    [tool('search_x', { dataset: ['public/a', 'secret'] })],
    [tool('search_x', {})],
    [tool('search_x')],
  ])('%j is refused for the argument, as the first grant on it says', (wanted) => {
    expect(access.decide(ci, 'data/hub', wanted)).toEqual({
      allowed: false,
      reason: 'argument',
      argument: 'dataset',
      rule: { index: 0, grant: grants[0] },
    })
  })

  it('a tool that no grant names is refused for that', () => {
    expect(access.decide(ci, 'data/hub', tool('delete', { dataset: 'public/a' }))).toEqual({
      allowed: false,
      reason: 'not_granted',
    })
  })

  it('lists show a tool that can be called with some arguments', () => {
    const { everything, tool: shown } = access.filter(ci, 'data/hub')
    expect(everything).toBe(false)
    expect(['search_x', 'search_free', 'count', 'delete'].map(shown)).toEqual([true, true, true, false])
  })
})

describe('G15 lists', () => {
  const access = createAccess([
    { to: 'group:corp/a', on: 's', tools: ['get_*'], resources: ['file:///public/*'] },
    { to: 'group:corp/b', on: 's' },
  ])

  it('leave out what is not granted', () => {
    const filter = access.filter(members('a'), 's')
    expect(filter.everything).toBe(false)
    expect(['get_x', 'set_x', '__proto__'].map(filter.tool)).toEqual([true, false, false])
    expect(filter.prompt('get_x')).toBe(false)
    expect(['file:///public/a', 'file:///a'].map(filter.resource)).toEqual([true, false])
  })

  it('are whole where everything is', () => {
    const filter = access.filter(members('a', 'b'), 's')
    expect(filter.everything).toBe(true)
    expect([filter.tool('bad\0'), filter.prompt('x'), filter.resource('x')]).toEqual([true, true, true])
  })

  it('are empty without a role', () => {
    const filter = access.filter(members('c'), 's')
    expect(filter.everything).toBe(false)
    expect([filter.tool('get_x'), filter.prompt('x'), filter.resource('x')]).toEqual([false, false, false])
  })
})

describe('G4 hostile names', () => {
  const hostile = [
    '__proto__',
    'constructor',
    'toString',
    '*',
    '**',
    'a*',
    '',
    '\0',
    '\u202e',
    'x/../y',
    'a/b',
    '%2a',
    '..',
  ]

  it.each(hostile)('a group named %j is in that group only', (group) => {
    const access = createAccess([
      { to: 'group:corp/engineering', on: 's' },
      { to: 'group:corp/x/y', on: 's' },
      { to: 'virtual-account:ci', on: 's' },
      { to: 'user:corp/ann@example.com', on: 's' },
      { to: 'group:other/*', on: 's' },
    ])
    expect(access.mayUse(members(group), 's')).toBe(false)
    expect(access.mayUse(members(`../other/${group}`), 's')).toBe(false)
    expect(access.mayUse(principalsOf(person({ subject: group, email: group })), 's')).toBe(false)
    expect(access.mayUse(principalsOf(virtualAccount(group)), 's')).toBe(false)
    expect(access.mayUse([group], 's')).toBe(false)
  })

  it.each(hostile)('a server or tool named %j is not another', (name) => {
    const access = createAccess([{ to: 'anonymous', on: ['dev/github', 'data/*'], tools: ['get', 'search_*'] }])
    expect(access.mayUse(ENGINEER, name)).toBe(false)
    expect(access.decide(ENGINEER, 'dev/github', tool(name)).allowed).toBe(false)
  })

  it.each(['__proto__', 'constructor', 'a.b', '[x]', '{a,b}', '(a|b)', '!a', '\\', '\u0435'])(
    '%j can be granted, and is then that very name',
    (name) => {
      const access = createAccess([{ to: `group:corp/${name}`, on: name, tools: [name] }])
      expect(access.decide(members(name), name, tool(name)).allowed).toBe(true)
      for (const other of ['a', 'x', 'e', '']) {
        expect(access.mayUse(members(other), name)).toBe(false)
        expect(access.mayUse(members(name), other)).toBe(false)
        expect(access.decide(members(name), name, tool(other)).allowed).toBe(false)
      }
    },
  )
})

describe('G23 a change of the grants', () => {
  it('is another Access; what was given to the first stays what it was', () => {
    const grants = [{ to: ['group:corp/engineering'], on: 's', tools: ['a'] }]
    const access = createAccess(grants)
    grants[0]?.tools.push('b')
    grants[0]?.to.push('group:corp/sales')
    grants.push({ to: ['anonymous'], on: '*', tools: ['*'] })
    expect(access.decide(ENGINEER, 's', tool('b')).allowed).toBe(false)
    expect(access.mayUse(members('sales'), 's')).toBe(false)
    expect(createAccess(grants).decide(ENGINEER, 's', tool('b')).allowed).toBe(true)
  })

  it('cannot be made through what is handed out', () => {
    const access = createAccess([{ to: 'anonymous', on: 's', tools: ['a'] }])
    const decision = access.decide(ENGINEER, 's', tool('a'))
    const tools = decision.rule?.grant.tools as string[]
    expect(() => tools.push('b')).toThrow(TypeError)
  })

  it('a list of principals that can change is looked at each time', () => {
    const access = createAccess([{ to: 'group:corp/a', on: 's' }])
    const principals = ['group:corp/a']
    expect(access.mayUse(principals, 's')).toBe(true)
    principals.pop()
    expect(access.mayUse(principals, 's')).toBe(false)
  })
})

describe('G4 many grants', () => {
  const grants = Array.from({ length: 1000 }, (_, index): Grant => {
    const to = index % 10 === 0 ? `group:corp/team-${index}-*` : `group:corp/g${index % 200}`
    return {
      to,
      on: index % 3 === 0 ? `area${index % 20}/*` : `area${index % 20}/server${index % 50}`,
      tools: ['get_*'],
    }
  })
  const groups = Array.from({ length: 50 }, (_, index) => `g${index * 4}`)

  it('cost a caller with many groups next to nothing', () => {
    const access = createAccess(grants)
    const callers = Array.from({ length: 20 }, () => members(...groups))
    const ms = cpuMs(() => {
      for (let round = 0; round < 100; round++) {
        for (const principals of callers) {
          expect(access.mayUse(principals, 'area4/server4')).toBe(true)
          expect(access.mayUse(principals, 'area5/server5')).toBe(false)
        }
      }
    })
    // Some 2 µs for a decision, and 100 µs for a caller who has not been seen before, or 10 ms in all.
    expect(ms).toBeLessThan(1000)
  })
})
