/** Decisions against a model that is too simple to be wrong, and what must hold for all of them. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAccess } from '../../src/access/access.ts'
import { compileArgumentRules } from '../../src/access/argument-rules.ts'
import type { Wanted } from '../../src/access/decision.ts'
import type { Grant } from '../../src/access/grants.ts'
import { compilePlaceGlobs } from '../../src/access/place-globs.ts'
import { isPrincipal, principalsOf } from '../../src/access/principals.ts'
import { compileGlob, globProblem } from '../../src/match/glob.ts'
import { person } from './callers.ts'

/** Few of them, so that grants meet callers; hostile ones among them. */
const name = fc.constantFrom('a', 'b', 'ab', 'a/b', '*', 'a*', '__proto__', 'constructor', '..', 'x/../a', '\u0430')
const glob = fc
  .oneof(name, fc.constantFrom('*', 'a*', '*b', 'a/*', '**'))
  .filter((text) => globProblem(text) === undefined)
const server = fc.constantFrom('dev/a', 'dev/b', 'data/a', 'a', '*', '__proto__')
const serverGlob = fc.constantFrom('dev/a', 'dev/b', 'dev/*', '*', '*/a', 'data/a', '__proto__')
const to = fc.oneof(
  fc.constantFrom('anonymous', 'external-identity:x', 'external-identity:*', '*', 'user:*', 'group:*/a'),
  fc
    .tuple(fc.constantFrom('user:corp/', 'group:corp/', 'group:partner/', 'virtual-account:'), glob)
    .map(([head, end]) => head + end),
)
const oneOrMore = <Item>(each: fc.Arbitrary<Item>) => fc.oneof(each, fc.array(each, { minLength: 1, maxLength: 3 }))
const some = fc.array(glob, { minLength: 1, maxLength: 2 })
const argumentValue = fc.oneof(glob, fc.constantFrom(1, true))

const grant: fc.Arbitrary<Grant> = fc.record(
  {
    to: oneOrMore(to),
    on: oneOrMore(serverGlob),
    role: fc.constantFrom('use', 'manage', 'admin'),
    tools: some,
    prompts: some,
    resources: some,
    arguments: fc.dictionary(
      fc.constantFrom('a', 'b', 'a.b'),
      fc.array(argumentValue, { minLength: 1, maxLength: 2 }),
      {
        maxKeys: 2,
      },
    ),
  },
  { requiredKeys: ['to', 'on'] },
)
const grants = fc.array(grant, { maxLength: 8 })

const principals = fc
  .record({
    integration: fc.constantFrom('corp', 'partner'),
    subject: fc.oneof(name, fc.constant('ann@example.com')),
    groups: fc.array(name, { maxLength: 4 }),
    externalIdentities: fc.subarray(['x', 'y']),
  })
  .map((parts) => principalsOf(person(parts)))

const given = fc.oneof(
  fc.jsonValue(),
  fc.record({ a: fc.oneof(argumentValue, fc.array(argumentValue)), b: argumentValue }),
)
const wanted: fc.Arbitrary<Wanted> = fc.oneof(
  fc.constantFrom<Wanted>({ kind: 'connect' }, { kind: 'manage' }, { kind: 'admin' }),
  fc.record({ kind: fc.constant('tool' as const), name, arguments: given }),
  fc.record({ kind: fc.constant('prompt' as const), name }),
  fc.record({ kind: fc.constant('resource' as const), uri: name }),
)

const anyFits = (globs: readonly string[] | undefined, text: string) =>
  (globs ?? []).some((each) => compileGlob(each)(text))

/** Whether one grant gives it, straight from the description of a grant. */
function gives(each: Grant, callers: readonly string[], id: string, want: Wanted): boolean {
  if (!callers.some((principal) => [each.to].flat().some((pattern) => isPrincipal(principal, pattern)))) return false
  if (!anyFits([each.on].flat(), id)) return false
  const narrowed = each.tools !== undefined || each.prompts !== undefined || each.resources !== undefined
  const named = (globs: readonly string[] | undefined, text: string) => !narrowed || anyFits(globs, text)
  switch (want.kind) {
    case 'connect':
      return true
    case 'manage':
      return !narrowed && (each.role === 'manage' || each.role === 'admin')
    case 'admin':
      return !narrowed && each.role === 'admin'
    case 'tool':
      return named(each.tools, want.name) && compileArgumentRules(each.arguments ?? {})(want.arguments) === undefined
    case 'prompt':
      return named(each.prompts, want.name)
    case 'resource':
      return !narrowed || compilePlaceGlobs(each.resources ?? [])(want.uri)
  }
}

const runs = { numRuns: 2000 }

describe('G4 properties of decisions', () => {
  it('something is allowed exactly where one grant gives it, and the first such grant is the rule', () => {
    fc.assert(
      fc.property(grants, principals, server, wanted, (list, callers, id, want) => {
        const decision = createAccess(list).decide(callers, id, want)
        const first = list.findIndex((each) => gives(each, callers, id, want))
        expect(decision.allowed).toBe(first >= 0)
        if (decision.allowed) expect(decision.rule.index).toBe(first)
      }),
      runs,
    )
  })

  it('the reason is that there is no role exactly where the server cannot be used', () => {
    fc.assert(
      fc.property(grants, principals, server, wanted, (list, callers, id, want) => {
        const access = createAccess(list)
        const decision = access.decide(callers, id, want)
        expect(access.mayUse(callers, id)).toBe(decision.allowed || decision.reason !== 'no_role')
        expect(access.mayUse(callers, id)).toBe(access.decide(callers, id, { kind: 'connect' }).allowed)
        expect(access.servers(callers, [id])).toEqual(access.mayUse(callers, id) ? [id] : [])
      }),
      runs,
    )
  })

  it('another grant, anywhere in the list, takes nothing away', () => {
    fc.assert(
      fc.property(grants, grant, fc.nat(8), principals, server, wanted, (list, more, place, callers, id, want) => {
        if (!createAccess(list).decide(callers, id, want).allowed) return
        expect(createAccess(list.toSpliced(place, 0, more)).decide(callers, id, want).allowed).toBe(true)
      }),
      runs,
    )
  })

  it('another group takes nothing away', () => {
    fc.assert(
      fc.property(grants, principals, name, server, wanted, (list, callers, group, id, want) => {
        const access = createAccess(list)
        if (!access.decide(callers, id, want).allowed) return
        expect(access.decide([...callers, `group:corp/${group}`], id, want).allowed).toBe(true)
      }),
      runs,
    )
  })

  it('no grants allow nothing', () => {
    fc.assert(
      fc.property(principals, fc.string(), wanted, (callers, id, want) => {
        expect(createAccess([]).decide(callers, id, want)).toEqual({ allowed: false, reason: 'no_role' })
      }),
    )
  })

  it('the order of principals does not matter, nor that they have been seen before', () => {
    fc.assert(
      fc.property(grants, principals, server, wanted, (list, callers, id, want) => {
        const access = createAccess(list)
        const decision = access.decide(callers, id, want)
        expect(access.decide(callers, id, want)).toEqual(decision)
        expect(access.decide(callers.toReversed(), id, want)).toEqual(decision)
      }),
      runs,
    )
  })

  it('filters show what can be called, and nothing else', () => {
    fc.assert(
      fc.property(grants, principals, server, wanted, (list, callers, id, want) => {
        const access = createAccess(list)
        const filter = access.filter(callers, id)
        const decision = access.decide(callers, id, want)
        if (want.kind === 'tool') {
          expect(filter.tool(want.name)).toBe(decision.allowed || decision.reason === 'argument')
        }
        if (want.kind === 'prompt') expect(filter.prompt(want.name)).toBe(decision.allowed)
        if (want.kind === 'resource') expect(filter.resource(want.uri)).toBe(decision.allowed)
        if (filter.everything) {
          expect([filter.tool('\0'), filter.prompt('\0'), filter.resource('\0')]).toEqual([true, true, true])
        }
      }),
      runs,
    )
  })

  it('explain agrees with decide, grant by grant', () => {
    fc.assert(
      fc.property(grants, principals, server, wanted, (list, callers, id, want) => {
        const access = createAccess(list)
        const { summary, grants: considered, ...decision } = access.explain(callers, id, want)
        expect(decision).toEqual(access.decide(callers, id, want))
        expect(considered.map(({ applies }) => applies)).toEqual(list.map((each) => gives(each, callers, id, want)))
        expect(considered.map(({ index }) => index)).toEqual([...list.keys()])
        for (const text of [summary, ...considered.map(({ why }) => why)])
          expect(text).not.toMatch(/undefined|\[object/)
      }),
      runs,
    )
  })
})

describe('G4 properties of principals', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '/', '*', '@', '%', '4', '0', ':', '.', '2', '5'), maxLength: 8 })

  it('two people share no principal but where a subject, group or address is the same', () => {
    fc.assert(
      fc.property(text, text, text, text, (subject, email, group, other) => {
        const ann = principalsOf(person({ subject, email, groups: [group] }))
        const bob = principalsOf(person({ integration: 'corp2', subject, email, groups: [group] }))
        const eve = principalsOf(person({ subject: other, groups: [other] }))
        expect(ann.filter((each) => bob.includes(each))).toEqual(['anonymous'])
        const shared = ann.filter((each) => eve.includes(each) && each !== 'anonymous')
        if (other !== subject && other !== group) expect(shared).toEqual([])
      }),
      runs,
    )
  })

  it('no subject is among the addresses of a domain', () => {
    fc.assert(
      fc.property(text, (subject) => {
        const access = createAccess([{ to: 'user:corp/*@a', on: '*' }])
        expect(access.mayUse(principalsOf(person({ subject: `${subject}@a` })), 's')).toBe(false)
        expect(access.mayUse(principalsOf(person({ email: `${subject}@a` })), 's')).toBe(true)
      }),
    )
  })
})
