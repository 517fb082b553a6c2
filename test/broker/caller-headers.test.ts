/** G12: headers that a caller sends to an upstream through the gateway. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CallerHeaderRules, createCallerHeaders } from '../../src/broker/caller-headers.ts'
import { cpuMs } from '../support/cpu-time.ts'

const EXPECTED = 'expected a JSON object with a text for each header, such as {"authorization": "Bearer ..."}'

function read(text: string, rules?: CallerHeaderRules | false) {
  return createCallerHeaders(rules)([text])
}

const readObject = (value: unknown, rules?: CallerHeaderRules | false) => read(JSON.stringify(value), rules)
const headers = (fields: object) => ({ kind: 'headers', headers: fields })
const refused = (message: string) => ({ kind: 'refused', message: `x-tfy-mcp-headers ${message}; ${EXPECTED}` })

describe('what is taken', () => {
  it('G12 is a flat object of texts, names in lower case', () => {
    expect(read('{"Authorization": "Bearer t", "X-Api-Key":"k k"}')).toEqual(
      headers({ authorization: 'Bearer t', 'x-api-key': 'k k' }),
    )
    expect(read(' \t{ }\n')).toEqual(headers({}))
    expect(read('{"x-a": "a\\u0062\\/\\"{}:,\\"\\\\"}')).toEqual(headers({ 'x-a': 'ab/"{}:,"\\' }))
    expect(read('{"\\u0078-a":"1"}')).toEqual(headers({ 'x-a': '1' }))
  })

  it('is nothing where the field is absent', () => {
    for (const rules of [undefined, false, { allow: [] }] as const) {
      expect(createCallerHeaders(rules)([])).toEqual(headers({}))
    }
  })

  it('names that objects have anyway are names like others', () => {
    expect(readObject({ constructor: 'a', hasOwnProperty: 'b' })).toEqual(
      headers({ constructor: 'a', hasownproperty: 'b' }),
    )
  })

  it('gives nobody a way to change the shared empty answer', () => {
    const result = createCallerHeaders()([])
    expect(Object.isFrozen(result)).toBe(true)
    expect(result.kind === 'headers' && Object.isFrozen(result.headers)).toBe(true)
  })
})

describe('what is refused, with words that help', () => {
  it.each([
    ['', 'is not JSON'],
    ['authorization: Bearer secret', 'is not JSON'],
    ["{'authorization':'Bearer secret'}", 'is not JSON'],
    ['{"authorization":"Bearer secret"', 'is not JSON'],
    ['{"authorization":"Bearer secret",}', 'is not JSON'],
    ['{"a":"1"}, {"b":"2"}', 'is not JSON'],
    ['\u00ef\u00bb\u00bf{}', 'is not JSON'],
    ['"Bearer secret"', 'is a text'],
    ['[["authorization","Bearer secret"]]', 'is a list'],
    ['null', 'is null'],
    ['7', 'is a number'],
    ['{"x-a":1}', 'is not right: "x-a" is a number'],
    ['{"x-a":null}', 'is not right: "x-a" is null'],
    ['{"x-a":true}', 'is not right: "x-a" is a boolean'],
    ['{"x-a":["b"]}', 'is not right: "x-a" is a list'],
    [
      '{"dev/github":{"authorization":"Bearer secret"}}',
      'is not right: "dev/github" is an object: headers by server are for virtual servers, and this is one server',
    ],
  ])('%s', (text, message) => {
    expect(read(text)).toEqual(refused(message))
  })

  it.each([
    ['', 'is empty'],
    ['a\r\nhost: evil', 'has a line break or NUL in it, which no header can have'],
    ['a\nb', 'has a line break or NUL in it, which no header can have'],
    ['a\rb', 'has a line break or NUL in it, which no header can have'],
    ['a\0', 'has a line break or NUL in it, which no header can have'],
    ['a\tb', 'has characters in it that are neither visible ASCII nor spaces'],
    ['a\u2028b', 'has characters in it that are neither visible ASCII nor spaces'],
    ['a\u010ahost: evil', 'has characters in it that are neither visible ASCII nor spaces'],
    ['caf\u00e9', 'has characters in it that are neither visible ASCII nor spaces'],
    ['\ud800', 'has characters in it that are neither visible ASCII nor spaces'],
    [' a', 'begins or ends with a space'],
  ])('the value %j', (value, problem) => {
    expect(readObject({ 'x-a': value })).toEqual(refused(`is not right: the value of "x-a" ${problem}`))
  })

  it.each(['', 'x y', 'x:', ':authority', 'x\r\ny', 'x\0', '__proto__', 'é', 'x\u212a', 'dev/github'])(
    'the name %j',
    (name) => {
      const result = read(`{${JSON.stringify(name)}:"v"}`)
      expect(result.kind).toBe('refused')
      expect(result.kind === 'refused' && result.message).toMatch(/ is not the name of a header; expected/)
    },
  )

  it('a field of several lines, also where one alone would be right, or all together', () => {
    expect(createCallerHeaders()(['{"a":"b"}', '{"a":"b"}'])).toEqual(refused('is there more than once'))
    expect(createCallerHeaders()(['{"a":"b', 'c"}'])).toEqual(refused('is there more than once'))
  })

  it('a field that is too long, to the byte', () => {
    const of = (length: number) => `{"x-a":"${'a'.repeat(length - 10)}"}`
    expect(of(8192)).toHaveLength(8192)
    expect(read(of(8192)).kind).toBe('headers')
    expect(read(of(8193))).toEqual(refused('has more than 8192 bytes'))
    expect(read(of(20), { maxBytes: 20 }).kind).toBe('headers')
    expect(read(of(21), { maxBytes: 20 })).toEqual(refused('has more than 20 bytes'))
  })

  it('the field as a whole where it is turned off, whatever it says', () => {
    expect(read('{}', false)).toEqual(refused('is not taken by this gateway'))
    expect(read('', false)).toEqual(refused('is not taken by this gateway'))
  })

  it.each([
    ['{"x-a":"1","x-a":"2"}', 'has a name twice'],
    ['{"x-a":"1","x-a":"1"}', 'has a name twice'],
    ['{"x-a":"1","\\u0078-a":"2"}', 'has a name twice'],
    // What the last one hides from JSON.parse.
    ['{"x-a":{},"x-a":"2"}', 'has a name twice'],
    ['{"x-a":[1],"x-a":"2"}', 'has a name twice'],
    ['{"x-a":1,"x-a":"2"}', 'has a name twice'],
    ['{"x-a":"\\"","x-a":"2"}', 'has a name twice'],
    ['{"x-a":"1","X-A":"2"}', 'has "X-A" twice, in different spellings'],
    // One variable, HTTP_X_A, to CGI and its heirs.
    ['{"x-a":"1","x_a":"2"}', 'has "x_a" twice, in different spellings'],
  ])('a name that comes again: %s', (text, message) => {
    expect(read(text)).toEqual(refused(message))
  })

  it('never repeats a value, nor a token in the place of a name', () => {
    const secret = 'sk-0123456789abcdefghijklmnopqrstuvwxyz'
    const bad = [
      secret,
      `{"authorization":"${secret}`,
      `"${secret}"`,
      `{"x-a":"${secret}\\n"}`,
      `{"x-a":["${secret}"]}`,
      `{"host":"${secret}"}`,
      `{"a":"${secret}","a":"${secret}"}`,
      `{"${secret} ":"authorization"}`,
    ]
    for (const text of bad) {
      const result = read(text)
      expect(result.kind).toBe('refused')
      expect(JSON.stringify(result)).not.toContain(secret)
    }
  })
})

describe('names that are not for callers', () => {
  const closed =
    `accept accept-encoding connection content-encoding content-length content-type expect forwarded host keep-alive
    last-event-id mcp-method mcp-name mcp-param-x mcp-protocol-version mcp-session-id origin proxy-authorization proxy-connection
    sec-fetch-site te traceparent tracestate trailer transfer-encoding upgrade via x-forwarded-for x-forwarded-host x-real-ip
    x-tfy-mcp-headers x-original-url x-rewrite-url x-http-method-override`.split(/\s+/)

  it.each(closed)('%s, in any spelling, and also where everything is allowed', (name) => {
    for (const spelling of [name, name.toUpperCase(), name.replaceAll('-', '_')]) {
      for (const rules of [undefined, { allow: ['*'] }, { allow: [name, spelling] }]) {
        expect(readObject({ [spelling]: 'v' }, rules)).toEqual(
          refused(`is not right: ${JSON.stringify(spelling)} is not for callers to set`),
        )
      }
    }
  })

  it('all others are taken where nothing is said', () => {
    const fields = { authorization: 'a', 'x-api-key': 'b', 'user-agent': 'c', 'accept-language': 'd', hostname: 'e' }
    expect(readObject(fields)).toEqual(headers(fields))
  })

  it('a cookie is taken only where it is named as it is', () => {
    const message = 'is not right: "Cookie" is not among the headers that this gateway passes on'
    for (const rules of [undefined, { allow: ['*'] }, { allow: ['c*'] }, { allow: ['x-*'] }]) {
      expect(readObject({ Cookie: 'a=b' }, rules)).toEqual(refused(message))
    }
    expect(readObject({ Cookie: 'a=b' }, { allow: ['Cookie'] })).toEqual(headers({ cookie: 'a=b' }))
  })

  it('what is configured is all that is taken, case aside', () => {
    const rules = { allow: ['Authorization', 'X-Acme-*'] }
    expect(readObject({ AUTHORIZATION: 'a', 'x-acme-team': 'b' }, rules)).toEqual(
      headers({ authorization: 'a', 'x-acme-team': 'b' }),
    )
    for (const name of ['x-api-key', 'authorization2', 'x-acme', 'x_acme_team']) {
      expect(readObject({ [name]: 'v' }, rules)).toEqual(
        refused(`is not right: "${name}" is not among the headers that this gateway passes on`),
      )
    }
    expect(readObject({ 'x-a': 'v' }, { allow: [] }).kind).toBe('refused')
  })
})

describe('properties', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,15}$/).map((text) => `z${text}`)
  const value = fc.stringMatching(/^[!-~](?:[ -~]{0,20}[!-~])?$/)
  /** As many ways to write a string in JSON as there are. */
  const escaped = (text: string, seed: number) =>
    [...text]
      .map((char, index) => {
        const unit = `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
        return (seed >> (index % 30)) & 1 ? unit : JSON.stringify(char).slice(1, -1)
      })
      .join('')

  it('what is right comes out as it went in, however it is written', () => {
    fc.assert(
      fc.property(fc.dictionary(name, value, { maxKeys: 8 }), fc.nat(), (fields, seed) => {
        const members = Object.entries(fields).map(
          ([key, text]) => `"${escaped(key, seed)}" :\n"${escaped(text, ~seed)}"`,
        )
        expect(read(`{${members.join(' ,\t')}}`)).toEqual(headers(fields))
      }),
    )
  })

  it('whatever goes in, nothing that comes out can end a field or begin another', () => {
    const key = fc.oneof(
      name,
      fc.string({ unit: 'binary' }),
      fc.constantFrom('host', 'Mcp-Session-Id', 'te', '__proto__'),
    )
    const text = fc.oneof(value, fc.string({ unit: 'binary' }), fc.constantFrom('a\r\nhost: b', '\n', 'a\u010a'))
    const members = fc.array(fc.tuple(key, fc.oneof(text, fc.jsonValue())), { maxLength: 4 })
    const input = fc.oneof(
      {
        weight: 4,
        arbitrary: members.map((all) => `{${all.map((pair) => pair.map((each) => JSON.stringify(each)).join(':'))}}`),
      },
      fc.string(),
      fc.json(),
    )
    fc.assert(
      fc.property(input, (field) => {
        const result = read(field)
        if (result.kind === 'refused') return
        for (const [field, content] of Object.entries(result.headers)) {
          expect(field).toMatch(/^[a-z0-9][!#$%&'*+.^_`|~\w-]*$/)
          expect(content).toMatch(/^[!-~](?:[ -~]*[!-~])?$/)
          expect(new Headers([[field, content]]).get(field)).toBe(content)
        }
      }),
      { numRuns: 2_000 },
    )
  })

  it('a name that comes twice is always found', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(name, { minLength: 1, maxLength: 5 }),
        fc.jsonValue(),
        value,
        (names, hidden, last) => {
          const [again = ''] = names
          const members = [
            `"${again}":${JSON.stringify(hidden)}`,
            ...names.map((each) => `"${each}":${JSON.stringify(last)}`),
          ]
          expect(read(`{${members.join()}}`)).toEqual(refused('has a name twice'))
        },
      ),
    )
  })

  it('a long field takes no time, whatever is in it', () => {
    const ms = cpuMs(() => {
      for (const text of [
        '['.repeat(8_000),
        '{"a":'.repeat(1_600),
        `{"a":"${'\\\\'.repeat(4_000)}"}`,
        '"'.repeat(8_000),
      ]) {
        read(text)
      }
    })
    expect(ms).toBeLessThan(1_000)
  })
})

describe('over the wire', () => {
  it('what comes out arrives at a server as it went in', async () => {
    const server = createServer((request, response) => response.end(JSON.stringify(request.headers)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const result = readObject({ Authorization: 'Bearer "a", b;c=\\d', x_team: 'b  c' })
      expect(result.kind).toBe('headers')
      if (result.kind !== 'headers') return
      const { port } = server.address() as AddressInfo
      const answer = await fetch(`http://127.0.0.1:${port}/`, { headers: result.headers })
      expect(await answer.json()).toMatchObject({ authorization: 'Bearer "a", b;c=\\d', x_team: 'b  c' })
    } finally {
      await new Promise((resolve) => server.close(resolve))
    }
  })
})
