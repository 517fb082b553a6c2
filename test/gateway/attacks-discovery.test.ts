/** Authorization servers whose documents lead astray: into this network, to another issuer, or to nowhere (G8, B5). */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { done, startConsentWorld, startStub } from './attack-parts.ts'
import { ask, rpc } from './world.ts'

/** An authorization server that says of itself what a test wants. */
async function startLiar(answer: (request: IncomingMessage, response: ServerResponse, origin: string) => void) {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(request.url ?? '')
    answer(request, response, origin)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin, asked }
}

function json(response: ServerResponse, body: object): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** What becomes of pressing the button of a consent there, and what the audit says. */
async function press(issuer: string) {
  const { world, url, link, browserOf } = await startConsentWorld({
    auth: { issuer, clientId: 'gateway', clientSecret: 'a-secret-of-the-gateway-0123456789' },
  })
  const token = await world.jwt('alice')
  const alice = browserOf('alice')
  const page = await alice.submit(await alice.load(await link(token)), {}, { follow: false })
  const told = world.audits.find((event) => event.type === 'connection' && event.kind === 'consent_failed')
  expect((await rpc(url, { token, body: ask('ping') })).json.error.code).toBe(4011)
  return { page, detail: told?.type === 'connection' ? (told.detail ?? '') : '' }
}

const ENDPOINTS = (origin: string) => ({
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  response_types_supported: ['code'],
  code_challenge_methods_supported: ['S256'],
})

describe('metadata', () => {
  test('of another issuer is not believed, and nobody is sent to what it names', async () => {
    const victim = await startStub()
    for (const issuer of ['https://login.example.com', victim.url, '', null]) {
      const liar = await startLiar((_, response) =>
        json(response, { ...ENDPOINTS(`http://127.0.0.1:${victim.port}`), issuer }),
      )
      const { page } = await press(liar.origin)
      expect([issuer, page.status, page.headers.location]).toEqual([issuer, 503, undefined])
    }
    expect(victim.requests).toEqual([])
  })

  test('that redirects into this network, or in circles, leads nowhere', async () => {
    for (const location of [
      'http://10.0.0.1/latest/meta-data',
      'http://169.254.169.254/latest/meta-data',
      'http://[fd00:ec2::254]/latest',
      'http://0.0.0.0/',
      'http://[::ffff:169.254.169.254]/',
      'http://2852039166/',
      'file:///etc/passwd',
      '/again',
    ]) {
      const liar = await startLiar((_, response) => void response.writeHead(302, { location }).end())
      const { page, detail } = await press(liar.origin)
      expect([location, page.status]).toEqual([location, 503])
      expect(detail).toMatch(/address|redirect/)
      expect(liar.asked.length).toBeLessThanOrEqual(8)
    }
  })

  test('whose endpoints are in this network, or no places at all, is refused before anything is sent there', async () => {
    for (const authorization of [
      'javascript:alert(1)',
      'http://login.example.com/authorize',
      'data:text/html,x',
      '//x',
      7,
    ]) {
      const liar = await startLiar((_, response, origin) =>
        json(response, { ...ENDPOINTS(origin), authorization_endpoint: authorization }),
      )
      const { page } = await press(liar.origin)
      expect([authorization, page.status, page.headers.location]).toEqual([authorization, 503, undefined])
    }
    for (const token of [
      'http://10.0.0.1/token',
      'http://169.254.169.254/token',
      'ftp://x/',
      'http://login.example.com/',
    ]) {
      const liar = await startLiar((_, response, origin) =>
        json(response, { ...ENDPOINTS(origin), token_endpoint: token }),
      )
      const { page } = await press(liar.origin)
      expect([token, page.status]).toEqual([token, 503])
    }
  })

  test('without end, or that is none, is given up', async () => {
    const bodies: ((response: ServerResponse) => void)[] = [
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(' '.repeat(2_000_000)),
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('[]'),
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('null'),
      (response) => void response.destroy(),
    ]
    for (const body of bodies) {
      const liar = await startLiar((_, response) => body(response))
      expect((await press(liar.origin)).page.status).toBe(503)
    }
  })
})

describe('a token endpoint', () => {
  /** Goes through a consent whose code is redeemed at `token`. */
  async function redeemAt(
    token: (request: IncomingMessage, response: ServerResponse, origin: string) => void,
    at?: string,
  ) {
    const liar = await startLiar((request, response, origin) => {
      const { pathname, searchParams } = new URL(request.url ?? '', origin)
      if (pathname === '/token') return token(request, response, origin)
      if (pathname !== '/authorize') return json(response, { ...ENDPOINTS(origin), ...(at && { token_endpoint: at }) })
      const back = new URL(searchParams.get('redirect_uri') ?? '')
      back.search = String(new URLSearchParams({ code: 'a-code-0123456789', state: searchParams.get('state') ?? '' }))
      response.writeHead(302, { location: back.href }).end()
    })
    const { world, url, link, browserOf, notes } = await startConsentWorld({
      auth: { issuer: liar.origin, clientId: 'gateway', clientSecret: 'a-secret-of-the-gateway-0123456789' },
    })
    const jwt = await world.jwt('alice')
    const alice = browserOf('alice')
    const page = await alice.submit(await alice.load(await link(jwt)), {})
    expect((await rpc(url, { token: jwt, body: ask('ping') })).json.error.code).toBe(4011)
    expect(notes.requests).toEqual([])
    expect(JSON.stringify(world.audits)).not.toMatch(/a-code-0123456789|a-secret-of-the-gateway/)
    return page
  }

  test('that redirects gets the code and our secret followed nowhere', async () => {
    const other = await startStub()
    for (const status of [301, 302, 303, 307, 308]) {
      const page = await redeemAt((_, response) => done(response.writeHead(status, { location: other.url }).end()))
      expect([status, page.status >= 400]).toEqual([status, true])
    }
    expect(other.requests).toEqual([])
  })

  test('in another network than the one that is written down is sent neither code nor secret', async () => {
    for (const at of ['https://10.0.0.1/token', 'https://169.254.169.254/token', 'https://[fd00::1]/token']) {
      const page = await redeemAt(() => {}, at)
      expect([at, page.status]).toEqual([at, 503])
    }
  })

  test('whose answer is no token, or one that no header field can hold, connects nobody', async () => {
    for (const answer of [
      {},
      { access_token: '' },
      { access_token: 7, token_type: 'bearer' },
      { access_token: 'x', token_type: 'mac' },
      { access_token: 'a\r\nx-evil: 1', token_type: 'bearer' },
      { access_token: ['x'], token_type: 'bearer' },
      { error: 'invalid_grant', error_description: 'a-code-0123456789 a-secret-of-the-gateway-0123456789' },
    ]) {
      const page = await redeemAt((_, response) => json(response, answer))
      expect([JSON.stringify(answer), page.status >= 400]).toEqual([JSON.stringify(answer), true])
      expect(page.body).not.toMatch(/a-code-0123456789|a-secret-of-the-gateway|x-evil/)
    }
  })
})
