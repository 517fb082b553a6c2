/** Requests that another site has a signed-in browser send: to protected routes, to the sign-out, and as upgrades. */
import { createServer } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { guardUpgrade } from '../../adapters/node.ts'
import { connectRaw } from '../support/raw-client.ts'
import { openStall, type Stall, type StallOptions, whoIs } from './stall.ts'

const LOGIN = 'https://login.test'
const SIBLING = 'https://evil.login.test'
const hosts: StallOptions = {
  url: LOGIN,
  origins: ['https://partner.test'],
  routes: [
    { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
  ],
}

/** What a browser says of a request that is not its own page's. */
const forged: [what: string, headers: Record<string, string | undefined>][] = [
  ['another site', { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }],
  ['a sibling subdomain', { origin: SIBLING, 'sec-fetch-site': 'same-site' }],
  ['a parent domain', { origin: 'https://test', 'sec-fetch-site': 'same-site' }],
  ['another of our own hosts', { origin: 'https://partner.test', 'sec-fetch-site': 'cross-site' }],
  ['the same host on http', { origin: 'http://login.test', 'sec-fetch-site': 'cross-site' }],
  ['the same host on another port', { origin: 'https://login.test:8443', 'sec-fetch-site': 'same-site' }],
  ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
  ['a sandboxed frame of our own, in an old browser', { origin: 'null', 'sec-fetch-site': undefined }],
  ['nobody, by a bookmark', { origin: undefined, 'sec-fetch-site': 'none' }],
  ['another site, without Origin', { origin: undefined, 'sec-fetch-site': 'cross-site' }],
  ['a sibling, without Origin', { origin: undefined, 'sec-fetch-site': 'same-site' }],
  ['an old browser, without either', { origin: undefined, 'sec-fetch-site': undefined }],
  ['an origin with ours in front', { origin: 'https://login.test.evil.test', 'sec-fetch-site': 'cross-site' }],
  ['an origin with ours behind', { origin: 'https://evil-login.test', 'sec-fetch-site': 'cross-site' }],
  ['an empty origin', { origin: '', 'sec-fetch-site': 'same-origin' }],
  ['two origins', { origin: 'https://login.test, https://evil.test', 'sec-fetch-site': 'same-origin' }],
  ['a path behind the origin', { origin: 'https://login.test/', 'sec-fetch-site': 'same-origin' }],
  ['two words of the browser', { origin: undefined, 'sec-fetch-site': 'same-origin, cross-site' }],
]

describe('a protected route', () => {
  it.each(forged)('a change from %s is refused, whatever its form', async (_what, headers) => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPPATCH']) {
      for (const shape of [
        { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
        { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty', accept: '*/*' },
        { 'sec-fetch-mode': undefined, 'sec-fetch-dest': undefined, accept: 'text/html' },
      ]) {
        const page = await stall.browser.load(`${LOGIN}/transfer`, {
          method,
          headers: { ...shape, ...headers },
          follow: false,
        })
        expect(page.status, `${method} ${JSON.stringify(shape)}`).toBe(403)
      }
    }
    const reasons = stall.decisions.filter(({ path }) => path === '/transfer').map(({ reason }) => reason)
    expect(new Set(reasons)).toEqual(new Set(['cross_origin']))
    expect(await whoIs(stall.browser, `${LOGIN}/`)).toBe('alice')
  })

  it('a change of our own passes, by either word of the browser', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    for (const headers of [
      { origin: LOGIN, 'sec-fetch-site': 'same-origin' },
      { origin: LOGIN, 'sec-fetch-site': undefined },
      { origin: undefined, 'sec-fetch-site': 'same-origin' },
    ]) {
      const page = await stall.browser.load(`${LOGIN}/transfer`, { method: 'POST', headers, follow: false })
      expect(page.status).toBe(200)
    }
  })

  it('methods that a server may take for others do not pass as safe ones', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    const headers = { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }
    for (const method of ['QUERY', 'SEARCH', 'LOCK', 'PURGE', 'M-SEARCH', 'MKCOL']) {
      const page = await stall.browser.load(`${LOGIN}/transfer`, { method, headers, follow: false })
      expect(page.status, method).toBe(403)
    }
    // A GET stays one, whatever it asks the application to take it for.
    const page = await stall.browser.load(`${LOGIN}/transfer?_method=DELETE`, {
      headers: { ...headers, 'x-http-method-override': 'DELETE' },
      follow: false,
    })
    expect(JSON.parse(page.body).method).toBe('GET')
  })

  it('a bearer token needs no origin, since no browser sends it by itself; a session beside it does not help', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    const [token = ''] = [...stall.provider.secrets].filter((secret) => secret.startsWith('eyJ'))
    const headers = { origin: 'https://evil.test', authorization: `Bearer ${token}` }
    expect((await stall.newBrowser().load(`${LOGIN}/`, { method: 'POST', headers })).status).toBe(200)
    const nonsense = { origin: LOGIN, 'sec-fetch-site': 'same-origin', authorization: 'Bearer nonsense' }
    expect((await stall.browser.load(`${LOGIN}/`, { method: 'POST', headers: nonsense })).status).toBe(401)
  })

  it('a refused change neither renews the session nor says whose it is', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    stall.clock.advance(20_000)
    const headers = { origin: 'https://evil.test', 'sec-fetch-site': 'cross-site' }
    const page = await stall.browser.load(`${LOGIN}/`, { method: 'POST', headers, follow: false })
    expect([page.status, page.headers['set-cookie'], page.body.includes('alice')]).toEqual([403, undefined, false])
  })
})

describe('signing out', () => {
  it.each(forged)('a form from %s is refused', async (_what, headers) => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    const asked = await stall.browser.load(`${LOGIN}/.sallyport/sign-out`)
    const token = /name="csrf_token" value="([^"]+)"/.exec(asked.body)?.[1] ?? ''
    for (const form of [{}, { csrf_token: token }, { csrf_token: '' }] as Record<string, string>[]) {
      const page = await stall.browser.load(`${LOGIN}/.sallyport/sign-out`, {
        method: 'POST',
        form,
        headers,
        follow: false,
      })
      expect([page.status, page.headers['set-cookie']]).toEqual([403, undefined])
    }
    expect(await whoIs(stall.browser, `${LOGIN}/`)).toBe('alice')
  })

  it.each<[what: string, headers: Record<string, string | undefined>]>([
    [
      'an image',
      {
        'sec-fetch-site': 'same-origin',
        'sec-fetch-mode': 'no-cors',
        'sec-fetch-dest': 'image',
        'sec-fetch-user': undefined,
      },
    ],
    ['a frame', { 'sec-fetch-site': 'same-origin', 'sec-fetch-dest': 'iframe', 'sec-fetch-user': undefined }],
    [
      'a script',
      {
        'sec-fetch-site': 'same-origin',
        'sec-fetch-mode': 'cors',
        'sec-fetch-dest': 'empty',
        'sec-fetch-user': undefined,
      },
    ],
    ['a redirect of our own', { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': undefined }],
    ['a click on another site', { 'sec-fetch-site': 'cross-site', 'sec-fetch-user': '?1' }],
    ['a click on a sibling', { 'sec-fetch-site': 'same-site', 'sec-fetch-user': '?1' }],
    ['a bookmark', { 'sec-fetch-site': 'none', 'sec-fetch-user': '?1' }],
    ['a prefetch', { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1', 'sec-purpose': 'prefetch' }],
    [
      'an old browser',
      {
        'sec-fetch-site': undefined,
        'sec-fetch-user': undefined,
        'sec-fetch-mode': undefined,
        'sec-fetch-dest': undefined,
      },
    ],
  ])('a GET by %s changes nothing', async (_what, headers) => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    const page = await stall.browser.load(`${LOGIN}/.sallyport/sign-out`, { headers, follow: false })
    expect([page.status, page.headers['set-cookie']]).toEqual([200, undefined])
    expect(await whoIs(stall.browser, `${LOGIN}/`)).toBe('alice')
  })

  it('HEAD, PUT and DELETE change nothing', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    for (const method of ['HEAD', 'PUT', 'DELETE', 'OPTIONS']) {
      const headers = { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1', origin: LOGIN }
      await stall.browser.load(`${LOGIN}/.sallyport/sign-out`, { method, headers, follow: false })
      expect(await whoIs(stall.browser, `${LOGIN}/`), method).toBe('alice')
    }
  })

  it('a form that another site has got with a session of its own is worth nothing here', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    const form = async (browser = stall.newBrowser()) =>
      /name="csrf_token" value="([^"]+)"/.exec((await browser.load(`${LOGIN}/.sallyport/sign-out`)).body)?.[1] ?? ''
    const mallory = stall.newBrowser()
    stall.provider.subject = 'mallory'
    await mallory.load(`${LOGIN}/`)
    const headers = { origin: LOGIN, 'sec-fetch-site': 'same-origin' }
    const post = (token: string) =>
      stall.browser.load(`${LOGIN}/.sallyport/sign-out`, {
        method: 'POST',
        form: { csrf_token: token },
        headers,
        follow: false,
      })
    for (const token of [await form(), await form(mallory)]) expect((await post(token)).status).toBe(403)
    const own = await form(stall.browser)
    stall.clock.advance(3_601)
    expect((await post(own)).status).toBe(403)
    stall.clock.advance(-3_601)
    expect((await post(own)).status).toBe(200)
    expect(await whoIs(stall.browser, `${LOGIN}/`)).toBe(null)
  })

  it('a form of our own still works when the session has been used in another tab meanwhile', async () => {
    for (const session of ['store', 'cookie'] as const) {
      const stall = await openStall({ ...hosts, login: { session, idleSeconds: 1_200 } })
      await stall.browser.load(`${LOGIN}/`)
      const page = await stall.browser.load(`${LOGIN}/.sallyport/sign-out`)
      const before = stall.browser.cookies('login.test').join()
      stall.clock.advance(300)
      await stall.browser.script(`${LOGIN}/`)
      expect(stall.browser.cookies('login.test').join() === before).toBe(session === 'cookie')
      expect((await stall.browser.submit(page, {}, { follow: false })).status).toBe(200)
      expect(await whoIs(stall.browser, `${LOGIN}/`)).toBe(null)
    }
  })

  it('the pages cannot be framed', async () => {
    const stall = await openStall(hosts)
    for (const path of ['sign-out', 'signed-out', 'sign-in', 'hand-off', 'callback/corp']) {
      const { headers, status } = await stall.browser.load(`${LOGIN}/.sallyport/${path}`, { follow: false })
      if (status >= 300 && status < 400) continue
      expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
      expect(headers['x-frame-options']).toBe('DENY')
    }
  })
})

describe('a WebSocket', () => {
  async function upgrades(stall: Stall): Promise<{ port: number; reached: string[] }> {
    const server = createServer()
    const reached: string[] = []
    server.on(
      'upgrade',
      guardUpgrade(stall.guard, (request, socket) => {
        reached.push(request.headers.origin ?? 'none')
        socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      }),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    return { port: (server.address() as { port: number }).port, reached }
  }

  async function statusOf(port: number, cookie: string, headers: Record<string, string | undefined>): Promise<number> {
    const connection = await connectRaw(port)
    const lines = Object.entries({ host: 'login.test', cookie, ...headers }).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}: ${value}\r\n`],
    )
    connection.write(`GET /live HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines.join('')}\r\n`)
    const { status } = await connection.head()
    await connection.close()
    return status
  }

  it.each(forged)('of a page of %s does not open', async (_what, headers) => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    const { port, reached } = await upgrades(stall)
    const cookie = stall.browser.cookies('login.test').join('; ')
    expect(await statusOf(port, cookie, headers)).toBe(403)
    expect(reached).toEqual([])
  })

  it('of our own page opens, with a session only', async () => {
    const stall = await openStall(hosts)
    await stall.browser.load(`${LOGIN}/`)
    const { port, reached } = await upgrades(stall)
    const cookie = stall.browser.cookies('login.test').join('; ')
    expect(await statusOf(port, cookie, { origin: LOGIN })).toBe(101)
    expect(await statusOf(port, 'a=b', { origin: LOGIN })).toBe(403)
    expect(await statusOf(port, `${cookie}x`, { origin: LOGIN, accept: 'text/html' })).toBe(403)
    expect(reached).toEqual([LOGIN])
  })
})
