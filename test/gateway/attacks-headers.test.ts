/** Header fields and framing that mean two things (G12, B4): injection, smuggling, hop-by-hop tricks, on bare sockets. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { askRaw, connectRaw } from '../support/raw-client.ts'
import { modern, type Stub, startStub } from './attack-parts.ts'
import { callTool, EVERYTHING, openSession, rpc, startWorld, type World } from './world.ts'

async function open(): Promise<{ stub: Stub; world: World; url: string; token: string; port: number; path: string }> {
  const stub = await startStub()
  const world = await startWorld({
    servers: {
      'dev/one': { url: stub.url, auth: { type: 'header', headers: { authorization: 'Bearer shared' } } },
      'dev/two': { url: stub.url, auth: { type: 'none' } },
    },
    access: [EVERYTHING],
  })
  const url = world.endpoint('dev/one')
  return {
    stub,
    world,
    url,
    token: await world.jwt('alice'),
    port: Number(new URL(url).port),
    path: new URL(url).pathname,
  }
}

const CALL = JSON.stringify(callTool('ok'))

describe('x-tfy-mcp-headers', () => {
  test('cannot end a field, begin another, or be what only a connection or the gateway says', async () => {
    const { stub, url, token } = await open()
    const names = [
      ...['host', 'Host', 'HOST', 'content-length', 'transfer-encoding', 'Transfer_Encoding', 'connection', 'upgrade'],
      ...['te', 'trailer', 'expect', 'keep-alive', 'proxy-authorization', 'proxy-connection', 'content-type'],
      ...[
        'content-encoding',
        'accept-encoding',
        'mcp-session-id',
        'mcp_session_id',
        'mcp-name',
        'mcp-protocol-version',
      ],
      ...['last-event-id', 'x-forwarded-for', 'x_forwarded_for', 'forwarded', 'via', 'x-real-ip', 'cookie', 'origin'],
      ...[
        'x-http-method-override',
        'x-original-url',
        'x-tfy-mcp-headers',
        'sec-fetch-site',
        'traceparent',
        ':authority',
      ],
      ...['x y', 'x:y', 'x\r\ny', 'x\u0000', '', 'x\u00e9', '__proto__ '],
    ]
    for (const name of names) {
      const value = JSON.stringify({ [name]: 'evil' }).replace(
        /[^ -~]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      const answer = await rpc(url, { token, headers: { 'x-tfy-mcp-headers': value }, body: CALL })
      expect([name, answer.status]).toEqual([name, 400])
    }
    for (const value of ['a\r\nhost: evil', 'a\nb', 'a\u0000', 'a\u010ab', '\u00e9', 'a\u007f', ' a', 'a ', '']) {
      const text = JSON.stringify({ 'x-own': value }).replace(
        /[^ -~]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )
      const answer = await rpc(url, { token, headers: { 'x-tfy-mcp-headers': text }, body: CALL })
      expect([value, answer.status]).toEqual([value, 400])
    }
    expect(stub.requests).toEqual([])
  })

  test('in two lines, or without end, is refused; of keys of an object’s prototype nothing comes', async () => {
    const { stub, url, token, port, path } = await open()
    const twice = await askRaw(port, {
      method: 'POST',
      target: path,
      headers: [
        ['host', new URL(url).host],
        ['authorization', `Bearer ${token}`],
        ['content-type', 'application/json'],
        ['x-tfy-mcp-headers', '{"x-a":"1"'],
        ['x-tfy-mcp-headers', '"x-b":"2"}'],
      ],
      body: CALL,
    })
    expect(twice.status).toBe(400)
    const long = { 'x-tfy-mcp-headers': JSON.stringify({ 'x-a': 'x'.repeat(9_000) }) }
    expect((await rpc(url, { token, headers: long, body: CALL })).status).toBe(400)
    expect(stub.requests).toEqual([])
    const proto = { 'x-tfy-mcp-headers': '{"__proto__":"x","constructor":"y","toString":"z"}' }
    expect((await rpc(url, { token, headers: proto, body: CALL })).status).toBeLessThan(500)
    expect(stub.tokens()).toEqual(stub.tokens().map(() => 'Bearer shared'))
  })
})

describe('what a message says', () => {
  test('is one header field, whatever is in it: names of tools, URIs, methods', async () => {
    const { stub, url, token } = await open()
    for (const name of [
      'a\r\nx-evil: 1',
      'a\nb',
      'é',
      '=?base64?b2s=?=',
      ' a ',
      '\u202e',
      'a\u0085b',
      '日本',
      'a, b',
      'x'.repeat(3000),
    ]) {
      const request = modern(
        'tools/call',
        { name },
        { headers: { 'mcp-name': `=?base64?${Buffer.from(name).toString('base64')}?=` } },
      )
      await rpc(url, { token, ...request })
      const uri = modern(
        'resources/read',
        { uri: name },
        { headers: { 'mcp-name': `=?base64?${Buffer.from(name).toString('base64')}?=` } },
      )
      await rpc(url, { token, ...uri })
    }
    expect(stub.requests.length).toBeGreaterThan(8)
    for (const { headers, body } of stub.requests) {
      expect(headers['x-evil']).toBeUndefined()
      expect(headers['mcp-name']).toMatch(/^[ -~]+$/)
      const said = String(headers['mcp-name'])
      const [, encoded] = /^=\?base64\?(.*)\?=$/.exec(said) ?? []
      const { params } = JSON.parse(body)
      expect(encoded === undefined ? said : Buffer.from(encoded, 'base64').toString()).toBe(params.name ?? params.uri)
    }
  })

  test('in fields that go on is visible text in one line: trace, user agent, resumption, language', async () => {
    const { stub, url, token } = await open()
    const session = await openSession(url, token)
    const fields = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=b',
      baggage: 'k=v',
      'user-agent': 'agent/1 (x; y)',
      'accept-language': 'de',
    }
    await rpc(url, { token, headers: { ...session, ...fields }, body: CALL })
    expect(stub.requests.at(-1)?.headers).toMatchObject(fields)
    const { port, pathname } = new URL(url)
    for (const [name, bytes] of [
      ['user-agent', 'a\u0000b'],
      ['traceparent', 'a\rb'],
      ['last-event-id', 'a\u0001b'],
      ['mcp-session-id', 'a\u007fb'],
      ['x-tfy-mcp-headers', '{"x":"\u0000"}'],
    ] as const) {
      const before = stub.requests.length
      const connection = await connectRaw(Number(port))
      onTestFinished(() => connection.close())
      connection.write(
        Buffer.from(
          `POST ${pathname} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n${name}: ${bytes}\r\n` +
            `content-type: application/json\r\ncontent-length: ${CALL.length}\r\n\r\n${CALL}`,
          'latin1',
        ),
      )
      expect([name, (await connection.answer('POST')).status]).toEqual([name, 400])
      expect(stub.requests.length).toBe(before)
    }
  })

  test('in the audit is data: a trace that is none is left out, names are cut', async () => {
    const { world, url, token } = await open()
    await rpc(url, { token, headers: { traceparent: '00-<script>' }, body: callTool('x'.repeat(4000)) })
    const told = await world.told(({ methods }) => methods.includes('tools/call'))
    expect([told.traceparent, told.targets[0]?.name.length]).toEqual([null, 256])
  })
})

test.each([
  ['00-', '', true],
  ['00-', '-secret', false],
  ['cc-', '', true],
  ['cc-', '-secret', true],
  ['ff-', '', false],
])('a trace %s…%s: nothing behind its flags is told', async (version, more, isOne) => {
  const trace = `${version}0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`
  const { world, url, token } = await open()
  await rpc(url, { token, headers: { traceparent: `${trace}${more}` }, body: callTool('ok') })
  const { traceparent } = await world.told(({ methods }) => methods.includes('tools/call'))
  expect(traceparent).toBe(isOne ? trace : null)
})

describe('hop-by-hop tricks', () => {
  test('take no credential and no check away: Connection names fields in vain', async () => {
    const { stub, url, token, port, path } = await open()
    for (const named of [
      'authorization',
      'x-tfy-mcp-headers',
      'host, authorization',
      'mcp-session-id',
      'close, authorization',
    ]) {
      const answer = await askRaw(port, {
        method: 'POST',
        target: path,
        headers: {
          host: new URL(url).host,
          authorization: `Bearer ${token}`,
          connection: named,
          'content-type': 'application/json',
          te: 'trailers',
          'proxy-connection': 'keep-alive',
        },
        body: CALL,
      })
      expect([named, answer.status]).toEqual([named, 200])
      const sent = stub.requests.at(-1)?.headers
      expect(sent).toMatchObject({ authorization: 'Bearer shared' })
      expect([sent?.te, sent?.['proxy-connection'], String(sent?.connection).includes('authorization')]).toEqual([
        undefined,
        undefined,
        false,
      ])
    }
  })
})

describe('two requests in one', () => {
  const head = (path: string, host: string, token: string, rest: string) =>
    `POST ${path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\n${rest}`

  test('by two lengths, a length and chunks, odd codings and broken chunks: 400 and the end of the connection', async () => {
    const { stub, url, token, port, path } = await open()
    const { host } = new URL(url)
    const length = `content-length: ${CALL.length}\r\n`
    const chunk = `${CALL.length.toString(16)}\r\n${CALL}\r\n0\r\n\r\n`
    for (const rest of [
      `${length}content-length: 5\r\n\r\n${CALL}`,
      `${length}transfer-encoding: chunked\r\n\r\n${chunk}`,
      `transfer-encoding: chunked\r\n${length}\r\n${chunk}`,
      `transfer-encoding: xchunked\r\n\r\n${chunk}`,
      `transfer-encoding: chunked, identity\r\n\r\n${chunk}`,
      `transfer-encoding : chunked\r\n\r\n${chunk}`,
      `content-length: +${CALL.length}\r\n\r\n${CALL}`,
      `content-length: 0x10\r\n\r\n${CALL}`,
      `content-length: ${CALL.length}, ${CALL.length}\r\n\r\n${CALL}`,
      `transfer-encoding: chunked\r\n\r\nzz\r\n${CALL}`,
      ` folded: x\r\n${length}\r\n${CALL}`,
    ]) {
      const connection = await connectRaw(port)
      onTestFinished(() => connection.close())
      connection.write(head(path, host, token, rest))
      const answer = await connection.answer('POST')
      expect([rest.slice(0, 40), answer.status]).toEqual([rest.slice(0, 40), 400])
      await connection.rest()
    }
    expect(stub.requests).toEqual([])
  })

  test('the second of a pipeline has a caller of its own, or none', async () => {
    const { stub, url, token, port, path } = await open()
    const { host } = new URL(url)
    const connection = await connectRaw(port)
    onTestFinished(() => connection.close())
    const second = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${CALL.length}\r\n\r\n${CALL}`
    connection.write(head(path, host, token, `content-length: ${CALL.length}\r\n\r\n${CALL}`) + second)
    expect((await connection.answer('POST')).status).toBe(200)
    expect((await connection.answer('POST')).status).toBe(401)
    expect(stub.requests).toHaveLength(1)
  })

  test('targets and hosts that differ, or come twice, are nobody’s', async () => {
    const { stub, world, url, token, port, path } = await open()
    const { host } = new URL(url)
    const body = { 'content-type': 'application/json', authorization: `Bearer ${token}` }
    const ask = (target: string, headers: readonly (readonly [string, string])[]) =>
      askRaw(port, { method: 'POST', target, headers: [...headers, ...Object.entries(body)], body: CALL })
    const statuses: [string, number][] = []
    for (const [target, headers] of [
      [`http://evil.test${path}`, [['host', host]]],
      [`http://${host}${path}`, [['host', 'evil.test']]],
      [`http://${host}@evil.test${path}`, [['host', host]]],
      [`//evil.test${path}`, [['host', host]]],
      [
        path,
        [
          ['host', host],
          ['host', 'evil.test'],
        ],
      ],
      [path, [['host', 'evil.test']]],
      [path, [['host', `${host}@evil.test`]]],
      [path, [['host', `evil.test, ${host}`]]],
      [path, [['host', '']]],
      [
        path,
        [
          ['host', host],
          ['authorization', 'Bearer other'],
        ],
      ],
      [`${path}#x`, [['host', host]]],
      [`${path.replace('one', '%6fne')}/`, [['host', host]]],
      [path.replace('one', 'two/../one'), [['host', host]]],
      [path.replace('one', 'two/..%2fone'), [['host', host]]],
      [path.replace('/server', '\\server'), [['host', host]]],
    ] as [string, [string, string][]][]) {
      const answer = await ask(target, headers)
      expect([target, headers, answer.headers['x-app']]).toEqual([target, headers, undefined])
      statuses.push([`${target} ${JSON.stringify(headers)}`, answer.status])
    }
    for (const [what, status] of statuses) expect([what, status === 400 || status === 421]).toEqual([what, true])
    expect(stub.requests).toEqual([])
    // The absolute form of the right one is the right one.
    expect((await ask(`http://${host}${path}`, [['host', host]])).status).toBe(200)
    expect(world.origin).toBe(`http://${host}`)
  })
})
