/** Messages that say one thing to the gateway and another to the server behind it (G15, B6), all the way through. */
import express from 'express'
import { sallyport } from 'sallyport/express'
import { describe, expect, test } from 'vitest'
import { modern, type Stub, startStub } from './attack-parts.ts'
import { ask, callTool, openSession, type RpcAnswer, rpc, startWorld, type World, type WorldOptions } from './world.ts'

/** A server of whose tools `alice` has `ok`, and `search` with some values of arguments. */
async function open(options: Partial<WorldOptions> = {}): Promise<{
  world: World
  stub: Stub
  /** Sends bytes as alice. */
  say(body: string | object, headers?: Record<string, string>): Promise<RpcAnswer>
}> {
  const stub = await startStub()
  const world = await startWorld({
    servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
    access: [
      { to: 'user:corp/*', on: 'dev/*', tools: ['ok'] },
      {
        to: 'user:corp/*',
        on: 'dev/*',
        tools: ['search'],
        arguments: { dataset: ['public/*'] },
      },
      {
        to: 'user:corp/*',
        on: 'dev/*',
        tools: ['query'],
        arguments: { 'filter.dataset': ['public/*'] },
      },
    ],
    ...options,
  })
  const token = await world.jwt('alice')
  const url = world.endpoint('dev/one')
  return { world, stub, say: (body, headers = {}) => rpc(url, { token, headers, body }) }
}

const call = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`

/** Whether an answer is a refusal: of the whole, or of the call. */
function isRefused({ status, json }: RpcAnswer): boolean {
  return status >= 400 || [json].flat().every((each) => each?.error !== undefined)
}

describe('the name of a tool', () => {
  const NAMES = [
    // Equal and alike, in the envelope, in params, and by escapes.
    call('{"name":"ok","name":"evil"}'),
    call('{"name":"ok","n\\u0061me":"evil"}'),
    call('{"name":"ok","Name":"evil"}'),
    call('{"Name":"evil"}'),
    call('{"name":"ok","na\u200bme":"evil"}'),
    call('{"name":"ok","\uff4eame":"evil"}'),
    call('{"name":"ok","name\\u0000":"evil"}'),
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok"},"params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok"},"Params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"evil"}}',
    // No text, or one that ends or begins elsewhere for others.
    call('{"name":["ok"]}'),
    call('{"name":["evil"]}'),
    call('{"name":{"toString":"ok"}}'),
    call('{"name":1}'),
    call('{"name":null}'),
    call('{"name":true}'),
    call('{"name":""}'),
    call('{}'),
    call('["ok"]'),
    call('"ok"'),
    '{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
    call('{"name":"evil\\u0000ok"}'),
    call('{"name":"ok\\u0000evil"}'),
    call('{"name":"ok\\nevil"}'),
    call('{"name":"ok "}'),
    call('{"name":" ok"}'),
    call('{"name":"OK"}'),
    call('{"name":"\uff4fk"}'),
    call('{"name":"o\u212a"}'),
    call('{"name":"ok\\ud800"}'),
    call('{"name":"ok/../evil"}'),
    // Under the name of another method.
    '{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools/call ","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"method":"tools\\/call\\u0000","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{"name":"evil"}}',
    // As what gets no answer, or is one.
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","method":"tools/call","params":{"name":"ok"}}',
    '{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","id":1,"result":{},"method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"2.0","method":"notifications/tools/call","params":{"name":"evil"}}',
    // In other envelopes.
    '{"id":1,"method":"tools/call","params":{"name":"evil"}}',
    '{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"ok"}}',
    `[[${call('{"name":"evil"}')}]]`,
    `\ufeff${call('{"name":"ok"}')}`,
    `${call('{"name":"ok"}')}${call('{"name":"evil"}')}`,
    `${call('{"name":"ok"}')}\u0000`,
    call('{"name":"ok",}'),
    call('{"name":"ok"/*,"name":"evil"*/}'),
    call("{'name':'ok'}"),
  ]

  test('that could be another one is refused before anything goes on', async () => {
    const { stub, say } = await open()
    for (const body of NAMES) expect([body, isRefused(await say(body))]).toEqual([body, true])
    expect(stub.requests).toEqual([])
  })

  test('that may be called goes on as it came, and nothing of it is read in another way', async () => {
    const { stub, say } = await open()
    const body = ` {"params" : {"arguments":{"name":"evil","Name":"x"},"name":"o\\u006b"},"id":1,"method":"tools\\/call", "jsonrpc":"2.0"}`
    const lookalike = await say(body)
    expect(lookalike.status).toBe(400)
    const fine = body.replace(',"Name":"x"', '')
    expect((await say(fine)).json.result.content[0].text).toBe('did ok')
    expect(stub.requests.map((request) => request.body)).toEqual([fine])
  })

  test('in bytes that are no UTF-8, or in another character set, is none', async () => {
    const { world, stub } = await open()
    const token = await world.jwt('alice')
    const text = call('{"name":"ok"}')
    for (const [bytes, type] of [
      [Buffer.from(text, 'utf16le'), 'application/json; charset=utf-16'],
      [
        Buffer.concat([Buffer.from(text.slice(0, -2)), Buffer.from([0xc0, 0xae]), Buffer.from('}}')]),
        'application/json',
      ],
      [Buffer.from(text.replace('"ok"', '"ok\u00ff"'), 'latin1'), 'application/json; charset=iso-8859-1'],
    ] as const) {
      const answer = await rpc(world.endpoint('dev/one'), { token, headers: { 'content-type': type }, body: bytes })
      expect(answer.status).toBe(400)
    }
    expect(stub.requests).toEqual([])
  })
})

describe('arguments that a grant is about', () => {
  const search = (args: string) => call(`{"name":"search","arguments":${args}}`)
  const query = (args: string) => call(`{"name":"query","arguments":${args}}`)

  const ARGUMENTS = [
    search('{"dataset":"secret"}'),
    search('{"dataset":"public/x","Dataset":"secret"}'),
    search('{"dataset":"public/x","dataset":"secret"}'),
    search('{"dataset":"secret","dataset":"public/x"}'),
    search('{"dataset":"public/x","data\u200bset":"secret"}'),
    search('{"dataset":"public/x","dataset\\u0000":"secret"}'),
    search('{"Dataset":"public/x"}'),
    search('{"dataset":["public/x","secret"]}'),
    search('{"dataset":[["public/x"]]}'),
    search('{"dataset":[]}'),
    search('{"dataset":{"0":"public/x"}}'),
    search('{"dataset":null}'),
    search('{"dataset":1}'),
    search('{"dataset":true}'),
    search('{"dataset":"public/../secret"}'),
    search('{"dataset":"public/%2e%2e/secret"}'),
    search('{"dataset":"public/x\\u0000secret"}'),
    search('{"dataset":"public/x\\nsecret"}'),
    search('{"dataset":" public/x"}'),
    search('{"dataset":"PUBLIC/x"}'),
    search(`{"dataset":"public/${'x'.repeat(5000)}"}`),
    search('{"__proto__":{"dataset":"public/x"}}'),
    search('{"constructor":{"prototype":{"dataset":"public/x"}}}'),
    search('["public/x"]'),
    search('[{"dataset":"public/x"}]'),
    search('"{\\"dataset\\":\\"public/x\\"}"'),
    search('null'),
    search('1'),
    call('{"name":"search"}'),
    call('{"name":"search","Arguments":{"dataset":"public/x"}}'),
    call('{"name":"search","arguments":{"dataset":"public/x"},"arguments":{"dataset":"secret"}}'),
    call('{"name":"search","arguments":{"dataset":"public/x"},"ARGUMENTS":{"dataset":"secret"}}'),
    // One level down, where a dot in the key of a rule leads.
    query('{"filter":{"dataset":"secret"}}'),
    query('{"filter":{"dataset":"secret","dataset":"public/x"}}'),
    query('{"filter":{"dataset":"public/x","dataset":"secret"}}'),
    query('{"filter":{"dataset":"public/x","d\\u0061taset":"secret"}}'),
    query('{"filter":{"dataset":"public/x","Dataset":"secret"}}'),
    query('{"filter":{"dataset":"public/x"},"Filter":{"dataset":"secret"}}'),
    query('{"filter":{"dataset":"public/x"},"filter":{"dataset":"secret"}}'),
    query('{"filter":[{"dataset":"public/x"}]}'),
    query('{"filter":"dataset"}'),
    query('{"filter.dataset":"public/x"}'),
  ]

  test('and are not accepted, missing, twice, alike, of another type or elsewhere', async () => {
    const { stub, say } = await open()
    for (const body of ARGUMENTS) expect([body, isRefused(await say(body))]).toEqual([body, true])
    expect(stub.requests).toEqual([])
  })

  test('go on where they are accepted, other keys twice in depth or not', async () => {
    const { stub, say } = await open()
    expect((await say(search('{"dataset":"public/x","n":1e3}'))).json.result).toBeDefined()
    expect((await say(search('{"dataset":["public/x","public/y"]}'))).json.result).toBeDefined()
    expect((await say(query('{"filter":{"dataset":"public/x","a":[{"b":1},{"b":2}]}}'))).json.result).toBeDefined()
    // Free data of a tool may have keys that differ in case: nothing is decided by them.
    expect((await say(call('{"name":"ok","arguments":{"words":{"a":1,"A":2}}}'))).json.result).toBeDefined()
    expect(stub.requests).toHaveLength(4)
  })

  test('are one thing to the gateway also where letters tell arguments apart: equal keys are refused all the same', async () => {
    const stub = await startStub()
    const { say } = await open({
      servers: { 'dev/one': { url: stub.url, auth: { type: 'none' }, exactArguments: true } },
    })
    expect((await say(call('{"name":"ok","arguments":{"x":1,"X":2}}'))).json.result).toBeDefined()
    for (const args of ['{"x":1,"x":2}', '{"a":{"x":1,"x":2}}', '[{"x":1,"x":2}]', '{"a":[[{"x":1,"\\u0078":2}]]}']) {
      expect((await say(call(`{"name":"ok","arguments":${args}}`))).status).toBe(400)
    }
    expect(isRefused(await say(search('{"dataset":"public/x","Dataset":"secret"}')))).toBe(true)
    expect(stub.requests).toHaveLength(1)
  })
})

describe('batches', () => {
  test('hide no call: one that is denied refuses them all, wherever it is and whatever is around it', async () => {
    const { stub, say } = await open()
    const fine = ask('ping', undefined, 'p')
    const note = { jsonrpc: '2.0', method: 'notifications/initialized' }
    for (const batch of [
      [fine, callTool('evil')],
      [callTool('evil'), fine],
      [note, note, callTool('evil')],
      [callTool('ok', {}, 1), callTool('evil', {}, 2)],
      [fine, { jsonrpc: '2.0', id: 2, result: {} }],
      [fine, ask('tools/call', { name: 'ok' }, 'p')],
      [fine, ask('initialize', {}, 2)],
      Array.from({ length: 101 }, (_, id) => ask('ping', undefined, id)),
      [fine, []],
      [fine, null],
      [],
    ]) {
      expect(isRefused(await say(batch))).toBe(true)
    }
    expect(stub.requests).toEqual([])
    expect((await say([fine, callTool('ok', {}, 2)])).status).toBeLessThan(300)
    expect(stub.requests).toHaveLength(1)
  })

  test('are none where the revision has none, in whatever way that is said', async () => {
    const { world, stub, say } = await open()
    const batch = [ask('ping', undefined, 1), callTool('ok', {}, 2)]
    const session = await openSession(world.endpoint('dev/one'), await world.jwt('alice'))
    const before = stub.requests.length
    const { 'mcp-session-id': id } = session
    for (const headers of [session, { 'mcp-session-id': id }, { 'mcp-protocol-version': '2026-07-28' }]) {
      expect((await say(batch, headers)).status).toBe(400)
    }
    expect((await say(modern('tools/call', { name: 'ok' }).body, {})).status).toBe(400)
    expect((await say([modern('ping').body])).status).toBe(400)
    expect(stub.requests.length).toBe(before)
  })
})

describe('the header fields of 2026-07-28', () => {
  const base64 = (text: string | Uint8Array) => `=?base64?${Buffer.from(text).toString('base64')}?=`

  const OTHERS: readonly (readonly [string, Record<string, string>])[] = [
    ['another name', { 'mcp-name': 'ok' }],
    ['another name in base64', { 'mcp-name': base64('ok') }],
    ['no name', { 'mcp-name': '' }],
    ['another method', { 'mcp-method': 'ping' }],
    ['a method in another case', { 'mcp-method': 'Tools/Call' }],
    ['two names', { 'mcp-name': 'evil, ok' }],
    ['another version', { 'mcp-protocol-version': '2025-11-25' }],
  ]

  test('that say something else than the body are refused', async () => {
    const { stub, say } = await open({ access: [{ to: 'user:corp/*', on: 'dev/*' }] })
    for (const [what, headers] of OTHERS) {
      const request = modern('tools/call', { name: 'evil' }, { headers })
      const answer = await say(request.body, request.headers)
      expect([what, answer.status, answer.json.error.code]).toEqual([what, 400, -32020])
    }
    expect(stub.requests).toEqual([])
  })

  test('decide nothing: it is the name in the body that is asked about, and that goes on in both places', async () => {
    const { stub, say } = await open()
    for (const name of ['ok', base64('ok')]) {
      const denied = modern('tools/call', { name: 'evil' }, { headers: { 'mcp-name': name } })
      expect((await say(denied.body, denied.headers)).status).toBe(400)
    }
    const spelled = modern('tools/call', { name: 'evil' }, { headers: { 'mcp-name': base64('evil') } })
    expect((await say(spelled.body, spelled.headers)).json.error.code).toBe(-32602)
    expect(stub.requests).toEqual([])
    const granted = modern('tools/call', { name: 'ok' }, { headers: { 'mcp-name': base64('ok') } })
    expect((await say(granted.body, granted.headers)).json.result).toBeDefined()
    expect(stub.requests.at(-1)?.headers).toMatchObject({ 'mcp-method': 'tools/call', 'mcp-name': 'ok' })
  })

  test('in base64 that is not canonical, or is no UTF-8, are none', async () => {
    const { stub, say } = await open()
    for (const value of [
      '=?base64?b2s?=',
      '=?base64?b2t=?=',
      '=?base64?b2s= ?=',
      '=?BASE64?b2s=?=',
      base64(Buffer.from([0xff])),
    ]) {
      const request = modern('tools/call', { name: 'ok' }, { headers: { 'mcp-name': value } })
      expect([value, (await say(request.body, request.headers)).status]).toEqual([value, 400])
    }
    expect(stub.requests).toEqual([])
  })

  test('of the legacy eras are nobody’s: they do not reach a server that would believe them', async () => {
    const { stub, say } = await open()
    const headers = { 'mcp-name': 'evil', 'mcp-method': 'tools/call', 'mcp-param-dataset': 'secret' }
    expect((await say(callTool('ok'), headers)).json.result).toBeDefined()
    expect(
      Object.keys(stub.requests[0]?.headers ?? {}).filter((name) => /^mcp-(?:name|method|param)/.test(name)),
    ).toEqual([])
  })

  test('notifications name no tools either', async () => {
    const { stub, say } = await open()
    const version = { 'mcp-protocol-version': '2026-07-28' }
    for (const method of ['tools/call', 'notifications/tools/call', 'tools/run', 'notifications/cancelled/x']) {
      const body = { jsonrpc: '2.0', method, params: { name: 'evil' } }
      expect([method, (await say(body, version)).status]).toEqual([method, 400])
      expect((await say(body, { ...version, 'mcp-method': 'notifications/cancelled' })).status).toBe(400)
    }
    expect(stub.requests).toEqual([])
  })

  test('an initialize that claims to be modern opens no session and passes nothing by', async () => {
    const { stub, say } = await open()
    const claim = modern('initialize', { name: 'evil' })
    const answer = await say(claim.body, claim.headers)
    expect(answer.headers.has('mcp-session-id')).toBe(false)
    expect(stub.methods().filter((method) => method !== 'initialize')).toEqual([])
  })
})

describe('a body that a parser has read first', () => {
  async function openParsed() {
    return open({
      async mount(gateway, server) {
        const app = express()
        app.use(express.json())
        app.use(sallyport(gateway))
        server.on('request', app)
      },
    })
  }

  test('is what goes on: of two readings only the one that was judged is left', async () => {
    const { stub, say } = await openParsed()
    expect(isRefused(await say(call('{"name":"ok","name":"evil"}')))).toBe(true)
    expect(isRefused(await say(call('{"name":"ok","Name":"evil"}')))).toBe(true)
    expect(stub.requests).toEqual([])
    // The parser has taken the last; so has the gateway, and so does the server.
    expect((await say(call('{"name":"evil","name":"ok"}'))).json.result).toBeDefined()
    expect(stub.requests.map(({ body }) => body)).toEqual([call('{"name":"ok"}')])
  })

  test('has nothing in its prototypes that counts', async () => {
    const { stub, say } = await openParsed()
    for (const params of [
      '{"__proto__":{"name":"ok"}}',
      '{"name":"evil","__proto__":{"name":"ok"}}',
      '{"name":"search","__proto__":{"arguments":{"dataset":"public/x"}}}',
      '{"name":"search","arguments":{"__proto__":{"dataset":"public/x"}}}',
      '{"name":"search","arguments":{"dataset":"secret","__proto__":{"dataset":"public/x"}}}',
      '{"name":"search","arguments":{"toJSON":"x","dataset":"secret"}}',
    ]) {
      expect([params, isRefused(await say(call(params)))]).toEqual([params, true])
    }
    expect(isRefused(await say('{"jsonrpc":"2.0","id":1,"__proto__":{"method":"tools/call"}}'))).toBe(true)
    expect(stub.requests).toEqual([])
    expect(({} as { name?: string }).name).toBeUndefined()
  })
})
