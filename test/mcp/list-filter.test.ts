/** Lists without what the caller may not know of; every byte of the rest as it was. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ALL_LISTS, filterAnswer, type ListFilter, type ListName, listOf } from '../../src/mcp/list-filter.ts'

const filter = (allowed: readonly string[], changes: Partial<ListFilter> = {}): ListFilter => ({
  lists: ALL_LISTS,
  allows: (_, name) => allowed.includes(name),
  era: 'legacy',
  ...changes,
})
/** The filtered text; the same text where nothing changed. */
const filtered = (text: string, how: ListFilter) => {
  const answer = filterAnswer(Buffer.from(text), how)
  if (answer.kind === 'refused') throw new Error(answer.detail)
  if (answer.kind === 'dropped') throw new Error('there is nothing left')
  return answer.kind === 'changed' ? Buffer.from(answer.bytes).toString() : text
}
const result = (members: string) => `{"jsonrpc":"2.0","id":1,"result":{${members}}}`

describe('G15 lists hold what the caller may use', () => {
  it.each<[string, ListName | undefined]>([
    ['tools/list', 'tools'],
    ['prompts/list', 'prompts'],
    ['resources/list', 'resources'],
    ['resources/templates/list', 'resourceTemplates'],
    ['tools/call', undefined],
    ['constructor', undefined],
  ])('%s answers with %s', (method, list) => {
    expect(listOf(method)).toBe(list)
  })

  it.each([
    ['the first', ['b', 'c'], '[{"name":"b"},{"name":"c"}]'],
    ['the last', ['a', 'b'], '[{"name":"a"},{"name":"b"}]'],
    ['one in the middle', ['a', 'c'], '[{"name":"a"},{"name":"c"}]'],
    ['all but one', ['b'], '[{"name":"b"}]'],
    ['all', [], '[]'],
    ['none', ['a', 'b', 'c'], '[{"name":"a"},{"name":"b"},{"name":"c"}]'],
  ])('%s can go', (_, allowed, left) => {
    const text = result('"tools":[{"name":"a"},{"name":"b"},{"name":"c"}],"nextCursor":"x"')
    expect(filtered(text, filter(allowed))).toBe(result(`"tools":${left},"nextCursor":"x"`))
  })

  it('one of more than the stack holds', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `{"name":"ok${index}"}`).join()
    const how = filter([], { allows: (_, name) => name !== 'no' })
    expect(filtered(result(`"tools":[{"name":"no"},${many}]`), how) === result(`"tools":[${many}]`)).toBe(true)
  })

  it('all else stays as it was, byte for byte', () => {
    const kept =
      '{ "name" : "ok","inputSchema":{"maximum":18446744073709551615,"x":1.0,"y":1e400,"é":"\\u00e9"},"_meta":{"a":1,"a":2} }'
    const text = ` {"id":9007199254740993 , "result" : {"_meta":{"n":12345678901234567890},\n"tools" : [ ${kept} , {"name":"no"} ] ,"nextCursor":"c", "x":[{"name":"no"}]},"jsonrpc":"2.0"}\n`
    expect(filtered(text, filter(['ok']))).toBe(text.replace(/\[ \{ "name".*?\{"name":"no"\} \]/, () => `[${kept}]`))
  })

  it('by the name that each list goes by', () => {
    const text = result(
      [
        '"tools":[{"name":"t1"},{"name":"t2"}]',
        '"prompts":[{"name":"p1"},{"name":"p2"}]',
        '"resources":[{"uri":"r:1","name":"r2"},{"uri":"r:2","name":"r1"}]',
        '"resourceTemplates":[{"uriTemplate":"r:{1}","name":"x"},{"uriTemplate":"r:{2}","name":"x"}]',
      ].join(),
    )
    const asked: [ListName, string][] = []
    const allows = (list: ListName, name: string) => {
      asked.push([list, name])
      return /1/.test(name)
    }
    expect(filtered(text, filter([], { allows }))).toBe(
      result(
        '"tools":[{"name":"t1"}],"prompts":[{"name":"p1"}],"resources":[{"uri":"r:1","name":"r2"}],"resourceTemplates":[{"uriTemplate":"r:{1}","name":"x"}]',
      ),
    )
    expect(asked).toEqual([
      ['tools', 't1'],
      ['tools', 't2'],
      ['prompts', 'p1'],
      ['prompts', 'p2'],
      ['resources', 'r:1'],
      ['resources', 'r:2'],
      ['resourceTemplates', 'r:{1}'],
      ['resourceTemplates', 'r:{2}'],
    ])
  })

  it('only lists that were asked for', () => {
    const text = result('"tools":[{"name":"a"}],"prompts":[{"name":"a"}]')
    expect(filtered(text, filter([], { lists: new Set(['tools']) }))).toBe(
      result('"tools":[],"prompts":[{"name":"a"}]'),
    )
    expect(filtered(text, filter([], { lists: new Set() }))).toBe(text)
  })

  it('names are compared as they are meant', () => {
    const text = result('"tools":[{"n\\u0061me":"\\u0061"},{"name":"b\\u00e9"},{"name":"日本"}]')
    expect(filtered(text, filter(['a', '日本']))).toBe(result('"tools":[{"n\\u0061me":"\\u0061"},{"name":"日本"}]'))
  })

  it('every response of a batch', () => {
    const one = result('"tools":[{"name":"a"},{"name":"b"}]')
    expect(filtered(`[${one},{"id":2,"error":{}}, ${one}]`, filter(['b']))).toBe(
      `[${result('"tools":[{"name":"b"}]')},{"id":2,"error":{}}, ${result('"tools":[{"name":"b"}]')}]`,
    )
  })

  it.each([
    ['a list somewhere else', '{"id":1,"params":{"tools":[{"name":"no"}]},"tools":[{"name":"no"}]}'],
    ['a list further in', result('"content":[],"structuredContent":{"tools":[{"name":"no"}]}')],
    ['an error', '{"id":1,"error":{"code":1,"message":"","data":{"tools":[{"name":"no"}]}}}'],
    ['something that is no list', result('"tools":{"name":"no"}')],
    ['null', result('"tools":null')],
    ['an empty list', result('"tools":[]')],
    ['an empty result', result('')],
    ['a result that is no object', '{"id":1,"result":[{"tools":[{"name":"no"}]}]}'],
    ['a notification', '{"method":"notifications/x","params":{}}'],
    ['no object', '[1,"a",null,[]]'],
  ])('%s is left alone', (_, text) => {
    expect(filterAnswer(Buffer.from(text), filter([]))).toEqual({ kind: 'unchanged' })
    expect(filterAnswer(Buffer.from(text), filter(['no']))).toEqual({ kind: 'unchanged' })
  })

  it('says how many are gone', () => {
    const text = result('"tools":[{"name":"a"},{"name":"b"}],"prompts":[{"name":"a"}]')
    expect(filterAnswer(Buffer.from(text), filter(['b']))).toMatchObject({ kind: 'changed', removed: 2 })
  })
})

describe('G15 what can be read in two ways is filtered in both', () => {
  it.each([
    [
      'two lists',
      '"tools":[{"name":"no"}],"tools":[{"name":"no"},{"name":"ok"}]',
      '"tools":[],"tools":[{"name":"ok"}]',
    ],
    ['a list in other case', '"Tools":[{"name":"no"}]', '"Tools":[]'],
    ['a list with an escape', '"t\\u006fols":[{"name":"no"}]', '"t\\u006fols":[]'],
    ['a list with a NUL', '"tools\\u0000":[{"name":"no"}]', '"tools\\u0000":[]'],
    ['two names', '"tools":[{"name":"no","name":"ok"},{"name":"ok","name":"no"}]', '"tools":[]'],
    ['two names in different case', '"tools":[{"name":"ok","Name":"no"}]', '"tools":[]'],
    ['two names that are both allowed', '"tools":[{"name":"ok","name":"ok"}]', '"tools":[{"name":"ok","name":"ok"}]'],
    ['a name in other case only', '"tools":[{"Name":"ok"}]', '"tools":[]'],
    ['no name', '"tools":[{},{"title":"ok"}]', '"tools":[]'],
    ['a name that is no text', '"tools":[{"name":1},{"name":null},{"name":["ok"]}]', '"tools":[]'],
    ['no object', '"tools":["ok",1,null,[{"name":"ok"}]]', '"tools":[]'],
  ])('%s', (_, members, left) => {
    expect(filtered(result(members), filter(['ok']))).toBe(result(left))
  })

  it('two results', () => {
    const members = '{"tools":[{"name":"no"}]}'
    expect(filtered(`{"result":${members},"Result":${members}}`, filter([]))).toBe(
      '{"result":{"tools":[]},"Result":{"tools":[]}}',
    )
  })

  it('names that nobody could call', () => {
    const text = result('"tools":[{"name":""},{"name":"a\\u0000"},{"name":"a\\ud800"},{"name":"a\\r\\nb"}]')
    expect(filtered(text, filter([], { allows: () => true }))).toBe(result('"tools":[]'))
  })
})

describe('G15 the news of a resource', () => {
  const news = (...uris: string[]) => {
    const params = uris.map((uri) => `"uri":"${uri}"`).join()
    return `{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{${params}}}`
  }
  const kindOf = (text: string) => filterAnswer(Buffer.from(text), filter(['a'])).kind

  it('goes on for those who may have it', () => {
    expect(kindOf(news('a'))).toBe('unchanged')
  })

  it.each([
    ['another', news('b')],
    ['one of two', news('a', 'b')],
    ['none', '{"method":"notifications/resources/updated"}'],
    ['what is no text', '{"method":"notifications/resources/updated","params":{"uri":["a"]}}'],
    ['another, by other letters', '{"Method":"notifications\\/resources\\/updated","params":{"uri":"a","URI":"b"}}'],
    ['another, in parameters that come first', '{"params":{"uri":"b"},"method":"notifications/resources/updated"}'],
    ['others, in a batch', `[${news('b')},${news('c')}]`],
  ])('of %s does not', (_, text) => {
    expect(kindOf(text)).toBe('dropped')
  })

  it.each([
    [`[${news('b')}, ${news('a')},${news('a')}]`, `[${news('a')},${news('a')}]`],
    [`[${news('a')} ,${news('b')},${news('c')}]`, `[${news('a')}]`],
    [`[${news('b')},${news('c')},${news('a')},${news('b')}, ${news('a')}]`, `[${news('a')}, ${news('a')}]`],
    [
      `[${news('b')},${result('"tools":[{"name":"b"},{"name":"a"}]')},${news('b')}]`,
      `[${result('"tools":[{"name":"a"}]')}]`,
    ],
  ])('goes out of a batch: %s', (text, left) => {
    expect(filtered(text, filter(['a']))).toBe(left)
  })

  it('stays where resources are not looked for', () => {
    expect(filterAnswer(Buffer.from(news('b')), filter(['a'], { lists: new Set(['tools']) })).kind).toBe('unchanged')
  })
})

describe('a filtered list is private', () => {
  const modern = filter(['a'], { era: 'modern' })

  it.each([
    [
      'a public one',
      '"tools":[{"name":"a"}],"cacheScope":"public","ttlMs":5',
      '"tools":[{"name":"a"}],"cacheScope":"private","ttlMs":5',
    ],
    ['one in front', '"cacheScope":"public","tools":[{"name":"b"}]', '"cacheScope":"private","tools":[]'],
    ['none', '"tools":[{"name":"b"}],"ttlMs":5', '"cacheScope":"private","tools":[],"ttlMs":5'],
    ['a private one', '"tools":[{"name":"a"}],"cacheScope":"private"', '"tools":[{"name":"a"}],"cacheScope":"private"'],
    ['one that is no text', '"tools":[],"cacheScope":{"a":"\\\\"}', '"tools":[],"cacheScope":"private"'],
    [
      'two',
      '"cacheScope":"private","tools":[],"CacheScope":"public"',
      '"cacheScope":"private","tools":[],"CacheScope":"private"',
    ],
    [
      'several lists',
      '"tools":[{"name":"b"}],"cacheScope":"public","prompts":[{"name":"b"}]',
      '"tools":[],"cacheScope":"private","prompts":[]',
    ],
    ['no list', '"content":[],"cacheScope":"public"', '"content":[],"cacheScope":"public"'],
  ])('%s', (_, members, left) => {
    expect(filtered(result(members), modern)).toBe(result(left))
    expect(filtered(`[${result(members)},${result(members)}]`, modern)).toBe(`[${result(left)},${result(left)}]`)
  })

  it('in the modern era only', () => {
    const text = result('"tools":[{"name":"a"}],"cacheScope":"public"')
    expect(filtered(text, filter(['a']))).toBe(text)
  })
})

describe('what cannot be read does not go on', () => {
  it.each([
    ['half an answer', result('"tools":[{"name":"a"}]').slice(0, -1)],
    ['NaN', result('"tools":[{"name":"a","x":NaN}]')],
    ['a byte order mark', `\ufeff${result('"tools":[]')}`],
    ['HTML', '<html>'],
    ['nothing', ''],
    ['two answers', `${result('')}${result('')}`],
    ['no end of depth', result(`"tools":${'['.repeat(10_000)}`)],
    ['a number without end', result(`"x":${'1'.repeat(5000)}`)],
  ])('%s', (_, text) => {
    expect(filterAnswer(Buffer.from(text), filter(['a']))).toMatchObject({
      kind: 'refused',
      detail: expect.any(String),
    })
  })

  it('what is no UTF-8', () => {
    expect(filterAnswer(Buffer.from('{"a":"\xe9"}', 'latin1'), filter([]))).toMatchObject({ kind: 'refused' })
  })
})

describe('compared with parsing, filtering and printing', () => {
  it('says the same of every list', () => {
    const entry = fc.oneof(
      fc.record({ name: fc.constantFrom('a', 'b', 'c', 'é', '"', '\\'), inputSchema: fc.jsonValue({ maxDepth: 3 }) }),
      fc.dictionary(fc.constantFrom('name', 'x'), fc.jsonValue({ maxDepth: 1 })),
      fc.jsonValue({ maxDepth: 1 }),
    )
    const answer = fc.record({
      jsonrpc: fc.constant('2.0'),
      id: fc.integer(),
      result: fc.record({
        tools: fc.array(entry),
        nextCursor: fc.option(fc.string(), { nil: undefined }),
        cacheScope: fc.constantFrom(undefined, 'public', 'private'),
      }),
    })
    const allowed = ['a', 'é', '"']
    fc.assert(
      fc.property(answer, fc.constantFrom(undefined, 2), fc.constantFrom('legacy', 'modern'), (value, indent, era) => {
        const before = JSON.stringify(value, null, indent)
        const after: unknown = JSON.parse(filtered(before, filter(allowed, { era })))
        const nameOf = (each: unknown) =>
          typeof each === 'object' && each !== null && 'name' in each ? each.name : undefined
        const expected = JSON.parse(before)
        expected.result.tools = expected.result.tools.filter((each: unknown) => {
          const name = nameOf(each)
          return typeof name === 'string' && allowed.includes(name)
        })
        if (era === 'modern') expected.result.cacheScope = 'private'
        expect(after).toEqual(expected)
      }),
      { numRuns: 1000 },
    )
  })
})
