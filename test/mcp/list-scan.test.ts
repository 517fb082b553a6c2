/** Which answers are looked into for lists: all that `filterAnswer` would change or refuse. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ALL_LISTS, filterAnswer } from '../../src/mcp/list-filter.ts'
import { mayHoldLists } from '../../src/mcp/list-scan.ts'

const may = (text: string) => mayHoldLists(Buffer.from(text))
const result = (members: string) => `{"jsonrpc":"2.0","id":1,"result":{${members}}}`
const ENTRIES = '[{"name":"a","uri":"a","uriTemplate":"a"}]'

describe('an answer that may hold a list', () => {
  it.each([
    ...['tools', 'prompts', 'resources', 'resourceTemplates', 'Tools', 'TOOLS', 'resourcetemplates'],
    ...['to\\u006fls', '\\u0074ools', 'tool\u017f', ' tools', 'tools\u200b', '\uff54ools', 'to\\bols'],
  ])('by the key %j', (key) => {
    expect(may(result(`"${key}":${ENTRIES}`))).toBe(true)
    expect(may(result(`"content":[],"${key}":${ENTRIES},"x":1`))).toBe(true)
  })

  it.each([
    ['in a batch', `[${result('"content":[]')},${result(`"tools":${ENTRIES}`)},${result('')}]`],
    ['in one of two results', `{"result":{"tools":${ENTRIES}},"result":{}}`],
    ['in a result by another spelling', `{"re\\u0073ult":{"tools":${ENTRIES}}}`],
    ['in what is no JSON', '{"result":{}'],
    ['in what is deeper than is read', '['.repeat(600) + ']'.repeat(600)],
  ])('%s', (_, text) => {
    expect(may(text)).toBe(true)
  })

  it('in bytes that are no UTF-8', () => {
    expect(mayHoldLists(Buffer.from([0x22, 0xff, 0x22]))).toBe(true)
  })
})

it.each([
  '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a"}}',
  '[{"Me\\u0074hod":"notifications\\/resources\\/updated"}]',
])('the news of a resource: %s', (text) => {
  expect(may(text)).toBe(true)
})

describe('an answer without one', () => {
  it.each([
    result('"content":[{"type":"text","text":"tools: [\\"a\\"]"}],"structuredContent":{"tools":[{"name":"a"}]}'),
    result('"resultType":"complete","ttlMs":5,"type":"x","prompt":[],"TOOL":[]'),
    `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x","data":{"tools":${ENTRIES}}}}`,
    `{"jsonrpc":"2.0","method":"notifications/x","params":{"tools":${ENTRIES}}}`,
    '[]',
    '{"result":[]}',
    '{"jsonrpc":"2.0","method":"notifications/resources/list_changed"}',
    '7',
  ])('%s', (text) => {
    expect(may(text)).toBe(false)
  })
})

it('nothing is passed over that would be filtered', () => {
  const key = fc.oneof(
    fc.constantFrom('tools', 'result', 'prompts', 'content', 'Resources', 'id'),
    fc.string({ unit: 'binary', maxLength: 3 }).map((noise) => `tool${noise}s`),
    fc.string({ unit: 'binary', maxLength: 3 }).map((noise) => `${noise}tools${noise}`),
    fc.string({ unit: 'binary' }),
  )
  const members = fc.array(fc.tuple(key, fc.constantFrom(ENTRIES, '{}', '1')), { maxLength: 4 })
  const object = (list: readonly (readonly [string, string])[]) =>
    `{${list.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`
  fc.assert(
    fc.property(members, fc.constantFrom('result', 'Result', 'x'), (list, outer) => {
      const bytes = Buffer.from(object([[outer, object(list)]]))
      const filtered = filterAnswer(bytes, { lists: ALL_LISTS, allows: () => false, era: 'legacy' })
      if (filtered.kind !== 'unchanged') expect(mayHoldLists(bytes)).toBe(true)
    }),
    { numRuns: 500 },
  )
})
