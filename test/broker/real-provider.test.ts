/** Consent with real parts: a guard signs people in at one `oidc-provider`, the upstream's authorization server is another. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { createGuard, generateKey } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { FormBrowser, LoadedPage } from '../support/form-browser.ts'
import { API, type LoginProvider, PASSWORD, startLoginProvider } from '../support/login-provider.ts'
import { type Bureau, openBureau, SERVER } from './setup.ts'

const SECRET = 'a-secret-of-the-gateway-0123456789-0123456789'

interface Site extends Bureau {
  readonly upstream: LoginProvider
  /** The identity of somebody who has signed in with a browser. */
  identityOf(name: string): Promise<{ id: string; integration: string }>
}

/** A gateway on whose origin a guard signs people in. */
async function openSite(responseMode: 'query' | 'form_post' = 'query'): Promise<Site> {
  let people: LoginProvider | undefined
  let upstream: LoginProvider | undefined
  let guard: ReturnType<typeof createGuard> | undefined
  const bureau = await openBureau({
    async guardAt(origin) {
      const client = {
        client_id: 'gateway',
        client_secret: SECRET,
        grant_types: ['authorization_code', 'refresh_token'],
      }
      people = await startLoginProvider({
        clients: [{ ...client, redirect_uris: [`${origin}/.sallyport/callback/corp`] }],
      })
      upstream = await startLoginProvider({ clients: [{ ...client, redirect_uris: [`${origin}/back`] }] })
      guard = createGuard({
        login: { url: origin, keys: [generateKey()], store: memoryStore() },
        integrations: {
          corp: {
            issuer: people.issuer,
            audience: 'gateway',
            jwtSource: 'id_token',
            oauth2: { clientId: 'gateway', clientSecret: SECRET, scopes: ['openid'] },
          },
        },
        routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
      })
      return guard
    },
  })
  if (people === undefined || upstream === undefined || guard === undefined) throw new Error('nothing was started')
  const [one, two] = [people, upstream]
  onTestFinished(async () => {
    await one.close()
    await two.close()
  })
  bureau.broker.setServers([
    {
      id: SERVER,
      url: API,
      label: 'Orders',
      auth: {
        type: 'oauth2',
        issuer: two.issuer,
        clientId: 'gateway',
        clientSecret: SECRET,
        scopes: ['openid', 'orders:read'],
        callbackPath: '/back',
        responseMode,
      },
    },
  ])
  const own = guard
  return Object.assign(bureau, {
    upstream: two,
    async identityOf(name: string) {
      const browser = bureau.browserOf()
      await signIn(browser, await browser.load(`${bureau.origin}/`), name)
      const identity = await own.identify({
        method: 'GET',
        target: '/',
        headers: { host: new URL(bureau.origin).host, cookie: browser.cookies('127.0.0.1').join('; ') },
        rawHeaders: ['host', new URL(bureau.origin).host, 'cookie', browser.cookies('127.0.0.1').join('; ')],
        peer: { address: '127.0.0.1', encrypted: false },
        localPort: 80,
        body: { kind: 'none' },
        signal: new AbortController().signal,
        host: undefined,
        kind: 'http',
      })
      if (identity === null) throw new Error(`${name} is not signed in`)
      return identity
    },
  })
}

function signIn(browser: FormBrowser, page: LoadedPage, name: string): Promise<LoadedPage> {
  if (!page.body.includes('<h1>Provider</h1>')) throw new Error(`no sign-in at ${page.url}: ${page.body}`)
  return browser.submit(page, { name, password: PASSWORD })
}

describe('G8 B2 with a guard and oidc-provider', () => {
  it('sign in, agree at the upstream, and the tokens are there, refreshed and revoked', async () => {
    const site = await openSite()
    const alice = await site.identityOf('alice')
    const browser = site.browserOf()
    const url = await site.broker.connectUrl({ server: SERVER, owner: alice.id, by: alice })
    const page = await signIn(browser, await browser.load(url), 'alice')
    expect(page.url).toBe(url)
    expect(page.body).toContain('Alice Ames')
    const asked = await browser.submit(page, {})
    expect(asked.url.startsWith(site.upstream.issuer)).toBe(true)
    const done = await signIn(browser, asked, 'bob')
    expect(done.way.at(-2)).toContain(`${site.origin}/back`)
    // Code and state do not stay in the address bar.
    expect(new URL(done.url).search).toBe('')
    expect(done.body).toContain('Orders is connected')

    const found = await site.broker.tokens(alice.id, SERVER)
    if (found.kind !== 'tokens') throw new Error(found.kind)
    const claims = JSON.parse(Buffer.from(found.tokens.accessToken.split('.')[1] ?? '', 'base64url').toString())
    expect(claims).toMatchObject({ sub: 'bob', aud: API })
    const next = await site.broker.tokens(alice.id, SERVER, { rejected: found.stamp })
    expect(next).toMatchObject({ kind: 'tokens' })
    expect(next.kind === 'tokens' && next.tokens.refreshToken).not.toBe(found.tokens.refreshToken)
    expect(await site.broker.disconnect(alice.id, SERVER)).toBe(true)
    expect(site.upstream.asked.get('POST /token/revocation')).toBe(2)
    expect(site.events.map(({ kind }) => kind)).toEqual(['consent_started', 'connected', 'refreshed', 'disconnected'])
  })

  it('somebody else who follows the link signs in, is told so, and can go to be asked again who they are', async () => {
    const site = await openSite()
    const alice = await site.identityOf('alice')
    const browser = site.browserOf()
    const url = await site.broker.connectUrl({ server: SERVER, owner: alice.id, by: alice })
    const page = await signIn(browser, await browser.load(url), 'mallory')
    expect(page.status).toBe(403)
    const another = /class="button" href="([^"]+)"/.exec(page.body)?.[1] ?? ''
    const chooser = await browser.load(another)
    expect(chooser.body).toContain('<h1>Provider</h1>')
  })

  it('cancelling at the upstream', async () => {
    const site = await openSite()
    const alice = await site.identityOf('alice')
    const browser = site.browserOf()
    const url = await site.broker.connectUrl({ server: SERVER, owner: alice.id, by: alice })
    const asked = await browser.submit(await signIn(browser, await browser.load(url), 'alice'), {})
    const page = await browser.submit(asked, { cancel: '1' })
    expect(page.status).toBe(403)
    expect(page.body).toContain('Not connected')
    expect(page.body).not.toContain('alert(1)')
    expect(await site.broker.list(alice.id)).toEqual([])
  })

  it('form_post', async () => {
    const site = await openSite('form_post')
    const alice = await site.identityOf('alice')
    const browser = site.browserOf()
    const url = await site.broker.connectUrl({ server: SERVER, owner: alice.id, by: alice })
    const asked = await browser.submit(await signIn(browser, await browser.load(url), 'alice'), {})
    const answer = await signIn(browser, asked, 'alice')
    const done = await browser.submit(
      answer,
      {},
      { headers: { origin: site.upstream.issuer, 'sec-fetch-site': 'cross-site' } },
    )
    expect(done.body).toContain('Orders is connected')
    expect(done.url).not.toContain('code=')
  })
})
