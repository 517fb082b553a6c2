import { describe, expect, it } from 'vitest'
import { checkGrants, checkPrincipal, type KnownNames } from '../../src/access/check-grants.ts'
import type { ConfigProblem } from '../../src/core/errors.ts'

const known: KnownNames = {
  integrations: ['corp', 'partner'],
  servers: ['dev/github', 'dev/jira', 'data/hub', 'team/assistant'],
  virtualAccounts: ['ci', 'nightly'],
  externalIdentities: ['acme'],
}
const all = { to: 'group:corp/eng', on: 'dev/*' }

function problemsOf(grants: unknown, names = known): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  checkGrants(grants, 'access', names, problems)
  return problems
}

describe('G4 checkGrants finds nothing wrong with', () => {
  it.each<[string, object]>([
    ['a group', all],
    ['a pattern of addresses', { ...all, to: 'user:corp/*@example.com' }],
    ['a subject with slashes', { ...all, to: 'user:partner/a/b' }],
    ['everybody of an integration', { ...all, to: 'user:corp/*' }],
    ['several', { to: ['virtual-account:ci', 'external-identity:acme'], on: ['dev/github', 'data/hub'] }],
    ['patterns of names', { to: ['virtual-account:n*', 'external-identity:*'], on: '*' }],
    ['anonymous', { to: 'anonymous', on: 'team/assistant', role: 'use' }],
    ['groups of virtual accounts', { ...all, to: 'group:virtual-account/batch' }],
    ['roles', { ...all, role: 'admin' }],
    ['parts', { ...all, tools: ['get_*', '*'], prompts: ['p'], resources: ['file:///public/*'] }],
    ['arguments', { ...all, tools: ['*'], arguments: { dataset: ['public/*', 7, true], 'a.b': ['x'] } }],
  ])('%s', (_, grant) => {
    expect(problemsOf([grant])).toEqual([])
  })

  it('no grants at all', () => {
    expect(problemsOf([])).toEqual([])
  })

  it('names of kinds that are not known yet', () => {
    const grant = { to: ['user:x/y', 'virtual-account:y', 'external-identity:z'], on: 'any/thing' }
    expect(problemsOf([grant], {})).toEqual([])
  })
})

describe('G4 checkGrants knows who there is', () => {
  it.each<[string, string]>([
    ['user:crop/ann', 'no integration named "crop"; did you mean "corp"?'],
    ['group:nowhere/eng', 'no integration named "nowhere"'],
    ['group:*/eng', '"*": an integration is written out, without stars'],
    ['group:c*/eng', '"c*": an integration is written out, without stars'],
    ['user:ann@example.com', 'expected "user:<integration>/<name>"; for example "user:corp/ann@example.com"'],
    ['group:corp', 'expected "group:<integration>/<name>"'],
    ['user:corp/', 'expected "user:<integration>/<name>"'],
    ['user:/ann', 'expected "user:<integration>/<name>"'],
    ['user:', 'expected "user:<integration>/<name>"'],
    ['user:*', 'expected "user:<integration>/<name>"; for example "user:corp/*"'],
    ['user:virtual-account/ci', 'expected "virtual-account:<name>"'],
    ['virtual-account:cj', 'no virtual account named "cj"; did you mean "ci"?'],
    ['virtual-account:x*', '"x*" matches no virtual account'],
    ['virtual-account:', 'expected the name of a virtual account'],
    ['external-identity:acne', 'no external identity named "acne"; did you mean "acme"?'],
    ['usr:corp/ann', expect.stringMatching(/^unknown kind "usr"; did you mean "user"\?; expected "user:<integration>/)],
    ['virtual_account:ci', expect.stringMatching(/^unknown kind "virtual_account"; did you mean "virtual-account"\?/)],
    ['anonymous:x', expect.stringMatching(/^unknown kind "anonymous"/)],
    ['__proto__:x', expect.stringMatching(/^unknown kind "__proto__"/)],
    ['anonimous', expect.stringMatching(/^"anonimous" is nobody; did you mean "anonymous"\?/)],
    ['ann@example.com', expect.stringMatching(/^"ann@example.com" is nobody; expected "user:/)],
    ['*', expect.stringMatching(/^a star does not stand for everybody; write "anonymous"/)],
    ['anon*', expect.stringMatching(/^a star does not stand for everybody/)],
    ['', 'must not be empty'],
    ['user:corp/*a*b*', 'a pattern has at most 2 stars, this one has 3'],
    ['user:corp/a\nb', 'a pattern has no control characters'],
  ])('%j: %s', (to, message) => {
    expect(problemsOf([{ ...all, to }])).toEqual([{ path: 'access[0].to', message }])
  })

  it('names the one in a list', () => {
    expect(problemsOf([all, { ...all, to: ['group:corp/eng', 'virtual-account:cj', 7] }])).toEqual([
      { path: 'access[1].to[2]', message: 'expected string, got number' },
    ])
    expect(problemsOf([all, { ...all, to: ['group:corp/eng', 'virtual-account:cj'] }])).toEqual([
      { path: 'access[1].to[1]', message: 'no virtual account named "cj"; did you mean "ci"?' },
    ])
  })

  it('an integration whose name could be cut in two ways', () => {
    const names = { ...known, integrations: ['a/b'] }
    expect(problemsOf([{ ...all, to: 'group:a/b/c' }], names)).toEqual([
      { path: 'access[0].to', message: '"a/b": an integration with a "/" in its name can have no grants' },
    ])
  })

  it('elsewhere, too: an owner of a virtual account is a principal', () => {
    const problems: ConfigProblem[] = []
    checkPrincipal('user:crop/ann@example.com', 'virtualAccounts.ci.owners[0]', known, problems)
    expect(problems).toEqual([
      { path: 'virtualAccounts.ci.owners[0]', message: 'no integration named "crop"; did you mean "corp"?' },
    ])
  })
})

describe('G4 checkGrants knows which servers there are', () => {
  it.each<[string, string]>([
    ['dev/githb', 'no server named "dev/githb"; did you mean "dev/github"?'],
    ['dev', 'no server named "dev"'],
    ['dve/*', '"dve/*" matches no server'],
    ['Dev/*', '"Dev/*" matches no server'],
    ['', 'must not be empty'],
    ['***', 'a pattern has at most 2 stars, this one has 3'],
  ])('%j: %s', (on, message) => {
    expect(problemsOf([{ ...all, on }])).toEqual([{ path: 'access[0].on', message }])
  })

  it('names the one in a list', () => {
    expect(problemsOf([{ ...all, on: ['dev/*', 'data/hubb'] }])).toEqual([
      { path: 'access[0].on[1]', message: 'no server named "data/hubb"; did you mean "data/hub"?' },
    ])
  })
})

describe('G4 checkGrants knows what goes together', () => {
  const arguments_ = { dataset: ['x'] }
  it.each<[string, object, string, string]>([
    ['who is missing', { on: 'dev/*' }, 'to', 'required, a value of type string'],
    ['the server is missing', { to: 'anonymous' }, 'on', 'required, a value of type string'],
    ['nobody', { ...all, to: [] }, 'to', 'must not be empty'],
    [
      'an unknown role',
      { ...all, role: 'amdin' },
      'role',
      'expected one of "use", "manage", "admin"; did you mean "admin"?',
    ],
    ['no tools', { ...all, tools: [] }, 'tools', 'must not be empty'],
    ['tools as a text', { ...all, tools: 'get_*' }, 'tools', 'expected array, got string'],
    ['a bad pattern', { ...all, tools: ['ok', '*a*b*'] }, 'tools[1]', 'a pattern has at most 2 stars, this one has 3'],
    ['an empty prompt', { ...all, prompts: [''] }, 'prompts[0]', 'must not be empty'],
    ['a bad resource', { ...all, resources: ['a\0'] }, 'resources[0]', 'a pattern has no control characters'],
    [
      'managing some tools',
      { ...all, role: 'manage', tools: ['x'] },
      'role',
      '"manage" is for a whole server; leave out tools, or it',
    ],
    [
      'administrating some prompts and resources',
      { ...all, role: 'admin', prompts: ['x'], resources: ['y'] },
      'role',
      '"admin" is for a whole server; leave out prompts, resources, or it',
    ],
    [
      'everybody as admin',
      { ...all, to: ['group:corp/eng', 'anonymous'], role: 'admin' },
      'role',
      '"admin" is not for everybody',
    ],
    [
      'arguments of no tools',
      { ...all, arguments: arguments_ },
      'arguments',
      "goes with tools: name the tools whose arguments these are, or ['*']",
    ],
    ['no accepted values', { ...all, tools: ['x'], arguments: { a: [] } }, 'arguments.a', 'must not be empty'],
    ['a value alone', { ...all, tools: ['x'], arguments: { a: 'x' } }, 'arguments.a', 'expected array, got string'],
    [
      'an object as value',
      { ...all, tools: ['x'], arguments: { a: [{}] } },
      'arguments.a[0]',
      'expected a text, a number, true or false',
    ],
    [
      'a bad value',
      { ...all, tools: ['x'], arguments: { a: ['***'] } },
      'arguments.a[0]',
      'a pattern has at most 2 stars, this one has 3',
    ],
    [
      'a rounded number',
      { ...all, tools: ['x'], arguments: { a: [2 ** 53] } },
      'arguments.a[0]',
      'JSON would round the number 9007199254740992; write it as text',
    ],
    [
      'a bad key',
      { ...all, tools: ['x'], arguments: { 'a..b': ['x'] } },
      'arguments["a..b"]',
      expect.stringMatching(/^is not the name of an argument/) as unknown as string,
    ],
    [
      'the prototype as argument',
      { ...all, tools: ['x'], arguments: JSON.parse('{"__proto__":["x"]}') },
      'arguments.__proto__',
      'is not an argument',
    ],
  ])('%s', (_, grant, key, message) => {
    expect(problemsOf([all, grant])).toEqual([{ path: `access[1].${key}`, message }])
  })

  it('unknown keys', () => {
    expect(problemsOf([{ ...all, tool: ['x'] }])).toEqual([
      { path: 'access[0]', message: 'unknown key "tool"; did you mean "tools"?' },
    ])
  })

  it.each([undefined, null, 'x', {}])('%j is no list of grants', (grants) => {
    expect(problemsOf(grants)).toEqual([{ path: 'access', message: expect.any(String) }])
  })

  it('says everything at once', () => {
    const grants = [{ to: 'anon', on: ['x/y', 'dev/*'], role: 'admin', tools: ['a'], arguments: { '': ['x'] } }, null]
    expect(problemsOf(grants).map(({ path }) => path)).toEqual([
      'access[0].to',
      'access[0].on[0]',
      'access[0].role',
      'access[0].arguments[""]',
      'access[1]',
    ])
  })
})
