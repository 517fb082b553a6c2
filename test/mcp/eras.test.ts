/** Which revision a request speaks, and what is said of those that do not speak it well. */
import { describe, expect, it } from 'vitest'
import {
  type EraContext,
  eraOf,
  eraWithoutBody,
  type HeaderFields,
  META,
  missingCapability,
  takesUrlElicitation,
} from '../../src/mcp/eras.ts'
import { JsonRpcCode, McpCode } from '../../src/mcp/error-codes.ts'
import { parseMessages } from '../../src/mcp/messages.ts'

const NOW = '2026-07-28'
const { INVALID_REQUEST, INVALID_PARAMS } = JsonRpcCode
const { HEADER_MISMATCH, UNSUPPORTED_PROTOCOL_VERSION } = McpCode

const decide = (sent: unknown, headers: HeaderFields = {}, context: EraContext = {}) => {
  const body = parseMessages(Buffer.from(JSON.stringify(sent)))
  if (body.kind === 'problem') throw new Error(body.response.error.message)
  return eraOf(body, headers, context)
}
const request = (method: string, params?: object, id = 1) => ({ jsonrpc: '2.0', id, method, params })
const notification = (method: string, params?: object) => ({ jsonrpc: '2.0', method, params })
const meta = (version: unknown = NOW, capabilities: unknown = {}) => ({
  _meta: { [META.protocolVersion]: version, [META.clientCapabilities]: capabilities },
})
const call = (name = 'get_weather') => request('tools/call', { name, ...meta() })
const modernHeaders = (method: string, name?: string): HeaderFields => ({
  'mcp-protocol-version': NOW,
  'mcp-method': method,
  ...(name === undefined ? {} : { 'mcp-name': name }),
})

describe('B6 legacy eras', () => {
  it.each<[string, unknown, HeaderFields, EraContext, string]>([
    ['no version at all', request('tools/list'), {}, {}, '2025-03-26'],
    ['the version of the session', request('tools/list'), {}, { sessionRevision: '2025-11-25' }, '2025-11-25'],
    ['the header field', request('tools/list'), { 'mcp-protocol-version': '2025-06-18' }, {}, '2025-06-18'],
    [
      'the header field before the session',
      request('tools/list'),
      { 'mcp-protocol-version': '2025-06-18' },
      { sessionRevision: '2025-11-25' },
      '2025-06-18',
    ],
    ['space around it', request('ping'), { 'mcp-protocol-version': ' 2025-11-25 ' }, {}, '2025-11-25'],
    ['older than Streamable HTTP', request('ping'), { 'mcp-protocol-version': '2024-11-05' }, {}, '2024-11-05'],
    ['a notification', notification('notifications/x', {}), { 'mcp-protocol-version': '2025-11-25' }, {}, '2025-11-25'],
    ['a response', { jsonrpc: '2.0', id: 1, result: {} }, { 'mcp-protocol-version': '2025-11-25' }, {}, '2025-11-25'],
    ['a response without a version', { jsonrpc: '2.0', id: 1, result: {} }, {}, {}, '2025-03-26'],
    ['a batch', [request('ping')], {}, {}, '2025-03-26'],
    [
      'a batch by header field',
      [request('ping')],
      { 'mcp-protocol-version': '2025-03-26' },
      { sessionRevision: '2025-11-25' },
      '2025-03-26',
    ],
    ['a batch of responses', [{ jsonrpc: '2.0', id: 1, result: {} }], {}, {}, '2025-03-26'],
    [
      'a legacy version in _meta',
      request('ping', meta('2025-11-25')),
      { 'mcp-protocol-version': '2025-11-25' },
      {},
      '2025-11-25',
    ],
    ['_meta for other things', request('ping', { _meta: { progressToken: 1 } }), {}, {}, '2025-03-26'],
    [
      'headers of the other era',
      request('tools/call', { name: 'x' }),
      { 'mcp-method': 'ping', 'mcp-name': 'y' },
      {},
      '2025-03-26',
    ],
  ])('%s', (_, sent, headers, context, revision) => {
    expect(decide(sent, headers, context)).toEqual({ kind: 'era', era: 'legacy', revision, capabilities: undefined })
  })

  it.each<[unknown, string]>([
    ['2025-11-25', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2025-03-26', '2025-03-26'],
    ['2024-11-05', '2024-11-05'],
    [NOW, '2025-11-25'],
    ['2027-01-01', '2025-11-25'],
    ['2024-10-07', '2025-03-26'],
    ['1.0', '2025-03-26'],
    [undefined, '2025-03-26'],
    [20251125, '2025-03-26'],
  ])('initialize for %j is %s', (protocolVersion, revision) => {
    const capabilities = { elicitation: { url: {} } }
    const sent = request('initialize', { protocolVersion, capabilities })
    expect(decide(sent)).toEqual({ kind: 'era', era: 'legacy', revision, capabilities })
    expect(decide(sent, { 'mcp-protocol-version': '2025-11-25' })).toMatchObject({ revision })
    // 2025-06-18: the header field is for requests that come after, so one that nobody knows does not matter here.
    expect(decide(sent, { 'mcp-protocol-version': 'x' })).toMatchObject({ revision })
  })

  it('initialize with _meta that does not make it modern', () => {
    const params = { protocolVersion: '2025-11-25' }
    for (const _meta of [
      {},
      { [META.protocolVersion]: NOW },
      meta('2025-11-25')._meta,
      meta(1)._meta,
      meta(NOW, [])._meta,
    ]) {
      expect(decide(request('initialize', { ...params, _meta }))).toMatchObject({
        era: 'legacy',
        revision: '2025-11-25',
      })
    }
  })

  it('initialize with capabilities that are none', () => {
    expect(decide(request('initialize', { protocolVersion: '2025-11-25', capabilities: [] }))).toMatchObject({
      capabilities: undefined,
    })
  })

  it('requests without a body', () => {
    expect(eraWithoutBody({ 'mcp-protocol-version': '2025-11-25' })).toMatchObject({
      era: 'legacy',
      revision: '2025-11-25',
    })
    expect(eraWithoutBody({}, { sessionRevision: '2025-06-18' })).toMatchObject({ revision: '2025-06-18' })
    expect(eraWithoutBody({})).toMatchObject({ revision: '2025-03-26' })
    expect(eraWithoutBody({ 'mcp-protocol-version': NOW })).toMatchObject({ kind: 'problem', status: 405 })
    expect(eraWithoutBody({ 'mcp-protocol-version': '1.0' })).toMatchObject({ kind: 'problem', status: 400 })
  })
})

describe('B6 the modern era', () => {
  const modern = (capabilities: object = {}) => ({ kind: 'era', era: 'modern', revision: NOW, capabilities })

  it.each<[string, unknown, HeaderFields]>([
    ['tools/call', call(), modernHeaders('tools/call', 'get_weather')],
    ['prompts/get', request('prompts/get', { name: 'x', ...meta() }), modernHeaders('prompts/get', 'x')],
    [
      'resources/read',
      request('resources/read', { uri: 'file:///a b', ...meta() }),
      modernHeaders('resources/read', 'file:///a b'),
    ],
    ['a name in base64', call('Hello, 世界'), modernHeaders('tools/call', '=?base64?SGVsbG8sIOS4lueVjA==?=')],
    ['a name in base64 without need', call('us-west1'), modernHeaders('tools/call', '=?base64?dXMtd2VzdDE=?=')],
    ['a name with space around it', call('x'), modernHeaders('tools/call', '  x\t')],
    ['a list', request('tools/list', meta()), modernHeaders('tools/list')],
    ['a list with a name that means nothing', request('tools/list', meta()), modernHeaders('tools/list', 'x')],
    ['server/discover', request('server/discover', meta()), modernHeaders('server/discover')],
    ['initialize, which then is unknown', request('initialize', meta()), modernHeaders('initialize')],
    ['a method of an extension', request('com.example/x', meta()), modernHeaders('com.example/x')],
    ['tasks/get', request('tasks/get', { taskId: 't', ...meta() }), modernHeaders('tasks/get', 't')],
    ['tasks/get without a name', request('tasks/get', { taskId: 't', ...meta() }), modernHeaders('tasks/get')],
    ['a call without a name', request('tools/call', meta()), modernHeaders('tools/call')],
    ['a notification', notification('notifications/x', {}), { 'mcp-protocol-version': NOW }],
    ['a notification with _meta', notification('notifications/x', { _meta: { [META.protocolVersion]: NOW } }), {}],
  ])('%s', (_, sent, headers) => {
    expect(decide(sent, headers)).toEqual(modern())
  })

  it('says what the client declares', () => {
    const capabilities = { elicitation: { url: {} }, extensions: {} }
    expect(decide(request('tools/list', meta(NOW, capabilities)), modernHeaders('tools/list'))).toEqual(
      modern(capabilities),
    )
  })

  it.each<[string, unknown, HeaderFields, number]>([
    // 2026-07-28, Per-request protocol fields.
    ['no _meta', request('tools/list'), modernHeaders('tools/list'), INVALID_PARAMS],
    ['_meta that is a list', request('tools/list', { _meta: [] }), modernHeaders('tools/list'), INVALID_PARAMS],
    [
      '_meta without a version',
      request('tools/list', { _meta: { [META.clientCapabilities]: {} } }),
      modernHeaders('tools/list'),
      INVALID_PARAMS,
    ],
    ['a version that is no text', request('tools/list', meta(1)), modernHeaders('tools/list'), INVALID_PARAMS],
    ['a version that is null', request('tools/list', meta(null)), modernHeaders('tools/list'), INVALID_PARAMS],
    [
      '_meta without capabilities',
      request('tools/list', { _meta: { [META.protocolVersion]: NOW } }),
      modernHeaders('tools/list'),
      INVALID_PARAMS,
    ],
    ['capabilities that are a list', request('tools/list', meta(NOW, [])), modernHeaders('tools/list'), INVALID_PARAMS],
    // 2026-07-28, Server Validation.
    ['no version field', call(), { 'mcp-method': 'tools/call', 'mcp-name': 'get_weather' }, HEADER_MISMATCH],
    [
      'another version field',
      call(),
      { ...modernHeaders('tools/call', 'get_weather'), 'mcp-protocol-version': '2025-11-25' },
      HEADER_MISMATCH,
    ],
    [
      'two version fields',
      call(),
      { ...modernHeaders('tools/call', 'get_weather'), 'mcp-protocol-version': `${NOW}, ${NOW}` },
      HEADER_MISMATCH,
    ],
    [
      'a list of version fields',
      call(),
      { ...modernHeaders('tools/call', 'get_weather'), 'mcp-protocol-version': [NOW, NOW] },
      HEADER_MISMATCH,
    ],
    [
      'initialize with a modern field',
      request('initialize', { protocolVersion: NOW }),
      { 'mcp-protocol-version': NOW },
      HEADER_MISMATCH,
    ],
    [
      'a version in _meta that differs',
      request('server/discover', meta('v999.0.0')),
      modernHeaders('server/discover'),
      HEADER_MISMATCH,
    ],
    [
      'a legacy version in _meta that differs',
      request('ping', meta('2025-11-25')),
      modernHeaders('ping'),
      HEADER_MISMATCH,
    ],
    ['no method field', request('tools/list', meta()), { 'mcp-protocol-version': NOW }, HEADER_MISMATCH],
    ['another method', request('tools/list', meta()), modernHeaders('prompts/list'), HEADER_MISMATCH],
    ['a method in other case', request('tools/list', meta()), modernHeaders('TOOLS/LIST'), HEADER_MISMATCH],
    ['no name field', call(), modernHeaders('tools/call'), HEADER_MISMATCH],
    ['another name', call(), modernHeaders('tools/call', 'wrong'), HEADER_MISMATCH],
    ['a name in other case', call('x'), modernHeaders('tools/call', 'X'), HEADER_MISMATCH],
    ['a name that the body has not', request('tools/call', meta()), modernHeaders('tools/call', 'x'), HEADER_MISMATCH],
    [
      'a name where the body has a number',
      request('tools/call', { name: 1, ...meta() }),
      modernHeaders('tools/call', '1'),
      HEADER_MISMATCH,
    ],
    [
      'the name of a resource',
      request('resources/read', { name: 'x', uri: 'y', ...meta() }),
      modernHeaders('resources/read', 'x'),
      HEADER_MISMATCH,
    ],
    ['base64 that is not canonical', call('x'), modernHeaders('tools/call', '=?base64?eA?='), HEADER_MISMATCH],
    [
      'base64 that is not decoded',
      call('=?base64?eA==?='),
      modernHeaders('tools/call', '=?base64?eA==?='),
      HEADER_MISMATCH,
    ],
    ['bytes that may not be there', call('café'), modernHeaders('tools/call', 'cafÃ©'), HEADER_MISMATCH],
    [
      'another task',
      request('tasks/cancel', { taskId: 't', ...meta() }),
      modernHeaders('tasks/cancel', 'u'),
      HEADER_MISMATCH,
    ],
    [
      'a notification of another method',
      notification('notifications/x', {}),
      modernHeaders('notifications/y'),
      HEADER_MISMATCH,
    ],
    [
      'a notification of another version',
      notification('notifications/x', meta()),
      { 'mcp-protocol-version': '2025-11-25' },
      HEADER_MISMATCH,
    ],
    // Messages that the era has not.
    ['a response', { jsonrpc: '2.0', id: 1, result: {} }, { 'mcp-protocol-version': NOW }, INVALID_REQUEST],
    ['a batch', [request('tools/list', meta())], modernHeaders('tools/list'), INVALID_REQUEST],
    ['a batch by _meta', [request('ping'), request('tools/list', meta(), 2)], {}, INVALID_REQUEST],
    ['a batch by header field', [request('ping')], { 'mcp-protocol-version': NOW }, INVALID_REQUEST],
    ['a batch in 2025-06-18', [request('ping')], { 'mcp-protocol-version': '2025-06-18' }, INVALID_REQUEST],
    ['a batch of one in 2025-11-25', [request('ping')], { 'mcp-protocol-version': '2025-11-25' }, INVALID_REQUEST],
    ['initialize in a batch', [request('initialize', { protocolVersion: '2025-03-26' })], {}, INVALID_REQUEST],
  ])('%s: 400', (_, sent, headers, code) => {
    const found = decide(sent, headers)
    expect(found).toMatchObject({ kind: 'problem', status: 400, response: { jsonrpc: '2.0', error: { code } } })
    const asked = Array.isArray(sent) ? undefined : (sent as { method?: string; id?: number })
    const id = asked?.method === undefined ? undefined : asked.id
    expect(found.kind === 'problem' && found.response.id).toBe(id)
  })

  it('a batch in a session that has none', () => {
    expect(decide([request('ping')], {}, { sessionRevision: '2025-11-25' })).toMatchObject({
      kind: 'problem',
      response: { error: { code: INVALID_REQUEST } },
    })
  })
})

describe('B6 versions that are not spoken', () => {
  const refused = (requested: string, supported: string[]) => ({
    kind: 'problem',
    status: 400,
    response: {
      jsonrpc: '2.0',
      id: 1,
      error: {
        code: UNSUPPORTED_PROTOCOL_VERSION,
        message: `Unsupported protocol version: ${requested}`,
        data: { supported, requested },
      },
    },
  })
  const all = [NOW, '2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05']

  it.each(['v999.0.0', '2027-01-01', '1900-01-01', '2024-10-07', ''])('%j in _meta', (version) => {
    const sent = request('server/discover', { _meta: { [META.protocolVersion]: version } })
    expect(decide(sent, { 'mcp-protocol-version': version })).toEqual(refused(version, [NOW]))
  })

  it.each(['v999.0.0', '1900-01-01', '2024-10-07', '', '2025-11-25, 2025-11-25'])(
    '%j in the header field',
    (version) => {
      expect(decide(request('tools/list'), { 'mcp-protocol-version': version })).toEqual(refused(version, all))
    },
  )

  it('is quoted in part where it is long', () => {
    const version = 'v'.repeat(5_000)
    expect(decide(request('tools/list'), { 'mcp-protocol-version': version })).toEqual(
      refused(version.slice(0, 100), all),
    )
  })

  it('says what the server behind speaks, where that is known', () => {
    const sent = request('tools/list', meta())
    expect(decide(sent, modernHeaders('tools/list'), { modernRevisions: [NOW] })).toMatchObject({ era: 'modern' })
    expect(decide(sent, modernHeaders('tools/list'), { modernRevisions: ['2027-01-01'] })).toEqual(
      refused(NOW, ['2027-01-01']),
    )
    expect(decide(sent, modernHeaders('tools/list'), { modernRevisions: [] })).toEqual(refused(NOW, all.slice(1)))
    expect(decide(request('ping'), { 'mcp-protocol-version': 'x' }, { modernRevisions: [] })).toEqual(
      refused('x', all.slice(1)),
    )
  })
})

describe('capabilities', () => {
  it.each<[string, Record<string, unknown> | undefined, boolean]>([
    ['2025-11-25', { elicitation: { url: {} } }, true],
    ['2025-11-25', { elicitation: { form: {}, url: {} } }, true],
    [NOW, { elicitation: { url: {} } }, true],
    ['2025-06-18', { elicitation: { url: {} } }, false],
    ['2025-03-26', { elicitation: { url: {} } }, false],
    ['2025-11-25', { elicitation: {} }, false],
    ['2025-11-25', { elicitation: { form: {} } }, false],
    [NOW, { elicitation: { url: true } }, false],
    [NOW, { elicitation: [] }, false],
    [NOW, {}, false],
    [NOW, undefined, false],
  ])('%s %j: URL mode %s', (revision, capabilities, takes) => {
    expect(takesUrlElicitation(revision, capabilities)).toBe(takes)
  })

  it('that are missing are named', () => {
    expect(missingCapability(3, { elicitation: { url: {} } })).toEqual({
      kind: 'problem',
      status: 400,
      response: {
        jsonrpc: '2.0',
        id: 3,
        error: {
          code: -32021,
          message: 'Missing required client capabilities: elicitation',
          data: { requiredCapabilities: { elicitation: { url: {} } } },
        },
      },
    })
  })
})
