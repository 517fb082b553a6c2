import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AdmissionSettings,
  allowedHostProblem,
  allowedOriginProblem,
  createAdmission,
  withHeaders,
} from '../../src/gateway/admission.ts'
import { askRaw } from '../support/raw-client.ts'
import { startDoors } from './doors.ts'

const GW = 'https://gw.example.com'
const MCP = '/mcp/dev/github/server'

interface Asked {
  readonly host?: string
  readonly method?: string
  readonly headers?: Record<string, string>
}

function judge(asked: Asked, settings: Partial<AdmissionSettings> = {}) {
  const { host = 'gw.example.com', method = 'POST', headers = {} } = asked
  return createAdmission({ url: GW, ...settings }).endpoint({ method, headers }, { host }, 7)
}
const withOrigin = (origin: string, settings: Partial<AdmissionSettings> = {}) =>
  judge({ headers: { origin } }, settings)

describe('B4 a request for a host', () => {
  it.each<[string, Partial<AdmissionSettings>]>([
    ['gw.example.com', {}],
    ['gw.internal', { allowedHosts: ['other.internal', 'gw.internal'] }],
    ['gw.internal', { allowedHosts: ['GW.Internal.'] }],
    ['a.apps.example.com', { allowedHosts: ['*.apps.example.com'] }],
    ['10.0.0.7', { allowedHosts: ['10.0.0.7'] }],
    ['localhost', { url: 'http://localhost:3000' }],
    ['127.0.0.1', { url: 'http://localhost:3000' }],
    ['[::1]', { url: 'http://localhost:3000' }],
    ['localhost', { url: 'http://[::1]:3000' }],
  ])('%s is let in with %j', (host, settings) => {
    expect(judge({ host }, settings).kind).toBe('admitted')
    expect(createAdmission({ url: GW, ...settings }).host({ host })).toBeUndefined()
  })

  it.each<[string, Partial<AdmissionSettings>]>([
    ['evil.test', {}],
    ['', {}],
    ['localhost', {}],
    ['127.0.0.1', {}],
    ['xgw.example.com', {}],
    ['gw.example.com.evil.test', {}],
    ['a.gw.example.com', {}],
    ['apps.example.com', { allowedHosts: ['*.apps.example.com'] }],
    ['a.b.apps.example.com', { allowedHosts: ['*.apps.example.com'] }],
    ['127.0.0.2', { url: 'http://localhost:3000' }],
  ])('%j is misdirected with %j: 421', (host, settings) => {
    const found = judge({ host, headers: { origin: GW } }, settings)
    expect(found).toMatchObject({ kind: 'refused', reason: 'host', reply: { status: 421 } })
    if (found.kind !== 'refused') return
    expect(JSON.parse(String(found.reply.body))).toEqual({
      jsonrpc: '2.0',
      id: 7,
      error: { code: 4030, message: 'This host is not served here' },
    })
    expect(found.detail).toContain(JSON.stringify(host))
    expect(found.reply.headers).not.toHaveProperty('access-control-allow-origin')
    expect(judge({ host, method: 'OPTIONS', headers: { origin: GW } }, settings).kind).toBe('refused')
  })
})

describe('B4 a request of a page', () => {
  const allowedOrigins = ['https://app.example.com', 'http://localhost:6274', 'vscode-webview://0a1b']

  it.each<[string, Partial<AdmissionSettings>]>([
    [GW, {}],
    ['https://app.example.com', { allowedOrigins }],
    ['http://localhost:6274', { allowedOrigins }],
    ['vscode-webview://0a1b', { allowedOrigins }],
    ['http://localhost:3000', { url: 'http://127.0.0.1:3000' }],
    ['http://[::1]:3000', { url: 'http://127.0.0.1:3000' }],
    ['http://127.0.0.1:3000', { url: 'http://[::1]:3000' }],
  ])('of %s is let in with %j, and the page may read the answer', (origin, settings) => {
    const host = new URL(settings.url ?? GW).hostname
    expect(judge({ host, headers: { origin } }, settings)).toEqual({
      kind: 'admitted',
      headers: {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'mcp-session-id, mcp-protocol-version, www-authenticate, retry-after',
        vary: 'origin',
      },
    })
  })

  it.each([
    'null',
    '',
    '*',
    'https://evil.test',
    'http://gw.example.com',
    'https://gw.example.com:8443',
    'https://gw.example.com/',
    'https://gw.example.com.evil.test',
    'https://x@gw.example.com',
    'HTTPS://GW.EXAMPLE.COM',
    'https://gw.example.com, https://gw.example.com',
    'https://app.example.com https://evil.test',
    'vscode-webview://other',
    'constructor',
  ])('of %j is refused: 403, and the page cannot read it', (origin) => {
    for (const method of ['POST', 'GET', 'DELETE', 'OPTIONS']) {
      const found = judge({ method, headers: { origin } }, { allowedOrigins })
      expect(found).toMatchObject({ kind: 'refused', reason: 'origin', reply: { status: 403 } })
      if (found.kind !== 'refused') return
      expect(JSON.parse(String(found.reply.body))).toMatchObject({ id: 7, error: { code: 4030 } })
      expect(Object.keys(found.reply.headers ?? {}).filter((name) => name.startsWith('access-control-'))).toEqual([])
      expect(found.detail).toContain(JSON.stringify(origin))
    }
  })

  it('of no page at all is let in; a cache must not mix the answers up', () => {
    expect(judge({})).toEqual({ kind: 'admitted', headers: { vary: 'origin' } })
  })

  it('that this machine has another port for is another page', () => {
    const settings = { url: 'http://localhost:3000' }
    expect(judge({ host: 'localhost', headers: { origin: 'http://localhost:3001' } }, settings).kind).toBe('refused')
    expect(judge({ host: 'localhost', headers: { origin: 'https://localhost:3000' } }, settings).kind).toBe('refused')
  })

  it('whatever it says of itself, is let in only where that is on the list', () => {
    const origin = fc.oneof(fc.string({ maxLength: 30 }), fc.webUrl(), fc.constantFrom(GW, ...allowedOrigins))
    fc.assert(
      fc.property(origin, (each) => {
        const found = withOrigin(each, { allowedOrigins })
        expect(found.kind === 'admitted').toBe([GW, ...allowedOrigins].includes(each))
      }),
    )
  })

  it('never gets to use cookies', () => {
    for (const method of ['POST', 'OPTIONS']) {
      const found = judge({ method, headers: { origin: GW } })
      expect(JSON.stringify(found)).not.toContain('credentials')
    }
  })
})

describe('B6 a preflight', () => {
  function preflight(wanted: string | undefined, origin = GW): Record<string, unknown> {
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      ...(wanted === undefined ? {} : { 'access-control-request-headers': wanted }),
    }
    const found = judge({ method: 'OPTIONS', headers })
    if (found.kind !== 'answered') throw new Error(found.kind)
    return { status: found.reply.status, body: found.reply.body, ...found.reply.headers }
  }
  const allowed = (wanted?: string) => String(preflight(wanted)['access-control-allow-headers']).split(', ')

  it('allows what clients of all revisions send', () => {
    expect(preflight(undefined)).toMatchObject({
      status: 204,
      body: undefined,
      'access-control-allow-origin': GW,
      'access-control-allow-methods': 'GET, POST, DELETE',
      'access-control-max-age': '600',
      vary: 'origin, access-control-request-headers',
    })
    expect(allowed()).toEqual(
      expect.arrayContaining([
        'authorization',
        'content-type',
        'last-event-id',
        'mcp-method',
        'mcp-name',
        'mcp-protocol-version',
        'mcp-session-id',
        'x-tfy-mcp-headers',
      ]),
    )
  })

  it('allows parameters of tools by their names', () => {
    expect(allowed('content-type,Mcp-Param-Region, mcp-param-a.b ,mcp-param-region')).toEqual([
      ...allowed(),
      'mcp-param-region',
      'mcp-param-a.b',
    ])
  })

  it.each([
    'cookie',
    'x-other',
    'mcp-param-',
    'mcp-param-a b',
    'mcp-param-a\r\nset-cookie: x',
    'mcp-param-é',
    '*',
    `mcp-param-${'x'.repeat(129)}`,
  ])('allows nothing else: %j', (wanted) => expect(allowed(wanted)).toEqual(allowed()))

  it('is no longer than is needed, however much is asked for', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `mcp-param-${index}`).join(',')
    expect(allowed(many)).toHaveLength(allowed().length + 64)
  })

  it('echoes tokens only, whatever is asked for', () => {
    const wanted = fc
      .array(
        fc.oneof(
          fc.string(),
          fc.string().map((name) => `mcp-param-${name}`),
        ),
      )
      .map((names) => names.join(','))
    fc.assert(
      fc.property(wanted, (each) => {
        for (const name of allowed(each)) expect(name).toMatch(/^[!#$%&'*+.^_`|~\w-]+$/)
      }),
    )
  })

  it('without an origin is the question which methods there are', () => {
    const found = judge({ method: 'OPTIONS' })
    expect(found).toEqual({
      kind: 'answered',
      reply: { status: 204, headers: { allow: 'GET, POST, DELETE, OPTIONS', vary: 'origin' } },
    })
  })
})

describe('B4 fields of an answer', () => {
  it('keep what was there, and both reasons to vary', () => {
    const cors = { 'access-control-allow-origin': GW, vary: 'origin' }
    const reply = { status: 401, headers: { 'www-authenticate': 'Bearer', vary: 'accept' }, body: 'x' }
    expect(withHeaders(reply, cors)).toEqual({
      status: 401,
      headers: { 'www-authenticate': 'Bearer', 'access-control-allow-origin': GW, vary: 'accept, origin' },
      body: 'x',
    })
    expect(withHeaders({ status: 200, headers: { vary: ['accept', 'origin'] } }, cors).headers?.vary).toBe(
      'accept, origin',
    )
    expect(withHeaders({ status: 204 }, {})).toEqual({ status: 204, headers: {} })
  })
})

describe('B4 on a real server', () => {
  const ask = (origin: string, method: string, target: string, headers: [string, string][]) =>
    askRaw(Number(new URL(origin).port), { method, target, headers })

  it('a name that has come to point here gets nothing, metadata and preflights included', async () => {
    const { origin } = await startDoors()
    const host: [string, string] = ['Host', 'rebound.evil.test']
    for (const [method, target] of [
      ['POST', MCP],
      ['GET', MCP],
      ['OPTIONS', MCP],
      ['GET', `/.well-known/oauth-protected-resource${MCP}`],
    ] as const) {
      const answer = await ask(origin, method, target, [host, ['Origin', 'http://rebound.evil.test']])
      expect(answer.status).toBe(421)
    }
  })

  it('a page that may call reads the challenge; another one gets no further than 403', async () => {
    const page = 'https://app.example.com'
    const { origin } = await startDoors({ admission: { allowedOrigins: [page] } })
    const answer = await fetch(`${origin}${MCP}`, { method: 'POST', headers: { origin: page } })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([401, page])
    expect(answer.headers.get('access-control-expose-headers')).toContain('www-authenticate')
    expect(answer.headers.get('vary')).toBe('origin')
    const refused = await fetch(`${origin}${MCP}`, { method: 'POST', headers: { origin: 'https://evil.test' } })
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([403, null])
  })

  it('an origin that comes twice is none', async () => {
    const { origin } = await startDoors()
    const host: [string, string] = ['Host', new URL(origin).host]
    const answer = await ask(origin, 'POST', MCP, [host, ['Origin', origin], ['Origin', 'https://evil.test']])
    expect(answer.status).toBe(403)
    const alone = await ask(origin, 'POST', MCP, [host, ['Origin', origin]])
    expect(alone.status).toBe(401)
  })
})

describe('B4 in a configuration', () => {
  it.each(['gw.internal', '*.apps.example.com', '10.0.0.7', '[::1]', 'GW.Internal'])('%s is a host', (host) => {
    expect(allowedHostProblem(host)).toBeUndefined()
    expect(() => createAdmission({ url: GW, allowedHosts: [host] })).not.toThrow()
  })

  it.each([
    ['gw.internal:8080', 'leave the port out'],
    ['gw.internal/x', 'a host has no path'],
    ['https://gw.internal', 'is a URL'],
    ['*', 'the star must be the whole first label'],
    ['', 'is not a host name'],
    ['a b', 'is not a host name'],
  ])('%j is none: %s', (host, message) => expect(allowedHostProblem(host)).toContain(message))

  it.each([
    'https://app.example.com',
    'http://localhost:6274',
    'vscode-webview://0a1b',
    'tauri://localhost',
    'app://obsidian.md',
  ])('%s is an origin', (origin) => expect(allowedOriginProblem(origin)).toBeUndefined())

  it.each([
    ['*', 'stands for anybody'],
    ['null', 'stands for anybody'],
    ['https://app.example.com/', 'did you mean "https://app.example.com"?'],
    ['https://APP.example.com', 'did you mean "https://app.example.com"?'],
    ['https://app.example.com:443', 'did you mean "https://app.example.com"?'],
    ['https://app.example.com/x?y', 'did you mean "https://app.example.com"?'],
    ['https://*.example.com', 'is not an origin'],
    ['app.example.com', 'is not an origin'],
    ['file:///x', 'is not an origin'],
    ['app://*', 'is not an origin'],
    ['', 'is not an origin'],
  ])('%j is none: %s', (origin, message) => expect(allowedOriginProblem(origin)).toContain(message))
})
