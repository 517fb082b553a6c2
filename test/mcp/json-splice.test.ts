/** Values put into JSON on the bytes: what is not named stays as it was. */
import { describe, expect, test } from 'vitest'
import { JsonReadError } from '../../src/mcp/json-reader.ts'
import { type JsonEdit, spliceJson } from '../../src/mcp/json-splice.ts'
import { valueBytes } from '../../src/mcp/json-values.ts'

const spliced = (json: string, ...edits: JsonEdit[]) => Buffer.from(spliceJson(Buffer.from(json), edits)).toString()

describe('spliceJson', () => {
  test.each<[string, string, JsonEdit[], string]>([
    ['replaces a value', '{"id":1,"a":2}', [{ path: ['id'], json: '"x"' }], '{"id":"x","a":2}'],
    [
      'keeps numbers',
      '{"n": 1.0e+2,"w":9223372036854775807,"id":1}',
      [{ path: ['id'], json: '2' }],
      '{"n": 1.0e+2,"w":9223372036854775807,"id":2}',
    ],
    ['adds a member', '{"a":1}', [{ path: ['b'], json: '[]' }], '{"a":1,"b":[]}'],
    ['adds to nothing', '{ }', [{ path: ['b'], json: '0' }], '{"b":0}'],
    ['makes objects', '{"a":1}', [{ path: ['p', 'q', 'r'], json: '1' }], '{"a":1,"p":{"q":{"r":1}}}'],
    ['makes room where there is none', '{"p":null}', [{ path: ['p', 'q'], json: '1' }], '{"p":{"q":1}}'],
    ['takes out the first', '{"a":1,"b":2}', [{ path: ['a'], json: undefined }], '{"b":2}'],
    ['takes out the last', '{"a":1,"b":2}', [{ path: ['b'], json: undefined }], '{"a":1}'],
    ['takes out the only one', '{"a":{"b":2}}', [{ path: ['a', 'b'], json: undefined }], '{"a":{}}'],
    ['makes nothing to take out', '{"a":1}', [{ path: ['x', 'y'], json: undefined }], '{"a":1}'],
    ['leaves what is no object when it takes out', '{"a":1}', [{ path: ['a', 'y'], json: undefined }], '{"a":1}'],
    ['changes both of two', '{"id":1,"id":2}', [{ path: ['id'], json: '3' }], '{"id":3,"id":3}'],
    ['knows escaped keys', '{"\\u0069d":1}', [{ path: ['id'], json: '3' }], '{"\\u0069d":3}'],
    [
      'changes several',
      '{"a":{"b":1,"c":2},"d":3}',
      [
        { path: ['a', 'c'], json: undefined },
        { path: ['a', 'e'], json: '4' },
        { path: ['d'], json: '5' },
      ],
      '{"a":{"b":1,"e":4},"d":5}',
    ],
    ['takes a key that looks special', '{"a":1}', [{ path: ['__proto__'], json: '1' }], '{"a":1,"__proto__":1}'],
  ])('%s', (_, json, edits, expected) => expect(spliced(json, ...edits)).toBe(expected))

  test('members of an object with more of them than the stack holds', () => {
    const many = Array.from({ length: 100_000 }, (_, index) => `"k${index}":${index}`).join()
    const changed = spliceJson(Buffer.from(`{"params":{"a":1,${many}}}`), [{ path: ['params', 'a'], json: '2' }])
    expect(Buffer.from(changed).equals(Buffer.from(`{"params":{"a":2,${many}}}`))).toBe(true)
  })

  test.each(['{"a":1', '{"a":1}x', '', '{a:1}'])('throws for %j', (json) => {
    expect(() => spliced(json, { path: ['a'], json: '2' })).toThrow(JsonReadError)
  })
})

test.each<[string, string[], string | undefined]>([
  ['{"a":{"b": [1, 2.50]}}', ['a', 'b'], '[1, 2.50]'],
  ['{"a":1}', ['b'], undefined],
  ['{"a":1}', ['a', 'b'], undefined],
  ['{"a":1,"a":2}', ['a'], '2'],
  [' {"a":1}', [], '{"a":1}'],
])('valueBytes of %j at %j', (json, path, expected) => {
  const found = valueBytes(Buffer.from(json), path)
  expect(found && Buffer.from(found).toString()).toBe(expected)
})
