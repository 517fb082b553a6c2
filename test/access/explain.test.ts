import { describe, expect, it } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import type { Wanted } from '../../src/access/decision.ts'
import type { Grant } from '../../src/access/grants.ts'
import { principalsOf } from '../../src/access/principals.ts'
import { members, person } from './callers.ts'

const grants: Grant[] = [
  { to: 'group:corp/sales', on: '*' },
  { to: ['group:corp/eng', 'group:corp/ops'], on: 'dev/*', role: 'manage' },
  { to: 'group:corp/eng', on: 'data/hub', tools: ['search_*'], arguments: { dataset: ['public/*'] } },
  { to: 'group:corp/eng', on: 'data/hub', prompts: ['review'] },
]
const access = createAccess(grants)
const ENGINEER = members('eng')
const explain = (server: string, wanted: Wanted) => access.explain(ENGINEER, server, wanted)
const SALES = 'is to "group:corp/sales", which the caller is not'

describe('B9 explain says what decided, and what each grant had to do with it', () => {
  it('allowed', () => {
    expect(explain('dev/github', { kind: 'tool', name: 'get' })).toEqual({
      allowed: true,
      rule: { index: 1, grant: grants[1] },
      summary: 'the tool "get" on "dev/github" is allowed by grant 1',
      grants: [
        { index: 0, grant: grants[0], applies: false, why: SALES },
        { index: 1, grant: grants[1], applies: true, why: 'gives the tool "get" to "group:corp/eng"' },
        { index: 2, grant: grants[2], applies: false, why: 'is on "data/hub", not on "dev/github"' },
        { index: 3, grant: grants[3], applies: false, why: 'is on "data/hub", not on "dev/github"' },
      ],
    })
  })

  it('no role on the server', () => {
    const { grants: considered, ...rest } = explain('public/wiki', { kind: 'connect' })
    expect(rest).toEqual({
      allowed: false,
      reason: 'no_role',
      summary: 'no grant to the caller is on "public/wiki", so that to them there is no such server',
    })
    expect(considered.map(({ applies, why }) => [applies, why])).toEqual([
      [false, SALES],
      [false, 'is on "dev/*", not on "public/wiki"'],
      [false, 'is on "data/hub", not on "public/wiki"'],
      [false, 'is on "data/hub", not on "public/wiki"'],
    ])
  })

  it('an argument', () => {
    const wanted: Wanted = { kind: 'tool', name: 'search_x', arguments: { dataset: 'secret/plans' } }
    const explanation = explain('data/hub', wanted)
    expect(explanation).toMatchObject({ allowed: false, reason: 'argument', argument: 'dataset', rule: { index: 2 } })
    expect(explanation.summary).toBe(
      'grant 2 gives the tool "search_x" on "data/hub", but not with the value that the argument "dataset" has, if any',
    )
    expect(explanation.grants[2]?.why).toBe(
      'gives the tool "search_x", but not with the value that the argument "dataset" has, if any',
    )
    expect(explanation.grants[3]?.why).toBe('names tools, prompts or resources, and not the tool "search_x"')
    // What a caller sent may be anybody's secret.
    expect(JSON.stringify(explanation)).not.toContain('secret/plans')
  })

  it.each<[Wanted, string, string]>([
    [
      { kind: 'admin' },
      'the caller has a role on "dev/github", but no grant that gives "admin"',
      'gives the role "manage", which does not include "admin"',
    ],
  ])('a role that is not enough: %j', (wanted, summary, why) => {
    const explanation = explain('dev/github', wanted)
    expect(explanation.summary).toBe(summary)
    expect(explanation.grants[1]?.why).toBe(why)
  })

  it('a grant that names something gives no role', () => {
    expect(explain('data/hub', { kind: 'manage' }).grants[2]?.why).toBe(
      'names tools, prompts or resources, and so does not give "manage"',
    )
  })

  it('a resource that is not named', () => {
    expect(explain('data/hub', { kind: 'resource', uri: 'file:///x' }).summary).toBe(
      'the caller has a role on "data/hub", but no grant that gives the resource "file:///x"',
    )
  })

  it('several grants that would do: the first decides', () => {
    const both = createAccess([
      { to: 'anonymous', on: '*' },
      { to: 'group:corp/eng', on: 'dev/*' },
    ]).explain(ENGINEER, 'dev/github', { kind: 'connect' })
    expect(both.rule?.index).toBe(0)
    expect(both.grants.map(({ why }) => why)).toEqual([
      'gives the connection to "anonymous"',
      'gives the connection to "group:corp/eng"',
    ])
  })

  it('a subject that was taken for an address', () => {
    const principals = principalsOf(person({ subject: 'ann@example.com' }))
    const { grants: considered } = createAccess([{ to: 'user:corp/*@example.com', on: '*' }]).explain(
      principals,
      'dev/github',
      { kind: 'connect' },
    )
    expect(considered[0]?.why).toBe(
      'is to "user:corp/*@example.com", which the caller is not; for the subject, which is not an e-mail address, write "user:corp/ann%40example.com"',
    )
  })

  it('an address that nobody has verified', () => {
    const why = (identity: Parameters<typeof person>[0], to: string) =>
      createAccess([{ to, on: '*' }]).explain(principalsOf(person(identity)), 'dev/github', { kind: 'connect' })
        .grants[0]?.why
    const unknown = 'no verified e-mail address of theirs is known (email_verified)'
    expect(why({ subject: 'ann' }, 'user:corp/*@example.com')).toMatch(`which the caller is not; ${unknown}`)
    expect(why({ subject: 'ann', email: 'ann@other.example' }, 'user:corp/*@example.com')).not.toMatch(unknown)
    expect(why({ subject: 'ann' }, 'group:corp/x@y')).not.toMatch(unknown)
  })

  it('names from outside cannot write to a terminal', () => {
    const { summary } = explain('data/hub', { kind: 'tool', name: 'a\u001b[2J\u202e\u009b\n"' })
    expect(summary).toContain('"a\\u001b[2J\ufffd\ufffd\\n\\""')
  })
})
