/** Nothing secret is told: not in events, pages, redirects among our own origins, or process warnings, whatever goes wrong. */
import diagnostics_channel from 'node:diagnostics_channel'
import { describe, expect, it, onTestFinished } from 'vitest'
import { generateKey } from '../../src/index.ts'
import type { FormBrowser, Sending } from '../support/form-browser.ts'
import { PASSWORD } from '../support/login-provider.ts'
import type { RogueHooks } from './rogue-provider.ts'
import { openShop, visit } from './setup.ts'
import { CLIENT_SECRET, openStall, type Stall, type StallOptions } from './stall.ts'

const LOGIN = 'https://login.test'
const PARTNER = 'https://partner.test'
const KEY = generateKey()
const click = { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' }

const spread: StallOptions = {
  url: LOGIN,
  origins: [PARTNER],
  routes: [
    { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
    { path: '/staff', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'nobody' } } },
    { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
  ],
}

/** Collects what is told while a test runs, and knows what must not be in it. */
function listen() {
  const told: string[] = []
  const cookies = new Set<string>()
  const warn = (warning: Error) => told.push(`warning: ${warning.message} ${warning.stack}`)
  process.on('warning', warn)
  const channels = ['decision', 'keys', 'login'].map((name) => diagnostics_channel.channel(`sallyport:${name}`))
  const hear = (message: unknown) => told.push(`event: ${JSON.stringify(message)}`)
  for (const channel of channels) channel.subscribe(hear)
  const consoles = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => {
    const before = console[name]
    console[name] = (...parts: unknown[]) => void told.push(`console: ${parts.join(' ')}`)
    return () => {
      console[name] = before
    }
  })
  onTestFinished(() => {
    process.off('warning', warn)
    for (const channel of channels) channel.unsubscribe(hear)
    for (const restore of consoles) restore()
  })
  return { told, cookies }
}

type Heard = ReturnType<typeof listen>

/** Goes where `url` leads and keeps what our own pages say, but for links to the provider, which are its business. */
async function walk(
  stall: Stall,
  heard: Heard,
  browser: FormBrowser,
  url: string,
  sending: Sending = {},
): Promise<number> {
  let next = url
  let status = 0
  for (let hop = 0; hop < 12 && next !== ''; hop++) {
    const page = await browser.load(next, { ...(hop === 0 ? sending : {}), follow: false })
    status = page.status
    if (next.startsWith(LOGIN) || next.startsWith(PARTNER)) {
      for (const line of [page.headers['set-cookie'] ?? []].flat()) {
        const value = /=([^;]*)/.exec(line)?.[1] ?? ''
        if (value.length > 8) heard.cookies.add(value)
      }
      const { 'set-cookie': _, ...headers } = page.headers
      const foreign = new RegExp(`${stall.provider.issuer}/[^"\\s]*`, 'g')
      const said = `${next.replace(/\?.*/, '')}: ${JSON.stringify(headers)} ${page.body}`
        .replace(foreign, '<provider>')
        // What is ours, sealed, and worth nothing without the browser's cookies.
        .replace(/ticket=[\w.-]+|(?<=name="csrf_token" value=")[\w.-]+/g, '<sealed>')
      heard.told.push(said)
    }
    next = typeof page.headers.location === 'string' ? new URL(page.headers.location, next).href : ''
  }
  return status
}

function expectDiscreet(stall: Stall, heard: Heard): void {
  const text = heard.told.join('\n')
  const secrets = new Set([
    ...stall.provider.secrets,
    ...heard.cookies,
    CLIENT_SECRET,
    KEY,
    encodeURIComponent(CLIENT_SECRET),
  ])
  expect(secrets.size).toBeGreaterThan(4)
  for (const secret of secrets) {
    expect(
      text.includes(secret),
      `${secret} in ${text
        .split('\n')
        .find((line) => line.includes(secret))
        ?.slice(0, 400)}`,
    ).toBe(false)
  }
  // Nor any token that this test has not heard of.
  expect(text).not.toMatch(/eyJ[\w-]{10,}\.[\w-]+/)
}

describe.each([['store'], ['cookie']] as const)('with sessions in a %s', (session) => {
  it('journeys that go well: sign-in, hand-off, deep links, refresh, sign-out, sign-out from afar', async () => {
    const heard = listen()
    const stall = await openStall({ ...spread, login: { keys: [KEY], session }, oauth2: { userInfo: true } })
    const { browser } = stall
    await walk(stall, heard, browser, `${PARTNER}/deep?token=of-the-application`)
    await walk(stall, heard, browser, `${LOGIN}/`)
    await walk(stall, heard, browser, `${LOGIN}/staff`)
    await walk(stall, heard, browser, `${LOGIN}/.sallyport/sign-in`)
    stall.clock.advance(3601)
    await walk(stall, heard, browser, `${PARTNER}/again`)
    await walk(stall, heard, browser, `${LOGIN}/.sallyport/sign-out`)
    await walk(stall, heard, browser, `${LOGIN}/.sallyport/sign-out`, { headers: click })
    await walk(stall, heard, browser, `${LOGIN}/`)
    const form = { logout_token: await stall.provider.logoutToken({ sub: 'alice' }) }
    await walk(stall, heard, stall.newBrowser(), `${LOGIN}/.sallyport/back-channel/corp`, { method: 'POST', form })
    expect(heard.told.join('')).not.toContain(form.logout_token)
    expect(new Set(stall.logins.map(({ kind }) => kind))).toContain('signed_in')
    expectDiscreet(stall, heard)
  })
})

/** Repeats whatever it was sent, in every field that an error has, as a whole and in other spellings. */
const echoes = (sent: URLSearchParams, authorization = '') => {
  const everything = [...sent].map(([name, value]) => `${name}=${value}`).join('; ')
  return { error_description: `cannot use ${everything} ${authorization}`, error_uri: `https://x.test/?${sent}` }
}

describe('journeys that do not go well', () => {
  const failures: [what: string, hooks: RogueHooks, options?: StallOptions][] = [
    [
      'the provider answers with an error that repeats the code it gave',
      {
        authorize: (callback, asked) => {
          const code = callback.searchParams.get('code') ?? ''
          callback.searchParams.delete('code')
          callback.searchParams.set('error', 'server_error')
          callback.searchParams.set('error_description', `code ${code}, nonce ${asked.get('nonce')}`)
          return callback
        },
      },
    ],
    [
      'an error beside the code',
      {
        authorize: (callback) => {
          callback.searchParams.set('error', callback.searchParams.get('code') ?? '')
          callback.searchParams.set('error_description', `the code ${callback.searchParams.get('code')} is odd`)
          return callback
        },
      },
    ],
    [
      'the code twice',
      {
        authorize: (callback) => {
          callback.searchParams.append('code', callback.searchParams.get('code') ?? '')
          callback.searchParams.append(callback.searchParams.get('code') ?? '', '1')
          callback.searchParams.append(callback.searchParams.get('code') ?? '', '2')
          return callback
        },
      },
    ],
    [
      'a short code, repeated in the error of the token endpoint',
      {
        authorize: (callback) => {
          callback.searchParams.set('code', 'sh0rt-c0de')
          return callback
        },
        answer: (_body, sent) => ({ error: 'invalid_request', ...echoes(sent) }),
      },
    ],
    [
      'a token endpoint that repeats what it was sent',
      { answer: (_body, sent) => ({ error: 'invalid_client', ...echoes(sent) }) },
    ],
    [
      'one that repeats the secret',
      { answer: (_body, sent) => ({ error: 'invalid_client', error_description: `${CLIENT_SECRET} ${sent}` }) },
    ],
    ['one whose error is the code', { answer: (_body, sent) => ({ error: sent.get('code') }) }],
    [
      'one that sends tokens beside an error',
      {
        answer: (body) => ({
          ...body,
          error: 'server_error',
          error_description: `${body.access_token} ${body.refresh_token}`,
        }),
      },
    ],
    [
      'one that answers in HTML',
      {
        token: (sent, response) => {
          response
            .writeHead(500, { 'content-type': 'text/html', 'x-echo': String(sent.get('code')) })
            .end(`<h1>${sent}</h1>`)
          return true
        },
      },
    ],
    [
      'one that redirects with everything',
      {
        token: (sent, response) => {
          response.writeHead(302, { location: `/elsewhere?${sent}` }).end()
          return true
        },
      },
    ],
    ['one that hangs up', { token: (_sent, response) => Boolean(response.destroy()) }],
    ['a token type that is the token', { answer: (body) => ({ ...body, token_type: body.access_token }) }],
    [
      'an access token that cannot be sent',
      { answer: (body) => ({ ...body, access_token: `${body.access_token}\u00e9` }) },
    ],
    ['an access token that is no JWT', { accessToken: () => 'opaque-access-token-of-somebody-0123456789' }],
    ['an access token with a wrong issuer', { accessToken: (claims) => ({ ...claims, iss: 'https://x.test' }) }],
    ['an access token with a wrong audience', { accessToken: (claims) => ({ ...claims, aud: 'x' }) }],
    ['an ID token with a wrong nonce', { idToken: (claims) => ({ ...claims, nonce: `${claims.nonce}x` }) }],
    ['an ID token that names the nonce as its audience', { idToken: (claims) => ({ ...claims, aud: claims.nonce }) }],
    ['an ID token that names the nonce as its issuer', { idToken: (claims) => ({ ...claims, iss: claims.nonce }) }],
    ['an ID token with an at_hash of another', { idToken: (claims) => ({ ...claims, at_hash: 'x' }) }],
    ['an ID token that is the refresh token', { answer: (body) => ({ ...body, id_token: body.refresh_token }) }],
    [
      'userinfo that repeats the token',
      { userInfo: () => ({ error: 'invalid_token', error_description: 'your token' }) },
      { oauth2: { userInfo: true } },
    ],
    ['userinfo of somebody else', { userInfo: () => ({ sub: 'bob' }) }, { oauth2: { userInfo: true } }],
    ['userinfo without JSON', { userInfo: () => null }, { oauth2: { userInfo: true } }],
  ]

  it.each(failures)('at the sign-in: %s', async (_what, hooks, options = {}) => {
    const heard = listen()
    const stall = await openStall({ ...spread, ...options, login: { keys: [KEY] } })
    stall.provider.hooks = hooks
    const status = await walk(stall, heard, stall.browser, `${LOGIN}/deep?q=1`)
    expect([400, 403, 502, 503]).toContain(status)
    expect(stall.logins.at(-1)?.kind).toBe('failed')
    expect(heard.told.join('')).not.toContain('sh0rt-c0de')
    expectDiscreet(stall, heard)
  })

  it.each(failures.filter(([, { authorize }]) => authorize === undefined))(
    'at a refresh: %s',
    async (_what, hooks, options = {}) => {
      const heard = listen()
      const stall = await openStall({ ...spread, ...options, login: { keys: [KEY] } })
      await walk(stall, heard, stall.browser, `${LOGIN}/`)
      stall.provider.hooks = hooks
      stall.clock.advance(3601)
      await walk(stall, heard, stall.browser, `${LOGIN}/`, {
        headers: { accept: 'application/json', 'sec-fetch-mode': 'cors' },
      })
      await walk(stall, heard, stall.browser, `${LOGIN}/`)
      await walk(stall, heard, stall.browser, `${LOGIN}/.sallyport/sign-out`, { headers: click })
      expectDiscreet(stall, heard)
    },
  )

  it('a client secret that reads like an error, and one that has to be encoded', async () => {
    for (const clientSecret of ['p&ss=w rd/\u00fc%41+', 'invalid_client']) {
      const heard = listen()
      const stall = await openStall({
        ...spread,
        login: { keys: [KEY] },
        oauth2: { clientSecret, clientAuthentication: 'client_secret_post' },
      })
      stall.provider.hooks.answer = (_body, sent) => ({ error: sent.get('client_secret'), ...echoes(sent) })
      await walk(stall, heard, stall.browser, `${LOGIN}/`)
      expect(heard.told.join('\n').split(clientSecret).length).toBe(1)
      expectDiscreet(stall, heard)
    }
  })

  it('forged callbacks, tickets, logout tokens and forms are not repeated', async () => {
    const heard = listen()
    const stall = await openStall({ ...spread, login: { keys: [KEY] } })
    await walk(stall, heard, stall.browser, `${PARTNER}/`)
    const mark = 'a-mark-that-nobody-else-would-write'
    const long = `${mark}.${'A'.repeat(100)}.${mark}`
    for (const path of [
      `callback/corp?code=${mark}&state=${mark}`,
      `callback/corp?error=${mark}&error_description=${mark}&state=x`,
      `callback/${mark}?code=1`,
      `hand-off?ticket=${long}`,
      `sign-in?integration=${mark}`,
      `sign-in?integration=corp&prompt=${mark}`,
      `${mark}`,
    ]) {
      await walk(stall, heard, stall.browser, `${LOGIN}/.sallyport/${path}`)
    }
    for (const page of ['back-channel/corp', 'sign-out']) {
      const form = { logout_token: long, csrf_token: long, more: mark }
      await walk(stall, heard, stall.browser, `${LOGIN}/.sallyport/${page}`, {
        method: 'POST',
        form,
        headers: { origin: LOGIN },
      })
    }
    // The path that was asked for is the only thing that is.
    const lines = heard.told
      .join('\n')
      .split('\n')
      .filter((line) => line.includes(mark))
    for (const line of lines)
      expect(line.replaceAll(`/.sallyport/${mark}`, '').replaceAll(`/.sallyport/callback/${mark}`, '')).not.toContain(
        mark,
      )
    expectDiscreet(stall, heard)
  })

  it('a provider that cannot be reached, or whose documents are wrong', async () => {
    for (const metadata of [
      (document: Record<string, unknown>) => ({ ...document, issuer: 'https://evil.test' }),
      (document: Record<string, unknown>) => ({ ...document, token_endpoint: 'ftp://x' }),
      (document: Record<string, unknown>) => ({ ...document, authorization_endpoint: 'javascript:alert(1)' }),
      (document: Record<string, unknown>) => ({
        ...document,
        jwks_uri: `http://user:${CLIENT_SECRET}@127.0.0.1:1/x?key=${KEY}`,
      }),
    ]) {
      const heard = listen()
      const stall = await openStall({
        ...spread,
        login: { keys: [KEY] },
        prepare: (provider) => {
          provider.hooks.metadata = metadata
        },
      })
      const status = await walk(stall, heard, stall.browser, `${LOGIN}/`)
      expect([502, 503]).toContain(status)
      const text = heard.told.join('\n')
      expect(text).not.toContain(CLIENT_SECRET)
      expect(text).not.toContain(KEY)
      expect(text).not.toMatch(/href="javascript/)
    }
  })
})

describe('against a real provider', () => {
  it('neither the password nor anything of the flow is told', async () => {
    const heard = listen()
    const shop = await openShop({ login: { keys: [KEY] } })
    const page = await visit(shop.browser, `${shop.origin}/`)
    const code = new URL(page.way.find((url) => url.includes('/callback/')) ?? '').searchParams.get('code') ?? ''
    await shop.browser.load(page.way.find((url) => url.includes('/callback/')) ?? '')
    shop.clock.advance(3601)
    await shop.browser.script(`${shop.origin}/`)
    await shop.browser.load(`${shop.origin}/.sallyport/sign-out`, { headers: click, follow: false })
    const text = heard.told.filter((line) => !line.startsWith('console: oidc-provider')).join('\n')
    expect(code.length).toBeGreaterThan(10)
    for (const secret of [PASSWORD, code, KEY]) expect(text).not.toContain(secret)
    expect(text).not.toMatch(/eyJ[\w-]{10,}\.[\w-]+/)
  })
})
