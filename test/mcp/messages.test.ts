/** Bodies of POST: what messages they hold, and what is said of those that hold none. */
import { JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayCode, JsonRpcCode, McpCode } from '../../src/mcp/error-codes.ts'
import { errorResponse, type MessageBody, parseMessages, resultResponse } from '../../src/mcp/messages.ts'

const parse = (value: unknown) => parseMessages(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)))
const parsed = (value: unknown): MessageBody => {
  const body = parse(value)
  if (body.kind === 'problem') throw new Error(body.response.error.message)
  return body
}
const rpc = { jsonrpc: '2.0' }

describe('messages', () => {
  it('a request', () => {
    const request = { ...rpc, id: 1, method: 'tools/call', params: { name: 'x', arguments: { n: 1 } } }
    expect(parsed(request)).toEqual({
      kind: 'messages',
      batch: false,
      messages: [
        {
          kind: 'request',
          id: 1,
          method: 'tools/call',
          params: request.params,
          raw: Buffer.from(JSON.stringify(request)),
        },
      ],
    })
  })

  it.each([0, -1, 'a', '', '1', Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER])('a request with the id %j', (id) => {
    expect(parsed({ ...rpc, id, method: 'ping' }).messages).toMatchObject([{ kind: 'request', id, params: undefined }])
  })

  it('an integer in other spellings', () => {
    expect(parsed('{"jsonrpc":"2.0","id":1.0,"method":"ping"}').messages).toMatchObject([{ id: 1 }])
    expect(parsed('{"jsonrpc":"2.0","id":1e2,"method":"ping"}').messages).toMatchObject([{ id: 100 }])
  })

  it('a notification', () => {
    expect(parsed({ ...rpc, method: 'notifications/initialized' }).messages).toMatchObject([
      { kind: 'notification', method: 'notifications/initialized', params: undefined },
    ])
    expect(parsed({ ...rpc, method: 'com.example/event', params: {} }).messages).toMatchObject([
      { kind: 'notification' },
    ])
  })

  it('a response', () => {
    expect(parsed({ ...rpc, id: 's-1', result: {} }).messages).toMatchObject([{ kind: 'response', id: 's-1' }])
    expect(parsed({ ...rpc, id: 2, error: { code: -1, message: '' } }).messages).toMatchObject([
      { kind: 'response', id: 2 },
    ])
    for (const error of [{ code: 1, message: 'x', data: null }]) {
      expect(parsed({ ...rpc, error }).messages).toMatchObject([{ kind: 'response', id: undefined }])
      expect(parsed({ ...rpc, id: null, error }).messages).toMatchObject([{ kind: 'response', id: undefined }])
    }
  })

  it('a batch, each message with its bytes as they were', () => {
    const sent =
      '[ {"jsonrpc":"2.0","id":1,"method":"ping"} ,{"jsonrpc":"2.0","method":"notifications/x","params":{"n":9007199254740993}}]'
    const { batch, messages } = parsed(sent)
    expect(batch).toBe(true)
    expect(messages.map(({ kind }) => kind)).toEqual(['request', 'notification'])
    expect(messages.map(({ raw }) => Buffer.from(raw).toString())).toEqual([
      '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      '{"jsonrpc":"2.0","method":"notifications/x","params":{"n":9007199254740993}}',
    ])
    expect(
      parsed([
        { ...rpc, id: 1, result: {} },
        { ...rpc, id: 2, result: {} },
      ]).messages,
    ).toHaveLength(2)
    expect(
      parsed([
        { ...rpc, id: 1, method: 'ping' },
        { ...rpc, id: '1', method: 'ping' },
      ]).messages,
    ).toHaveLength(2)
  })

  it('reads a view into a larger buffer', () => {
    const around = Buffer.from('....{"jsonrpc":"2.0","id":7,"method":"ping"}....')
    const body = parseMessages(new Uint8Array(around.buffer, around.byteOffset + 4, around.length - 8))
    expect(body).toMatchObject({ messages: [{ id: 7 }] })
  })

  it('keeps __proto__ a key like others', () => {
    const [message] = parsed('{"jsonrpc":"2.0","id":1,"method":"x","params":{"__proto__":{"name":"evil"}}}').messages
    expect(message?.kind === 'request' && message.params?.name).toBe(undefined)
    expect(Object.getPrototypeOf({})).toBe(Object.prototype)
  })
})

describe('what is no message', () => {
  const { PARSE_ERROR, INVALID_REQUEST } = JsonRpcCode

  it.each<[string, unknown, number, string | number | undefined]>([
    ['nothing', '', PARSE_ERROR, undefined],
    ['half a message', '{"jsonrpc":"2.0","id":1', PARSE_ERROR, undefined],
    ['a byte order mark', '\ufeff{}', PARSE_ERROR, undefined],
    ['a duplicate key', '{"jsonrpc":"2.0","id":1,"method":"ping","id":1}', INVALID_REQUEST, undefined],
    ['a look-alike key', { ...rpc, id: 1, method: 'x', params: { name: 'a', Name: 'b' } }, INVALID_REQUEST, undefined],
    ['a text', '"ping"', INVALID_REQUEST, undefined],
    ['null', 'null', INVALID_REQUEST, undefined],
    ['an empty batch', [], INVALID_REQUEST, undefined],
    ['a batch in a batch', [[{ ...rpc, id: 1, method: 'ping' }]], INVALID_REQUEST, undefined],
    ['a batch with something else', [{ ...rpc, id: 1, method: 'ping' }, 1], INVALID_REQUEST, undefined],
    ['no version', { id: 1, method: 'ping' }, INVALID_REQUEST, 1],
    ['another version', { jsonrpc: '1.0', id: 'a', method: 'ping' }, INVALID_REQUEST, 'a'],
    ['nothing to do', { ...rpc, id: 1 }, INVALID_REQUEST, 1],
    ['a method that is no text', { ...rpc, id: 1, method: 1 }, INVALID_REQUEST, 1],
    ['an empty method', { ...rpc, id: 1, method: '' }, INVALID_REQUEST, 1],
    ['params that are a list', { ...rpc, id: 1, method: 'ping', params: [] }, INVALID_REQUEST, 1],
    ['params that are null', { ...rpc, id: 1, method: 'ping', params: null }, INVALID_REQUEST, 1],
    ['an id that is null', { ...rpc, id: null, method: 'ping' }, INVALID_REQUEST, undefined],
    ['an id that is no integer', { ...rpc, id: 1.5, method: 'ping' }, INVALID_REQUEST, undefined],
    ['an id that is an object', { ...rpc, id: {}, method: 'ping' }, INVALID_REQUEST, undefined],
    [
      'an id that cannot be named',
      '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}',
      INVALID_REQUEST,
      undefined,
    ],
    ['a request that is an answer', { ...rpc, id: 1, method: 'ping', result: {} }, INVALID_REQUEST, 1],
    ['a notification that is an answer', { ...rpc, method: 'notifications/x', error: {} }, INVALID_REQUEST, undefined],
    ['a result that is no object', { ...rpc, id: 1, result: 'ok' }, INVALID_REQUEST, undefined],
    ['a result without an id', { ...rpc, result: {} }, INVALID_REQUEST, undefined],
    ['an error that is none', { ...rpc, id: 1, error: 'x' }, INVALID_REQUEST, undefined],
    [
      'an error with a code that is none',
      { ...rpc, id: 1, error: { code: 1.5, message: '' } },
      INVALID_REQUEST,
      undefined,
    ],
    [
      'a result and an error',
      { ...rpc, id: 1, result: {}, error: { code: 1, message: '' } },
      INVALID_REQUEST,
      undefined,
    ],
    [
      'requests and responses',
      [
        { ...rpc, id: 1, method: 'ping' },
        { ...rpc, id: 1, result: {} },
      ],
      INVALID_REQUEST,
      undefined,
    ],
    [
      'two requests of one id',
      [
        { ...rpc, id: 1, method: 'ping' },
        { ...rpc, id: 1, method: 'x' },
      ],
      INVALID_REQUEST,
      undefined,
    ],
  ])('%s', (_, sent, code, id) => {
    const problem = parse(sent)
    expect(problem).toMatchObject({ kind: 'problem', status: 400, response: { jsonrpc: '2.0', error: { code } } })
    // MCP has no null here: the id is left out where it could not be read.
    expect(problem.kind === 'problem' && Object.entries(problem.response).find(([key]) => key === 'id')).toEqual(
      id === undefined ? undefined : ['id', id],
    )
    expect(JSONRPCMessageSchema.safeParse(problem.kind === 'problem' && problem.response).success).toBe(true)
  })

  it.each([
    'tools/call',
    'tools/list',
    'resources/templates/list',
    'resources/subscribe',
    'initialize',
    'tasks/cancel',
  ])('%s without an id, which some servers carry out', (method) => {
    expect(parse({ ...rpc, method, params: { name: 'x' } })).toMatchObject({ kind: 'problem', status: 400 })
  })
})

describe('compared with the SDK', () => {
  it('accepts what its clients can send', () => {
    const id = fc.oneof(fc.string(), fc.maxSafeInteger())
    const params = fc.option(fc.dictionary(fc.stringMatching(/^[a-z]{3}[0-9]$/), fc.jsonValue()), { nil: undefined })
    const method = fc.stringMatching(/^[a-z]{1,8}\/[a-z]{1,8}x$/)
    const message = fc.oneof(
      fc.record({ jsonrpc: fc.constant('2.0'), id, method, params }),
      fc.record({ jsonrpc: fc.constant('2.0'), method, params }),
      fc.record({ jsonrpc: fc.constant('2.0'), id, result: fc.dictionary(fc.string(), fc.jsonValue()) }),
      fc.record({ jsonrpc: fc.constant('2.0'), id, error: fc.record({ code: fc.integer(), message: fc.string() }) }),
    )
    fc.assert(
      fc.property(message, (sent) => {
        if (JSON.stringify(sent).includes('\\ud')) return
        expect(JSONRPCMessageSchema.safeParse(JSON.parse(JSON.stringify(sent))).success).toBe(true)
        expect(parse(sent).kind).toBe('messages')
      }),
      { numRuns: 300 },
    )
  })
})

describe('answers', () => {
  it('have data only where there is some', () => {
    expect(errorResponse(1, -32601, 'no')).toEqual({ jsonrpc: '2.0', id: 1, error: { code: -32601, message: 'no' } })
    expect(errorResponse(undefined, -32700, 'no', 'x')).toEqual({
      jsonrpc: '2.0',
      error: { code: -32700, message: 'no', data: 'x' },
    })
    expect(JSON.stringify(resultResponse('a', { b: 1 }))).toBe('{"jsonrpc":"2.0","id":"a","result":{"b":1}}')
  })

  it('have codes of ours outside of what is reserved, each once', () => {
    const codes = Object.values(GatewayCode)
    for (const code of codes) expect(code < -32768 || code > -32000).toBe(true)
    expect(new Set(codes).size).toBe(codes.length)
    expect(Object.values(McpCode)).toEqual([-32002, -32020, -32021, -32022, -32042])
  })
})
