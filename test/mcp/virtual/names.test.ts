/** G5: chosen names, merged lists, pages, and ids that cross. */
import { describe, expect, test } from 'vitest'
import { clientIdIn, clientIdOf, memberIdIn, memberIdOf } from '../../../src/mcp/request-ids.ts'
import { readListPage } from '../../../src/mcp/virtual/list-page.ts'
import { collisionName, collisionOriginal, mergeLists, namedEntry } from '../../../src/mcp/virtual/merge.ts'
import { pageOf } from '../../../src/mcp/virtual/paging.ts'
import { parameterFields, parameterHeaders } from '../../../src/mcp/virtual/parameter-headers.ts'
import { compileSelection } from '../../../src/mcp/virtual/selection.ts'

const entry = (original: string) => {
  const bytes = Buffer.from(JSON.stringify({ name: original }))
  return { original, bytes, nameAt: [8, bytes.length - 1] as const }
}
const member = (server: string, selection: Parameters<typeof compileSelection>[0], ...names: string[]) => ({
  server,
  names: compileSelection(selection),
  entries: names.map(entry),
})

describe('a selection', () => {
  const names = compileSelection({
    include: ['get_*', 'search'],
    rename: { drop: 'remove', search: 'find' },
    prefix: 'x_',
  })
  test.each([
    ['get_a', 'x_get_a', false],
    ['drop', 'remove', true],
    ['search', 'find', true],
  ])('calls %s %s, and finds it again', (original, name, explicit) => {
    expect(names.expose(original)).toEqual({ name, explicit })
    expect(names.originalOf(name)).toEqual({ original, explicit })
  })
  test.each(['other', 'x_drop'])('leaves %s out', (original) => expect(names.expose(original)).toBeUndefined())
  test.each(['get_a', 'x_drop', 'x_search', 'drop', 'search', 'x_', ''])('has nothing called %j', (name) => {
    expect(names.originalOf(name)).toBeUndefined()
  })
  test.each(['file:///public/../secret', 'file:///public/%2e%2e/secret', 'file:///public/a%252f..'])(
    'of URIs does not climb out of a pattern: %s',
    (uri) => {
      const places = compileSelection({ include: ['file:///public/*'] }, 'places')
      expect(places.expose('file:///public/a')).toEqual({ name: 'file:///public/a', explicit: false })
      expect([places.expose(uri), places.originalOf(uri)]).toEqual([undefined, undefined])
      expect(compileSelection({}, 'places').originalOf(uri)?.original).toBe(uri)
      expect(compileSelection({ include: [uri] }, 'places').originalOf(uri)?.explicit).toBe(true)
    },
  )
})

describe('merged lists', () => {
  const called = (merged: ReturnType<typeof mergeLists>) =>
    merged.entries.map(({ name, server, original }) => [name, server, original])
  test('keep the order, and settle two of a name for the one that comes first', () => {
    const merged = mergeLists([member('a/x', {}, 'one', 'two'), member('b/y', {}, 'two', 'three')], 'tool')
    expect(called(merged)).toEqual([
      ['one', 'a/x', 'one'],
      ['two', 'a/x', 'two'],
      ['b_y_two', 'b/y', 'two'],
      ['three', 'b/y', 'three'],
    ])
    expect(merged.problems).toEqual(['b/y has "two" as well as a/x; it is called "b_y_two"'])
  })
  test('give a name to whom the configuration names for it', () => {
    const merged = mergeLists([member('a/x', {}, 'two'), member('b/y', { include: ['two'] }, 'two')], 'tool')
    expect(merged.byName.get('two')?.server).toBe('b/y')
    expect(merged.byName.get('a_x_two')?.server).toBe('a/x')
  })
  test('keep a name that the configuration spells out for whom it is, also while that lists nothing', () => {
    const bank = member('a/bank', { include: ['pay'], rename: { give: 'c_evil_pay' } })
    const merged = mergeLists([bank, member('b/y', {}, 'pay'), member('c/evil', {}, 'pay')], 'tool')
    expect(called(merged)).toEqual([['b_y_pay', 'b/y', 'pay']])
    expect(merged.problems).toEqual([
      'b/y has "pay", and the name is of a/bank; it is called "b_y_pay"',
      'c/evil has "pay", and the name is of a/bank; there is no name for it',
    ])
  })
  test('of one member go to what the configuration names', () => {
    const names = { include: ['*'], prefix: 'p_', rename: { wipe: 'p_read' } }
    const merged = mergeLists([member('a/x', names, 'read', 'wipe')], 'tool')
    expect(merged.byName.get('p_read')?.original).toBe('wipe')
  })
  test('leave out what has no name left, and what comes twice', () => {
    const merged = mergeLists([member('a/x', {}, 't', 'b_y_t', 't'), member('b/y', {}, 't')], 'tool')
    expect(called(merged)).toEqual([
      ['t', 'a/x', 't'],
      ['b_y_t', 'a/x', 'b_y_t'],
    ])
    expect(merged.problems).toHaveLength(2)
  })
  test('check names by what they are for', () => {
    expect(mergeLists([member('a/x', {}, 'with space', 'é', 'ok')], 'tool').entries).toHaveLength(1)
    expect(mergeLists([member('a/x', {}, 'with space', '<b>', 'ok')], 'prompt').entries).toHaveLength(2)
    expect(mergeLists([member('a/x', {}, 'x://y?a="b"', 'a\nb')], 'resource').entries).toHaveLength(1)
  })
  test.each([
    ['tool', 'echo'],
    ['resource', 'notes://a/b?c=%20 ü'],
    ['resource', 'notes://a%20b/{id}{?q}'],
  ] as const)('names of the second of two %ss lead back', (kind, name) => {
    expect(collisionOriginal('dev/x', collisionName('dev/x', name, kind), kind)).toBe(name)
    expect(collisionOriginal('dev/z', collisionName('dev/x', name, kind), kind)).toBeUndefined()
  })
  test('the template of the second of two is expanded as the first one is, and leads back', () => {
    const template = collisionName('dev/x', 'notes://of%20all/{id}', 'resource')
    const expanded = template.replace('{id}', 'a%20b%2Fc')
    expect(expanded).not.toBe(template)
    expect(collisionOriginal('dev/x', expanded, 'resource')).toBe('notes://of%20all/a%20b%2Fc')
  })
  test('a URI that does not decode leads nowhere', () => {
    expect(collisionOriginal('dev/x', 'mcp-member://dev/x/%zz', 'resource')).toBeUndefined()
  })
})

describe('pages', () => {
  const all = Array.from({ length: 1_234 }, (_, index) => ({ name: `t${index}`, bytes: Buffer.alloc(10) }))
  test('have every entry once, in order', () => {
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = pageOf(all, cursor)
      seen.push(...(page?.entries ?? []).map(({ name }) => name))
      cursor = page?.nextCursor
    } while (cursor !== undefined)
    expect(seen).toEqual(all.map(({ name }) => name))
  })
  test('of a list that has changed are none', () => {
    const { nextCursor } = pageOf(all, undefined) ?? {}
    expect(pageOf(all.slice(1), nextCursor)).toBeUndefined()
  })
  test('are bounded in bytes, with one entry at least', () => {
    const large = [0, 1, 2].map((index) => ({ name: `${index}`, bytes: Buffer.alloc(3 * 1024 * 1024) }))
    expect(pageOf(large, undefined)?.entries).toHaveLength(1)
  })
})

describe('a page of a member', () => {
  const read = (json: string) => {
    const page = readListPage(Buffer.from(json), JSON.parse(json).result, 'tools')
    return (
      page && { ...page, entries: page.entries.map(({ original, bytes }) => [original, Buffer.from(bytes).toString()]) }
    )
  }
  test('keeps entries as they were sent', () => {
    const tool = '{ "name":"a", "x":9223372036854775807}'
    expect(read(`{"result":{"tools":[${tool}],"nextCursor":"n","ttlMs":5}}`)).toEqual({
      entries: [['a', tool]],
      nextCursor: 'n',
      ttlMs: 5,
      nameless: 0,
    })
  })
  test('gives an entry another name and changes nothing else of it', () => {
    const tool = '{ "title":"a", "n\\u0061me" : "a" , "x":9223372036854775807}'
    const json = Buffer.from(`{"result":{"tools":[ ${tool} ]}}`)
    const [found] = readListPage(json, JSON.parse(json.toString()).result, 'tools')?.entries ?? []
    if (found === undefined) throw new Error('there is an entry')
    const named = (name: string) => Buffer.from(namedEntry({ ...found, name, server: 'dev/x' })).toString()
    expect(named('a')).toBe(tool)
    expect(named('b_"')).toBe('{ "title":"a", "n\\u0061me" : "b_\\"" , "x":9223372036854775807}')
  })
  test('drops entries with a name that could be read in two ways', () => {
    const json =
      '{"result":{"tools":[{"name":"a","Name":"b"},{"name":"a","name":"b"},{"name":7},{"name":"ok"},[],null]}}'
    expect(read(json)).toMatchObject({ entries: [['ok', '{"name":"ok"}']], nameless: 5 })
  })
  test.each(['{"result":{}}', '{"result":{"tools":{}}}'])('is none in %s', (json) => expect(read(json)).toBeUndefined())
})

describe('ids', () => {
  test.each([7, 'a', '7', 'a:b"c', ''])('%j crosses and comes back', (id) => {
    expect(memberIdIn(clientIdOf('dev/x', id))).toEqual({ member: 'dev/x', id })
    expect(clientIdIn(memberIdOf(id))).toBe(id)
  })
  test('of two kinds are not one', () => expect(memberIdOf(7)).not.toBe(memberIdOf('7')))
  test.each(['', 'x', 'x:', 'x:{}', 'x:1.5', 'x:null', 7, undefined])('%j is none', (id) => {
    expect(memberIdIn(id)).toBeUndefined()
  })
})

describe('x-mcp-header', () => {
  const schema = (properties: object) => ({ type: 'object', properties })
  test('is read at any depth of properties, and written as its value', () => {
    const found = parameterHeaders(
      schema({
        region: { type: 'string', 'x-mcp-header': 'Region' },
        deep: schema({ n: { type: 'integer', 'x-mcp-header': 'N' }, b: { type: 'boolean', 'x-mcp-header': 'B' } }),
      }),
    )
    expect(parameterFields(found ?? [], { region: 'é', deep: { n: 3, b: false } })).toEqual({
      'mcp-param-region': '=?base64?w6k=?=',
      'mcp-param-n': '3',
      'mcp-param-b': 'false',
    })
    expect(parameterFields(found ?? [], { region: null, deep: { n: 2 ** 60 } })).toEqual({})
    expect(parameterFields(found ?? [], 'nothing')).toEqual({})
  })
  test.each<[string, object]>([
    ['at the root', { 'x-mcp-header': 'A', type: 'string' }],
    ['in items', schema({ a: { type: 'array', items: { type: 'string', 'x-mcp-header': 'A' } } })],
    ['in anyOf', schema({ a: { anyOf: [{ type: 'string', 'x-mcp-header': 'A' }] } })],
    ['on a number', schema({ a: { type: 'number', 'x-mcp-header': 'A' } })],
    ['that is no name', schema({ a: { type: 'string', 'x-mcp-header': 'A\r\nB' } })],
    ['twice', schema({ a: { type: 'string', 'x-mcp-header': 'A' }, b: { type: 'string', 'x-mcp-header': 'a' } })],
  ])('%s makes a tool none', (_, given) => expect(parameterHeaders(given)).toBeUndefined())
  test('in a default is a value', () => {
    expect(parameterHeaders(schema({ a: { type: 'object', default: { 'x-mcp-header': 'A' } } }))).toEqual([])
  })
})
