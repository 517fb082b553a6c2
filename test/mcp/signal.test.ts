/** The table of who is told in which form that somebody has to allow access. */
import {
  ErrorCode,
  JSONRPCMessageSchema,
  McpError,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, it } from 'vitest'
import { type MessageBody, parseMessages } from '../../src/mcp/messages.ts'
import { authorizationSignal, elicitationIdOf, type Signal, type SignalSituation } from '../../src/mcp/signal.ts'

const ONE = 'https://gw.example.com/connect/AbC123'
const TWO = 'https://gw.example.com/connect/xYz789?a=b,c'
const TEXT = `Please visit: ${ONE}`
const BOTH = `Please visit: ${ONE} , ${TWO}`

const body = (sent: unknown): MessageBody => {
  const parsed = parseMessages(Buffer.from(JSON.stringify(sent)))
  if (parsed.kind === 'problem') throw new Error(parsed.response.error.message)
  return parsed
}
const ask = (method: string, id: string | number = 7) => body({ jsonrpc: '2.0', id, method, params: { name: 'x' } })
const signal = (situation: Partial<SignalSituation>): Signal =>
  authorizationSignal({
    era: 'legacy',
    revision: '2025-11-25',
    urlElicitation: false,
    asked: ask('initialize'),
    server: 'dev/github',
    need: { kind: 'visit', urls: [ONE] },
    form: 'best',
    discovery: undefined,
    ...situation,
  })
const json = { 'content-type': 'application/json', 'cache-control': 'no-store' }
const modern = { era: 'modern', revision: '2026-07-28' } as const
const textForm = (id: string | number | undefined, text: string) => ({
  jsonrpc: '2.0',
  ...(id === undefined ? {} : { id }),
  error: { code: 4011, message: `Authorization required for dev/github. ${text}`, data: text },
})
const urlForm = (id: string | number, ...urls: string[]) => ({
  jsonrpc: '2.0',
  id,
  error: {
    code: -32042,
    message: `Authorization required for dev/github. Please visit: ${urls.join(' , ')}`,
    data: {
      elicitations: urls.map((url) => ({
        mode: 'url',
        elicitationId: elicitationIdOf(url),
        url,
        message: 'Authorization required for dev/github. Try again afterwards.',
      })),
    },
  },
})

describe('B3 G16 legacy clients', () => {
  it.each(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'])('%s without URL mode: the text', (revision) => {
    for (const method of ['initialize', 'tools/list', 'tools/call', 'ping']) {
      expect(signal({ revision, asked: ask(method) })).toEqual({ status: 200, headers: json, body: textForm(7, TEXT) })
    }
  })

  it('2025-11-25 with URL mode: -32042', () => {
    for (const method of ['initialize', 'tools/list', 'tools/call', 'prompts/get']) {
      const found = signal({ urlElicitation: true, asked: ask(method, 'a') })
      expect(found).toEqual({ status: 200, headers: json, body: urlForm('a', ONE) })
    }
  })

  it('an earlier revision has no -32042, whatever the client declares', () => {
    for (const revision of ['2024-11-05', '2025-03-26', '2025-06-18']) {
      expect(signal({ revision, urlElicitation: true }).body).toEqual(textForm(7, TEXT))
    }
  })

  it('several URLs', () => {
    const need = { kind: 'visit', urls: [ONE, TWO] } as const
    expect(signal({ need }).body).toEqual(textForm(7, BOTH))
    expect(signal({ need, urlElicitation: true }).body).toEqual(urlForm(7, ONE, TWO))
  })

  it('the text where it is configured', () => {
    expect(signal({ urlElicitation: true, form: 'text' }).body).toEqual(textForm(7, TEXT))
  })

  it('requests of a batch are answered one by one, its notifications not at all', () => {
    const asked = body([
      { jsonrpc: '2.0', id: 1, method: 'tools/list' },
      { jsonrpc: '2.0', method: 'notifications/x' },
      { jsonrpc: '2.0', id: 'b', method: 'tools/call', params: {} },
    ])
    expect(signal({ revision: '2025-03-26', asked })).toEqual({
      status: 200,
      headers: json,
      body: [textForm(1, TEXT), textForm('b', TEXT)],
    })
    const alone = body([{ jsonrpc: '2.0', id: 1, method: 'tools/list' }])
    expect(signal({ revision: '2025-03-26', asked: alone }).body).toEqual([textForm(1, TEXT)])
  })

  it('what gets no answer gets an error status', () => {
    for (const asked of [
      body({ jsonrpc: '2.0', method: 'notifications/cancelled', params: {} }),
      body({ jsonrpc: '2.0', id: 1, result: {} }),
      body([{ jsonrpc: '2.0', method: 'notifications/x' }]),
    ]) {
      expect(signal({ asked, urlElicitation: true })).toEqual({
        status: 400,
        headers: json,
        body: textForm(undefined, TEXT),
      })
    }
  })

  it('there is no stream, and no session to end', () => {
    for (const asked of ['GET', 'DELETE'] as const) {
      expect(signal({ asked })).toEqual({ status: 405, headers: { allow: 'POST' }, body: undefined })
    }
  })
})

describe('B3 modern clients', () => {
  const requestState = 'sealed'

  it.each(['tools/call', 'prompts/get', 'resources/read'])('%s with URL mode: input_required', (method) => {
    const asked = ask(method)
    const need = { kind: 'visit', urls: [ONE, TWO] } as const
    expect(signal({ ...modern, urlElicitation: true, asked, need, requestState })).toEqual({
      status: 200,
      headers: json,
      body: {
        jsonrpc: '2.0',
        id: 7,
        result: {
          resultType: 'input_required',
          inputRequests: {
            'authorization-1': {
              method: 'elicitation/create',
              params: { mode: 'url', url: ONE, message: `Authorization required for dev/github. ${TEXT}` },
            },
            'authorization-2': {
              method: 'elicitation/create',
              params: { mode: 'url', url: TWO, message: `Authorization required for dev/github. Please visit: ${TWO}` },
            },
          },
          requestState: 'sealed',
        },
      },
    })
    expect(signal({ ...modern, asked, requestState }).body).toEqual(textForm(7, TEXT))
    expect(signal({ ...modern, urlElicitation: true, asked, requestState, form: 'text' }).body).toEqual(
      textForm(7, TEXT),
    )
  })

  it('has no requestState that nobody gave it', () => {
    const found = signal({ ...modern, urlElicitation: true, asked: ask('tools/call') })
    expect(JSON.stringify(found.body)).not.toContain('requestState')
  })

  it.each([
    'tools/list',
    'prompts/list',
    'resources/list',
    'resources/templates/list',
    'completion/complete',
    'subscriptions/listen',
    'x/y',
  ])('%s: the text, since the revision has nothing else', (method) => {
    const found = signal({ ...modern, urlElicitation: true, asked: ask(method), requestState })
    expect(found).toEqual({ status: 200, headers: json, body: textForm(7, TEXT) })
  })

  it('server/discover is answered for a server that is modern', () => {
    const serverInfo = { name: 'sallyport', version: '1.0.0' }
    expect(signal({ ...modern, asked: ask('server/discover'), discovery: { serverInfo } })).toEqual({
      status: 200,
      headers: json,
      body: {
        jsonrpc: '2.0',
        id: 7,
        result: {
          resultType: 'complete',
          supportedVersions: ['2026-07-28'],
          capabilities: { tools: {}, prompts: {}, resources: {} },
          ttlMs: 0,
          cacheScope: 'private',
          _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
        },
      },
    })
    const capabilities = { tools: { listChanged: true } }
    expect(signal({ ...modern, asked: ask('server/discover'), discovery: { serverInfo, capabilities } })).toMatchObject(
      {
        body: { result: { capabilities: { tools: { listChanged: true } } } },
      },
    )
  })

  it('server/discover is unknown otherwise, so that the client goes back to initialize', () => {
    expect(signal({ ...modern, asked: ask('server/discover') })).toEqual({
      status: 404,
      headers: json,
      body: { jsonrpc: '2.0', id: 7, error: { code: -32601, message: 'Method not found: server/discover' } },
    })
  })

  it('never says -32042', () => {
    for (const method of ['initialize', 'tools/call', 'tools/list']) {
      for (const urlElicitation of [true, false]) {
        const found = signal({ ...modern, urlElicitation, asked: ask(method) })
        expect(JSON.stringify(found.body)).not.toContain('-32042')
      }
    }
  })
})

describe('G2 a caller that is no person', () => {
  const need = { kind: 'person' } as const
  const text = 'dev/github must be connected by a person: an owner of this virtual account.'
  const form = { jsonrpc: '2.0', id: 7, error: { code: 4012, message: `Authorization required: ${text}`, data: text } }

  it('is told so in every era, without a URL', () => {
    for (const urlElicitation of [true, false]) {
      expect(signal({ need, urlElicitation })).toEqual({ status: 200, headers: json, body: form })
      for (const method of ['tools/call', 'tools/list']) {
        expect(signal({ ...modern, need, urlElicitation, asked: ask(method) }).body).toEqual(form)
      }
    }
    expect(JSON.stringify(form)).not.toMatch(/http|Please visit/)
  })

  it('gets the same answers to everything else', () => {
    expect(signal({ need, asked: 'GET' }).status).toBe(405)
    expect(signal({ ...modern, need, asked: ask('server/discover') }).status).toBe(404)
  })
})

describe('what clients make of it', () => {
  it('the client of the seed finds the URLs', () => {
    const { body: found } = signal({ need: { kind: 'visit', urls: [ONE, TWO] } })
    const data = found !== undefined && 'error' in found ? String(found.error.data) : ''
    expect(/Please visit:\s*(.+)$/.exec(data)?.[1]?.split(' , ')).toEqual([ONE, TWO])
  })

  it('the SDK takes every form for a message, and -32042 for what it is', () => {
    const forms = [
      signal({}),
      signal({ urlElicitation: true }),
      signal({ asked: body({ jsonrpc: '2.0', method: 'notifications/x' }) }),
      signal({ ...modern, urlElicitation: true, asked: ask('tools/call'), requestState: 'x' }),
      signal({ ...modern, asked: ask('server/discover') }),
    ]
    for (const form of forms) expect(JSONRPCMessageSchema.safeParse(form.body).success).toBe(true)
    const { error } = urlForm(1, ONE)
    const seen = McpError.fromError(error.code, error.message, error.data)
    expect(seen).toBeInstanceOf(UrlElicitationRequiredError)
    expect(seen.code).toBe(ErrorCode.UrlElicitationRequired)
  })

  it('an elicitation has one id for one URL', () => {
    expect(elicitationIdOf(ONE)).toBe(elicitationIdOf(ONE))
    expect(elicitationIdOf(ONE)).not.toBe(elicitationIdOf(TWO))
    expect(elicitationIdOf(ONE)).toMatch(/^[\w-]{22}$/)
  })
})

describe('URLs that would be misread', () => {
  it.each([
    [[]],
    [['']],
    [['connect/abc']],
    [['javascript:alert(1)']],
    [['file:///etc/passwd']],
    [['https://a b.example']],
    [['https://a.example , https://evil.example']],
    [['https://a.example/\nx']],
    [['https://ä.example/']],
    [['https://']],
    [[ONE, 'x']],
  ])('%j', (urls) => {
    expect(() => signal({ need: { kind: 'visit', urls } })).toThrow(TypeError)
  })
})
