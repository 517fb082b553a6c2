/** Pages of others in the browser of somebody who may: DNS rebinding, foreign origins, preflights, forged forms (B4, B2). */
import { describe, expect, test } from 'vitest'
import { askRaw } from '../support/raw-client.ts'
import { startConsentWorld, startStub } from './attack-parts.ts'
import { ask, callTool, EVERYTHING, initialize, openSession, rpc, startWorld } from './world.ts'

describe('a name that has come to point at the gateway', () => {
  test('gets nothing: no MCP, no metadata, no consent page, no callback', async () => {
    const { world, link, notes } = await startConsentWorld({ access: [{ to: 'anonymous', on: '*' }, EVERYTHING] })
    const token = await world.jwt('alice')
    const made = new URL(await link(token))
    const port = Number(made.port)
    const callback = new URL(world.gateway.redirectUrls()[0]?.redirectUrl ?? '').pathname
    const targets: [string, string][] = [
      ['POST', '/mcp/dev/notes/server'],
      ['GET', '/mcp/dev/notes/server'],
      ['OPTIONS', '/mcp/dev/notes/server'],
      ['GET', '/.well-known/oauth-protected-resource'],
      ['GET', '/.well-known/oauth-protected-resource/mcp/dev/notes/server'],
      ['GET', made.pathname],
      ['POST', made.pathname],
      ['GET', `${callback}?state=x&code=y`],
    ]
    for (const host of [
      'evil.test',
      `evil.test:${port}`,
      'localhost.evil.test',
      '127.0.0.1.evil.test',
      '0.0.0.0',
      '10.0.0.1',
      '[::2]',
      '2130706433',
      'evil.test.',
    ]) {
      for (const [method, target] of targets) {
        const answer = await askRaw(port, {
          method,
          target,
          headers: {
            host,
            origin: `http://${host}`,
            authorization: `Bearer ${token}`,
            cookie: 'who=alice',
            'content-type': 'application/json',
            'sec-fetch-site': 'same-origin',
          },
          ...(method === 'POST' ? { body: JSON.stringify(initialize()) } : {}),
        })
        expect([host, method, target, [400, 421].includes(answer.status)]).toEqual([host, method, target, true])
        expect(answer.headers['access-control-allow-origin']).toBeUndefined()
        expect(answer.text()).not.toMatch(/authorization_servers|connect\//)
      }
    }
    expect(notes.requests).toEqual([])
    // HTTP/1.0 may leave the host out; then it is nobody's either.
    const bare = await askRaw(port, {
      method: 'POST',
      target: '/mcp/dev/notes/server',
      headers: [['host', '']],
      body: '{}',
    })
    expect([400, 421]).toContain(bare.status)
  })
})

describe('a page of another origin', () => {
  const FOREIGN = [
    'https://evil.test',
    'null',
    'file://',
    'http://127.0.0.1',
    'http://127.0.0.1:1',
    'https://127.0.0.1',
    'http://evil.127.0.0.1',
    'https://app.test.evil.test',
    'https://app.test:8443',
    'http://app.test',
    'HTTPS://APP.TEST',
    'https://app.test, https://evil.test',
    'https://app.test/',
    ' ',
  ]

  test('calls nothing and learns nothing, with a token or where none is needed; the upstream hears of nothing', async () => {
    const stub = await startStub()
    const world = await startWorld({
      servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
      access: [{ to: 'anonymous', on: '*' }],
      allowedOrigins: ['https://app.test'],
    })
    const url = world.endpoint('dev/one')
    const session = await openSession(url, undefined)
    const before = stub.requests.length
    for (const origin of FOREIGN) {
      for (const [method, body] of [['POST', callTool('ok')], ['GET'], ['DELETE'], ['OPTIONS']] as const) {
        const answer = await askRaw(Number(new URL(url).port), {
          method,
          target: new URL(url).pathname,
          headers: {
            host: new URL(url).host,
            origin,
            ...session,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'authorization, x-tfy-mcp-headers',
            'content-type': 'application/json',
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
        expect([origin, method, answer.status]).toEqual([origin, method, 403])
        const cors = Object.keys(answer.headers).filter((name) => name.startsWith('access-control-'))
        expect([origin, cors]).toEqual([origin, []])
        expect(answer.headers.vary).toContain('origin')
      }
    }
    expect(stub.requests.length).toBe(before)
    expect((await rpc(url, { headers: { origin: 'https://app.test' }, body: ask('tools/list') })).status).toBe(200)
  })

  test('gets by without a preflight in no way: forms and plain text are no messages', async () => {
    const stub = await startStub()
    const world = await startWorld({
      servers: { 'dev/one': { url: stub.url, auth: { type: 'none' } } },
      access: [{ to: 'anonymous', on: '*' }],
    })
    const body = JSON.stringify(callTool('ok'))
    // Some browsers and tools send no Origin with a form.
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      '',
      'text/plain; application/json',
      'application/jsonx',
      'x/application/json',
    ]) {
      const answer = await rpc(world.endpoint('dev/one'), { headers: { 'content-type': type }, body })
      expect([type, answer.status]).toEqual([type, 415])
    }
    expect(stub.requests).toEqual([])
  })

  test('does not press the button of a consent, whatever it says of itself', async () => {
    const { world, link, browserOf, provider } = await startConsentWorld({ allowedOrigins: ['https://app.test'] })
    const made = await link(await world.jwt('alice'))
    const alice = browserOf('alice')
    const page = await alice.load(made)
    for (const headers of [
      { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' },
      { origin: 'null', 'sec-fetch-site': 'cross-site' },
      { origin: 'https://app.test', 'sec-fetch-site': 'same-site' },
      { origin: undefined, 'sec-fetch-site': 'cross-site' },
      { origin: undefined, 'sec-fetch-site': 'same-site' },
      { origin: undefined, 'sec-fetch-site': undefined },
      { origin: world.origin.replace('127.0.0.1', 'localhost') },
      { origin: `${world.origin}.evil.test` },
    ]) {
      const pressed = await alice.submit(page, {}, { headers })
      expect([JSON.stringify(headers), pressed.status]).toEqual([JSON.stringify(headers), 400])
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      expect((await alice.load(made, { method })).status).toBeGreaterThanOrEqual(400)
    }
    expect(provider.asked.filter(({ path }) => path === '/authorize')).toEqual([])
    expect((await alice.submit(page, {})).status).toBe(200)
  })

  test('sends nobody elsewhere by way of a consent: the way back is what the application said', async () => {
    const { world } = await startConsentWorld()
    const who = { authorization: `Bearer ${await world.jwt('alice')}` }
    for (const returnTo of [
      'javascript:alert(1)',
      'data:text/html,x',
      '//evil.test/',
      '\\\\evil.test',
      'ftp://evil.test/',
      'app.test',
      '',
    ]) {
      await expect(
        world.gateway.connections.connectUrl({ server: 'dev/notes', who, returnTo }).then((made) => {
          throw new Error(`made ${made} for ${returnTo}`)
        }),
      ).rejects.toBeInstanceOf(TypeError)
    }
  })
})
