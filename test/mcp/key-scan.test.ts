/** The scan in front of policy: what has one reading is accepted, and nothing else. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_SCAN_LIMITS, type ScanReason, scanMessage } from '../../src/mcp/key-scan.ts'

const scan = (text: string | Uint8Array, limits = DEFAULT_SCAN_LIMITS) => scanMessage(Buffer.from(text), limits)
const reasonOf = (text: string | Uint8Array, limits = DEFAULT_SCAN_LIMITS): ScanReason | 'ok' => {
  const result = scan(text, limits)
  return result.kind === 'ok' ? 'ok' : result.reason
}
const call = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${params}}}`

describe('G15 messages with one reading pass', () => {
  it.each([
    '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    ' \t\r\n{ "jsonrpc" : "2.0" , "id" : "a" , "method" : "ping" , "params" : { } } \n',
    '{"jsonrpc":"2.0","id":1,"result":{"a":1,"A":2,"a":3}}',
    '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"x","data":[{"a":1,"a":2}]}}',
    call('"name":"ok","arguments":{"a":{"b":1,"B":2,"b":3}}'),
    call('"name":"ok","arguments":{"naïve":1,"naive":2,"日本":3,"日本語":4}'),
    call('"name":"ok","arguments":[{"a":1,"a":2}]'),
    call('"name":"ok","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","com.example/x":{"a":1,"A":1}}'),
    call('"name":"ok","n":-0.5e+10,"m":0,"k":1E5,"t":true,"f":false,"z":null,"e":"\\u00e9\\ud83d\\ude00\\n\\/"'),
    call('"name":"ok","lone":"\\ud800"'),
    call('"name":"ok","inputResponses":{"x":1,"X":2,"x\\u0000":3}'),
    '{}',
    '[]',
    '1',
    '"text"',
    'null',
  ])('%s', (text) => {
    expect(reasonOf(text)).toBe('ok')
    JSON.parse(text)
  })

  it('tells where the messages of a batch are', () => {
    const [one, two] = ['{"jsonrpc":"2.0","id":1,"method":"ping"}', '{"jsonrpc":"2.0","method":"notifications/x"}']
    const text = ` [ ${one} ,\n${two}] `
    const result = scan(text)
    expect(result).toMatchObject({ kind: 'ok', batch: true })
    if (result.kind === 'ok') {
      expect(result.messages.map(({ start, end }) => text.slice(start, end))).toEqual([one, two])
    }
    const alone = scan(` ${one}\n`)
    expect(alone).toEqual({ kind: 'ok', batch: false, messages: [{ start: 1, end: 1 + one.length }] })
  })

  it('reads a view into a larger buffer', () => {
    const text = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
    const around = Buffer.from(`xx${text}{`)
    expect(scanMessage(new Uint8Array(around.buffer, around.byteOffset + 2, text.length))).toMatchObject({ kind: 'ok' })
  })
})

describe('G15 CVE-2026-27896: messages with two readings are refused', () => {
  it.each<[string, ScanReason]>([
    // Exactly equal, also where one is spelled with escapes.
    [call('"name":"ok","name":"evil"'), 'duplicate_key'],
    [call('"name":"ok","n\\u0061me":"evil"'), 'duplicate_key'],
    [call('"n\\u0061me":"ok","\\u006eame":"evil"'), 'duplicate_key'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', 'duplicate_key'],
    ['{"jsonrpc":"2.0","id":1,"id":1,"method":"ping"}', 'duplicate_key'],
    ['{"method":"tools/call","params":{"name":"ok"},"params":{"name":"evil"}}', 'duplicate_key'],
    ['{"id":1,"result":{},"result":{}}', 'duplicate_key'],
    [call('"x":1,"x":2'), 'duplicate_key'],
    [call('"é":1,"\\u00e9":2'), 'duplicate_key'],
    [call('"name":"ok","arguments":{"dataset":"public/a","dataset":"secret"}'), 'duplicate_key'],
    [call('"_meta":{"a":1,"a":2}'), 'duplicate_key'],
    [call('"inputResponses":{"a":1,"\\u0061":2}'), 'duplicate_key'],
    [call('"ref":{"type":"ref/prompt","name":"ok","name":"evil"}'), 'duplicate_key'],
    [call('"notifications":{"resourceSubscriptions":["a"],"resourceSubscriptions":["b"]}'), 'duplicate_key'],
    // Letters in the other case, as Go and .NET match them.
    [call('"name":"ok","Name":"evil"'), 'lookalike_key'],
    [call('"NAME":"evil","name":"ok"'), 'lookalike_key'],
    [call('"name":"ok","\\u004eame":"evil"'), 'lookalike_key'],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', 'lookalike_key'],
    [call('"name":"ok","arguments":{"dataset":"public/a","Dataset":"secret"}'), 'lookalike_key'],
    [call('"other":1,"OTHER":2'), 'lookalike_key'],
    // Beyond ASCII: Kelvin sign, long s, dotless and dotted i, sharp s, full width, final sigma.
    [call('"kind":1,"\u212aind":2'), 'lookalike_key'],
    [call('"arguments":{},"argument\u017f":{}'), 'lookalike_key'],
    ['{"\u0131d":1,"id":2}', 'lookalike_key'],
    ['{"id":1,"\\u0130d":2}', 'lookalike_key'],
    [call('"stra\u00dfe":1,"strasse":2'), 'lookalike_key'],
    [call('"name":"ok","\uff4eame":"evil"'), 'lookalike_key'],
    [call('"Σς":1,"σσ":2'), 'lookalike_key'],
    [call('"é":1,"e\u0301":2'), 'lookalike_key'],
    // Ends, and what does not show.
    [call('"name":"ok","name\\u0000":"evil"'), 'lookalike_key'],
    [call('"name":"ok","name\\u0000x":"evil"'), 'lookalike_key'],
    [call('"x\\u0000a":1,"x\\u0000b":2'), 'lookalike_key'],
    [call('"name":"ok","name\u200b":"evil"'), 'lookalike_key'],
    [call('"name":"ok"," name ":"evil"'), 'lookalike_key'],
    [call('"name":"ok","na\\u00adme":"evil"'), 'lookalike_key'],
    [call('"x\\ud800":1,"x\\udfff":2'), 'lookalike_key'],
    [call('"x\\ud800":1,"x\ufffd":2'), 'lookalike_key'],
    // Alone: a server may read it where we see nothing.
    ['{"jsonrpc":"2.0","method":"notifications/x","ID":5}', 'lookalike_key'],
    ['{"jsonrpc":"2.0","id":1,"method":"tools/call","Params":{"name":"evil"}}', 'lookalike_key'],
    [call('"name":"ok","Arguments":{"dataset":"secret"}'), 'lookalike_key'],
    [call('"name":"ok","_META":{}'), 'lookalike_key'],
    [call('"uri\\u0000":"file:///etc/passwd"'), 'lookalike_key'],
    [call('"_meta":{"io.ModelContextProtocol/protocolVersion":"2026-07-28"}'), 'lookalike_key'],
    [call('"ref":{"Type":"ref/prompt"}'), 'lookalike_key'],
    // In every message of a batch.
    [`[{"id":1,"method":"ping"},${call('"name":"ok","Name":"evil"')}]`, 'lookalike_key'],
  ])('%s', (text, reason) => {
    expect(reasonOf(text)).toBe(reason)
  })

  it('also among many keys, wherever they stand', () => {
    const keys = Array.from({ length: 60 }, (_, index) => `key-${index}`)
    for (const at of [0, 5, 15, 16, 17, 40, 59]) {
      for (const twin of [`KEY-${at}`, `key\\u002d${at}`, `key-${at}\\u0000`]) {
        const members = [...keys.map((key) => `"${key}":1`), `"${twin}":2`]
        expect(reasonOf(call(members.join())), twin).toMatch(/_key$/)
        expect(reasonOf(call(members.toReversed().join())), twin).toMatch(/_key$/)
      }
    }
    expect(reasonOf(call(keys.map((key) => `"${key}":1`).join()))).toBe('ok')
  })

  it('names the key so that it can be seen', () => {
    expect(scan(call('"name":"ok","name\\u0000":"evil"'))).toEqual({
      kind: 'refused',
      reason: 'lookalike_key',
      detail: 'params has the key "name\\u0000", which looks like "name"',
    })
    expect(scan(call('"name":"ok","\u212a":1,"k":2'))).toMatchObject({
      detail: 'params has the key "k", which looks like "\\u212a"',
    })
    const long = scan(call(`"${'x'.repeat(5000)}":1,"${'x'.repeat(5000)}":1`))
    expect(long.kind === 'refused' && long.detail.length).toBeLessThan(150)
  })

  it('finds equal keys at any depth of arguments where it is told to, and leaves those that only look alike', () => {
    const limits = { ...DEFAULT_SCAN_LIMITS, deepArguments: true }
    for (const args of [
      '{"a":{"b":1,"b":2}}',
      '{"a":{"b":1,"\\u0062":2}}',
      '{"a":[1,[{"b":{"c":1,"c":2}}]]}',
      '[{"b":1,"b":2}]',
      '{"a":{"b":1},"c":{"é":1,"\\u00e9":2}}',
    ]) {
      expect(reasonOf(call(`"name":"ok","arguments":${args}`), limits)).toBe('duplicate_key')
      expect(reasonOf(call(`"name":"ok","arguments":${args}`))).toBe('ok')
    }
    const fine = '"arguments":{"a":{"b":1,"B":2,"b\\u0000":3},"c":[{"b":1},{"b":2}],"d":"x","e":[]}'
    expect(reasonOf(call(fine), limits)).toBe('ok')
    expect(reasonOf(call('"inputResponses":{"x":{"a":1,"a":2}}'), limits)).toBe('ok')
    // The envelope and params are two levels, and each turn two more.
    const nested = (turns: number) => call(`"arguments":${'{"a":['.repeat(turns)}${']}'.repeat(turns)}`)
    expect([reasonOf(nested(31), limits), reasonOf(nested(32), limits)]).toEqual(['ok', 'too_deep'])
    expect([reasonOf(nested(31)), reasonOf(nested(32))]).toEqual(['ok', 'too_deep'])
    expect(reasonOf(call(`"arguments":${'['.repeat(1_000_000)}`), limits)).toBe('too_deep')
    for (const broken of ['{"a":[1,]}', '{"a":{"b"}}', '[{]', '{"a":[1 2]}', '{"a":{"b":1']) {
      expect(reasonOf(call(`"arguments":${broken}`), limits)).toBe('not_json')
    }
  })

  it('tells arguments apart by case where it is told to, and no other keys', () => {
    const limits = { ...DEFAULT_SCAN_LIMITS, exactArguments: true }
    expect(reasonOf(call('"name":"ok","arguments":{"x":1,"X":2,"\u212a":3,"k":4,"x\\u0000":5}'), limits)).toBe('ok')
    expect(reasonOf(call('"name":"ok","arguments":{"x":1,"X":2,"\\u0078":3}'), limits)).toBe('duplicate_key')
    expect(reasonOf(call('"name":"ok","arguments":{"x":1,"x":2}'), limits)).toBe('duplicate_key')
    expect(reasonOf(call('"name":"ok","Name":"evil","arguments":{}'), limits)).toBe('lookalike_key')
  })
})

describe('what is not JSON to everybody is refused', () => {
  it.each<[string, string | Uint8Array, ScanReason]>([
    ['nothing', '', 'not_json'],
    ['white space only', ' \n', 'not_json'],
    ['something behind the end', '{} {}', 'not_json'],
    ['a NUL behind the end', '{}\0', 'not_json'],
    ['a comma too many in an object', '{"a":1,}', 'not_json'],
    ['a comma too many in an array', '[1,]', 'not_json'],
    ['no comma', '{"a":1 "b":2}', 'not_json'],
    ['no colon', '{"a" 1}', 'not_json'],
    ['no key', '{:1}', 'not_json'],
    ['a key without quotes', '{a:1}', 'not_json'],
    ['single quotes', "{'a':1}", 'not_json'],
    ['a comment', '{}//', 'not_json'],
    ['an object that does not end', '{"a":1', 'not_json'],
    ['an array that does not end', '[[1]', 'not_json'],
    ['the wrong end', '{"a":[1}]', 'not_json'],
    ['a string that does not end', '{"a":"b', 'not_json'],
    ['an escape at the end', '{"a":"b\\', 'not_json'],
    ['an escape that JSON does not have', '"\\x41"', 'not_json'],
    ['half an escape', '"\\u00"', 'not_json'],
    ['an escape that runs out', '"\\u00', 'not_json'],
    ['a line feed in a string', '"a\nb"', 'not_json'],
    ['a NUL in a string', '"a\0b"', 'not_json'],
    ['NaN', '{"a":NaN}', 'not_json'],
    ['Infinity', '{"a":-Infinity}', 'not_json'],
    ['a leading zero', '01', 'not_json'],
    ['a plus', '+1', 'not_json'],
    ['a point without digits', '1.', 'not_json'],
    ['a point in front', '.5', 'not_json'],
    ['an exponent without digits', '1e', 'not_json'],
    ['a minus alone', '-', 'not_json'],
    ['a hexadecimal number', '0x10', 'not_json'],
    ['half a word', '[tru]', 'not_json'],
    ['a word that goes on', '[trueish]', 'not_json'],
    ['a no-break space', '{}\u00a0', 'not_json'],
    ['a byte order mark', '\ufeff{}', 'byte_order_mark'],
    ['UTF-16', Buffer.from('{}', 'utf16le'), 'not_json'],
    ['Latin-1', Buffer.from('{"a":"\xe9"}', 'latin1'), 'not_utf8'],
    ['an overlong form', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'not_utf8'],
    ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'not_utf8'],
    ['a character cut off', Buffer.from([0x22, 0xe2, 0x82, 0x22]), 'not_utf8'],
  ])('%s', (_, text, reason) => {
    expect(reasonOf(text)).toBe(reason)
  })
})

describe('limits', () => {
  const limits = { ...DEFAULT_SCAN_LIMITS, maxDepth: 4, maxNumberBytes: 5, maxMessages: 2 }

  it.each<[string, ScanReason | 'ok']>([
    ['[[[[1]]]]', 'ok'],
    ['[[[[[1]]]]]', 'too_deep'],
    ['{"a":{"a":{"a":{"a":1}}}}', 'ok'],
    ['{"a":{"a":{"a":{"a":[]}}}}', 'too_deep'],
    ['{"params":{"a":{"a":{}}}}', 'ok'],
    ['{"params":{"a":{"a":{"a":{}}}}}', 'too_deep'],
    ['[{"params":{"_meta":{}}}]', 'ok'],
    ['[{"params":{"_meta":{"a":[]}}}]', 'too_deep'],
    ['[[[1],[1]],[[1]]]', 'ok'],
    ['12345', 'ok'],
    ['123456', 'long_number'],
    ['-1.2e9', 'long_number'],
    ['{"id":1234567890}', 'long_number'],
    ['[1,2]', 'ok'],
    ['[1,2,3]', 'too_many_messages'],
    ['{"params":[1,2,3]}', 'ok'],
  ])('%s: %s', (text, expected) => {
    expect(reasonOf(text, limits)).toBe(expected)
  })

  it('stands depth and length that would be too much for recursion', () => {
    expect(reasonOf('['.repeat(1_000_000))).toBe('too_deep')
    const many = 1_000_000
    const deep = { ...DEFAULT_SCAN_LIMITS, maxDepth: many, maxMessages: many, maxKeys: many, maxValues: 2 * many }
    expect(reasonOf(`${'['.repeat(500_000)}${']'.repeat(500_000)}`, deep)).toBe('ok')
    expect(reasonOf(`{"params":{"a":${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}}}`, deep)).toBe('ok')
    expect(reasonOf(`[${'1'.repeat(300)}]`)).toBe('long_number')
    expect(reasonOf(`[${'1,'.repeat(1_000_000)}1]`)).toBe('too_many_messages')
  })
})

describe('the number of keys and values', () => {
  const limits = { ...DEFAULT_SCAN_LIMITS, maxKeys: 5, maxValues: 10 }

  it.each([
    ['{"a":1,"b":2,"c":3,"d":4,"e":5}', 'ok'],
    ['{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}', 'too_many_keys'],
    ['{"params":{"arguments":{"x":{"y":{"z":1}}}}}', 'ok'],
    ['{"params":{"arguments":{"x":{"y":{"z":{"a":1}}}}}}', 'too_many_keys'],
    ['{"params":{"other":[{"y":1},{"y":1},{"y":1}]}}', 'ok'],
    ['{"params":{"other":[{"y":1},{"y":1},{"y":1},{"y":1}]}}', 'too_many_keys'],
    ['{"params":{"arguments":[{"y":1},{"y":1},{"y":1}]}}', 'ok'],
    ['{"params":{"arguments":[{"y":1},{"y":1},{"y":1},{"y":1}]}}', 'too_many_keys'],
    ['[{"a":1},{"a":1},{"a":1},{"a":1}]', 'ok'],
    ['[{"a":1,"b":2},{"a":1,"b":2},{"a":1,"b":2}]', 'too_many_keys'],
    ['{"result":[1,[2],{"a":null}]}', 'ok'],
    ['{"result":[1,2,3,4,5,6,7,8,9]}', 'too_many_values'],
    ['{"params":{"arguments":[1,2,3,4,5,6,7]}}', 'ok'],
    ['{"params":{"arguments":[1,2,3,4,5,6,7,8]}}', 'too_many_values'],
    ['{"params":{"arguments":[[],[],[],[],[],[],[],[]]}}', 'too_many_values'],
    ['{"result":"[,,,,,,,,,,,,]{:::::::}"}', 'ok'],
  ])('of %s counts together', (text, expected) => {
    expect(reasonOf(text, limits)).toBe(expected)
  })

  it('is bounded by default, at what nobody sends by hand', () => {
    const rows = (count: number) => `{"params":{"arguments":{"rows":[${'{"a":1},'.repeat(count)}{}]}}}`
    expect(reasonOf(rows(19_000))).toBe('ok')
    expect(reasonOf(rows(20_000))).toBe('too_many_keys')
    expect(reasonOf(`{"params":{"arguments":{"v":[${'1,'.repeat(199_000)}1]}}}`)).toBe('ok')
    expect(reasonOf(`{"params":{"arguments":{"v":[${'1,'.repeat(200_000)}1]}}}`)).toBe('too_many_values')
  })
})

describe('keys that take long to compare', () => {
  const call = (key: string, count = 1) =>
    `{"params":{"arguments":{${Array.from({ length: count }, (_, index) => `${JSON.stringify(`${index}${key}`)}:1`).join()}}}}`

  it('are refused: combining characters are put in order by the square of their number', () => {
    expect(reasonOf(call(`a${'\u0301\u0323'.repeat(1_000)}`))).toBe('ok')
    expect(reasonOf(call(`a${'\u0301\u0323'.repeat(2_500)}`))).toBe('long_keys')
    expect(reasonOf(call(`a${'\u0301\u0323'.repeat(1_000_000)}`))).toBe('long_keys')
    // Together they are as much as one.
    expect(reasonOf(call('\u0301'.repeat(400), 100))).toBe('ok')
    expect(reasonOf(call('\u0301'.repeat(400), 110))).toBe('long_keys')
    // Those of all objects of a batch.
    expect(reasonOf(`[${Array.from({ length: 8 }, () => call('é'.repeat(1_600))).join()}]`)).toBe('long_keys')
  })

  it('are taken where comparing them takes no longer than reading them', () => {
    expect(reasonOf(call('a'.repeat(1_000_000)))).toBe('ok')
    expect(reasonOf(`{"params":{"arguments":{"x":{${JSON.stringify('\u0301'.repeat(100_000))}:1}}}}`)).toBe('ok')
    expect(reasonOf(call('größe', 10_000))).toBe('ok')
  })
})

describe('compared with JSON.parse', () => {
  /** What a JSON parser says, and one that has its own idea of it: ours has to say the same. */
  const parses = (text: string) => {
    try {
      JSON.parse(text)
      return true
    } catch {
      return false
    }
  }
  const unlimited = { maxDepth: 10_000, maxNumberBytes: 10_000, maxMessages: 10_000, exactArguments: false }

  it('accepts what JSON.parse accepts, but for keys', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), fc.constantFrom('', ' ', '\n\t'), (text, space) => {
        // No keys are looked at in a list inside of a message.
        const inside = `{"params":[${space}${text}${space}]}`
        expect(reasonOf(inside, unlimited)).toBe('ok')
      }),
      { numRuns: 500 },
    )
  })

  it('says of any text what JSON.parse says', () => {
    const token = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"', '\\', ' ', '\n', '1', '0', '-', '.', 'e', '+', 'true', 'null', 'fals'],
      ...[
        '"a"',
        '"\\n"',
        '"\\u00e9"',
        '"\\ud83d"',
        '\\u',
        'é',
        '1.5',
        '-2e3',
        '{}',
        '[]',
        '{"a":1}',
        '\u2028',
        '\t',
        '\0',
      ],
    )
    const tokens = fc.array(token, { maxLength: 12 }).map((parts) => parts.join(''))
    fc.assert(
      fc.property(fc.oneof(tokens, fc.string(), fc.string({ unit: 'binary' })), (text) => {
        const wrapped = `[[${text}]]`
        const sent = Buffer.from(wrapped)
        expect(reasonOf(sent, unlimited) === 'ok').toBe(parses(sent.toString()))
      }),
      { numRuns: 3000 },
    )
  })

  it('says of changed messages what JSON.parse says, unless it is about keys', () => {
    const message = Buffer.from(
      '{"jsonrpc":"2.0","id":-12.5e3,"method":"tools/call","params":{"name":"a\\u00e9\\n","x":[true,false,null,{}],"ü":""}}',
    )
    fc.assert(
      fc.property(
        fc.nat(message.length - 1),
        fc.integer({ min: 0, max: 255 }),
        fc.constantFrom(0, 1, 2),
        (at, byte, way) => {
          const changed = Buffer.concat([
            message.subarray(0, at),
            way === 2 ? Buffer.alloc(0) : Buffer.of(byte),
            message.subarray(way === 1 ? at : at + 1),
          ])
          const reason = reasonOf(changed, unlimited)
          const isText = Buffer.from(changed.toString()).equals(changed)
          if (!isText) expect(reason).toBe('not_utf8')
          else if (!/_key$/.test(reason)) expect(reason === 'ok').toBe(parses(changed.toString()))
        },
      ),
      { numRuns: 3000 },
    )
  })

  it('finds two keys that are equal or differ in case, and no others among plain ones', () => {
    const key = fc.stringMatching(/^[a-cA-C]{1,2}$/)
    fc.assert(
      fc.property(fc.array(key, { maxLength: 24 }), fc.boolean(), (keys, escaped) => {
        const members = keys.map((each, index) => {
          const spelled = escaped && index % 3 === 0 ? `\\u00${each.charCodeAt(0).toString(16)}${each.slice(1)}` : each
          return `"${spelled}":1`
        })
        const expected = new Set(keys.map((each) => each.toLowerCase())).size === keys.length
        expect(reasonOf(call(members.join())) === 'ok').toBe(expected)
        expect(reasonOf(call(`"arguments":{${members.join()}}`)) === 'ok').toBe(expected)
      }),
      { numRuns: 1000 },
    )
  })

  it('accepts keys that nobody takes for one another', () => {
    const key = fc.string({ unit: fc.constantFrom(...'abxyzéüß日本語🔑_-./:1290'), minLength: 1, maxLength: 8 })
    const keys = fc.uniqueArray(key, { selector: (each) => each.replaceAll('ß', 'ss'), maxLength: 40 })
    fc.assert(
      fc.property(keys, fc.boolean(), (each, ascii) => {
        const object = JSON.stringify(Object.fromEntries(each.map((name) => [name, 1])))
        const sent = ascii
          ? object.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
          : object
        expect(reasonOf(`{"params":${sent}}`)).toBe('ok')
        expect(reasonOf(`{"params":{"arguments":${sent},"_meta":${sent}}}`)).toBe('ok')
      }),
      { numRuns: 500 },
    )
  })
})
