/** The provider's answer, forged: every field of it, its method, its body, and answers of other sign-ins (RFC 9700 §4). */
import { describe, expect, it } from 'vitest'
import type { LoadedPage } from '../support/form-browser.ts'
import {
  callbackOf,
  cookiesSet,
  expectBegun,
  openStall,
  type Stall,
  type StallOptions,
  whoIs,
  withParameters,
} from './stall.ts'

/** A page that says no, to a browser that is nobody. */
async function expectRefused(stall: Stall, page: LoadedPage, browser = stall.browser): Promise<void> {
  expect([400, 403, 502]).toContain(page.status)
  expect(page.headers['content-type']).toBe('text/html; charset=utf-8')
  expect(cookiesSet(page)).toEqual([])
  expect(await whoIs(browser, `${stall.origin}/`)).toBe(null)
}

const changed = (character: string) => (character === 'A' ? 'B' : 'A')
const LONG = 'A'.repeat(10_240)

describe('state', () => {
  const forgeries: [what: string, forge: (state: string) => string | undefined][] = [
    ['missing', () => undefined],
    ['empty', () => ''],
    ['cut short', (state) => state.slice(0, -1)],
    ['longer', (state) => `${state}A`],
    ['with a character changed', (state) => state.slice(0, 9) + changed(state[9] ?? '') + state.slice(10)],
    ['with a character of what it carries changed', (state) => state.replace(/(?<=\.)[\w-](?=[\w-]{21}$)/, changed)],
    ['without what it carries', (state) => state.replace(/\..*/, '')],
    ['with a NUL behind it', (state) => `${state}\0`],
    ['with a line end behind it', (state) => `${state}\n`],
    ['with a NUL in it', (state) => `${state.slice(0, 10)}\0${state.slice(11)}`],
    ['in upper case', (state) => state.toUpperCase()],
    ['between blanks', (state) => ` ${state} `],
    ['of 10 KB', () => LONG],
    ['of 10 KB, beginning well', (state) => state + LONG],
    ['a name that objects have', () => '__proto__'],
    ['characters that no cookie name may have', () => '"(),/:;<=>?@[\\]{}'],
    ['beyond ASCII', (state) => state.replace(/.$/, '\u{1f600}')],
  ]

  it.each(forgeries)('%s', async (_what, forge) => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const state = new URL(callback).searchParams.get('state') ?? ''
    const page = await stall.browser.load(withParameters(callback, { state: forge(state) }), { follow: false })
    await expectRefused(stall, page)
    expect(stall.provider.count('POST /token')).toBe(0)
    // And the person can still finish.
    await stall.browser.load(callback)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('of another browser: nobody is signed in by that, a sign-in of their own begins', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const others = await callbackOf(stall.newBrowser(), `${stall.origin}/deep`)
    const state = new URL(others).searchParams.get('state') ?? ''
    const page = await stall.browser.load(withParameters(callback, { state }), { follow: false })
    expectBegun(stall, page)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
    // And the person can still finish.
    await stall.browser.load(callback)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(stall.provider.count('POST /token')).toBe(1)
  })

  it.each(['state[]', 'state[0]', 'state.0', 'STATE', ' state'])('under another name, %s', async (name) => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const state = new URL(callback).searchParams.get('state') ?? ''
    const page = await stall.browser.load(withParameters(callback, { state: undefined, [name]: state }))
    await expectRefused(stall, page)
  })

  it('twice, and be it the same', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const state = new URL(callback).searchParams.get('state') ?? ''
    for (const second of [state, 'other', '']) {
      await expectRefused(stall, await stall.browser.load(`${callback}&state=${second}`))
    }
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it("of this browser's other tab: the code goes to the provider with the other tab's verifier and is worth nothing", async () => {
    const stall = await openStall()
    const [one, two] = [
      await callbackOf(stall.browser, `${stall.origin}/one`),
      await callbackOf(stall.browser, `${stall.origin}/two`),
    ]
    const state = new URL(two).searchParams.get('state') ?? ''
    await expectRefused(stall, await stall.browser.load(withParameters(one, { state })))
    // The first tab's attempt is untouched, the code is spent.
    expect(stall.logins.at(-1)).toMatchObject({ kind: 'failed', reason: 'rejected' })
  })

  it('of an attempt for another integration', async () => {
    const stall = await openStall()
    const corp = await callbackOf(stall.browser, `${stall.origin}/`)
    const other = await callbackOf(stall.browser, `${stall.origin}/other`)
    const [a, b] = [corp, other].map((url) => new URL(url).searchParams.get('state') ?? '')
    await expectRefused(stall, await stall.browser.load(withParameters(corp, { state: b })))
    await expectRefused(stall, await stall.browser.load(withParameters(other, { state: a })))
    expect([...stall.provider.asked, ...stall.other.asked]).not.toContain('POST /token')
  })
})

describe('code', () => {
  it.each([
    ['missing', undefined],
    ['empty', ''],
    ['made up', 'nonsense'],
    ['with a line end', 'a\r\nb'],
    ['of 10 KB', LONG],
  ])('%s', async (_what, code) => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    await expectRefused(stall, await stall.browser.load(withParameters(callback, { code }), { follow: false }))
    expect(stall.told()).not.toContain(code === undefined || code === '' ? 'undefined' : code)
  })

  it('twice', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    await expectRefused(stall, await stall.browser.load(`${callback}&code=another`))
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it("of somebody else's sign-in, injected into one's own (RFC 9700 §4.5): the verifier does not fit", async () => {
    const stall = await openStall()
    const victims = await callbackOf(stall.newBrowser(), `${stall.origin}/`)
    const mallory = stall.newBrowser()
    stall.provider.subject = 'mallory'
    const own = await callbackOf(mallory, `${stall.origin}/`)
    const code = new URL(victims).searchParams.get('code') ?? ''
    await expectRefused(stall, await mallory.load(withParameters(own, { code })), mallory)
  })

  it('of another client of the same provider', async () => {
    const options: { -readonly [Name in keyof StallOptions]: StallOptions[Name] } = {
      prepare({ issuer }) {
        options.other = { integration: { issuer } }
      },
    }
    const stall = await openStall(options)
    const own = await callbackOf(stall.browser, `${stall.origin}/`)
    const others = await callbackOf(stall.browser, `${stall.origin}/other`)
    expect(new URL(others).pathname).toBe('/.sallyport/callback/other')
    const code = new URL(others).searchParams.get('code') ?? ''
    await expectRefused(stall, await stall.browser.load(withParameters(own, { code })))
    // And the answer as a whole, at the other's callback.
    const moved = others.replace('/callback/other', '/callback/corp')
    await expectRefused(stall, await stall.browser.load(moved))
    expect(stall.provider.count('POST /token')).toBe(1)
  })

  it('used before', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    await stall.browser.load(callback)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    const again = await callbackOf(stall.browser, `${stall.origin}/.sallyport/sign-in?integration=corp`)
    const code = new URL(callback).searchParams.get('code') ?? ''
    const page = await stall.browser.load(withParameters(again, { code }))
    expect(page.status).toBe(502)
    // A failed attempt does not end the session that is there.
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it('beside tokens, as the implicit flow would send them', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const state = new URL(callback).searchParams.get('state') ?? ''
    await expectRefused(stall, await stall.browser.load(`${callback}&id_token=e30.e30.e30&access_token=x`))
    const only = `${callback.split('?')[0]}?state=${state}&access_token=x&token_type=bearer`
    await expectRefused(stall, await stall.browser.load(only))
    expect(stall.provider.count('POST /token')).toBe(0)
  })
})

describe('iss (RFC 9207) and mix-up', () => {
  const announced: StallOptions = {
    prepare(provider) {
      provider.hooks.metadata = (document) => ({ ...document, authorization_response_iss_parameter_supported: true })
    },
  }

  it.each([
    ['missing though announced', () => undefined],
    ['empty', () => ''],
    ["another provider's", ({ other }: Stall) => other.issuer],
    ['with a slash more', ({ provider }: Stall) => `${provider.issuer}/`],
    ['in upper case', ({ provider }: Stall) => provider.issuer.toUpperCase()],
  ] as const)('%s: the code goes nowhere', async (_what, iss) => {
    const stall = await openStall(announced)
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    await expectRefused(stall, await stall.browser.load(withParameters(callback, { iss: iss(stall) })))
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('is checked where it comes unannounced, and must not come twice', async () => {
    const stall = await openStall()
    const { issuer } = stall.provider
    for (const more of [`iss=${stall.other.issuer}`, `iss=${issuer}&iss=${issuer}`]) {
      const callback = await callbackOf(stall.browser, `${stall.origin}/`)
      await expectRefused(stall, await stall.browser.load(`${callback}&${more}`))
    }
    expect(stall.provider.count('POST /token')).toBe(0)
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    await stall.browser.load(withParameters(callback, { iss: issuer }))
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })

  it("begun at one provider, answered by the other: neither callback takes it, and neither provider learns the other's code", async () => {
    const stall = await openStall()
    const corp = new URL(await callbackOf(stall.browser, `${stall.origin}/`))
    const other = new URL(await callbackOf(stall.browser, `${stall.origin}/other`))
    const [state, code] = [corp.searchParams.get('state') ?? '', other.searchParams.get('code') ?? '']
    // A hostile `corp` has sent the browser on to `other`, with the state of the attempt that began at `corp`.
    await expectRefused(stall, await stall.browser.load(withParameters(other.href, { state })))
    expect(stall.provider.count('POST /token') + stall.other.count('POST /token')).toBe(0)
    // The other callback would have to be registered at `other`; with `iss` not even then.
    const atCorp = withParameters(corp.href, { code, iss: stall.other.issuer })
    await expectRefused(stall, await stall.browser.load(atCorp))
    expect(stall.provider.count('POST /token') + stall.other.count('POST /token')).toBe(0)
  })

  it('one provider for two integrations: what was begun for one does not end in the other', async () => {
    const stall = await openStall()
    const corp = await callbackOf(stall.browser, `${stall.origin}/`)
    await expectRefused(stall, await stall.browser.load(corp.replace('/callback/corp', '/callback/other')))
    await stall.browser.load(corp)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    expect(await whoIs(stall.browser, `${stall.origin}/other`)).toBe(null)
  })
})

describe('errors', () => {
  const html = '<img src=x onerror=alert(1)>"\'</title><script>alert(2)</script>'

  it.each([
    ['error', { error: html }],
    ['error_description', { error: 'access_denied', error_description: html }],
    ['error_uri', { error: 'access_denied', error_uri: 'javascript:alert(1)' }],
    ['a description of 10 KB with line ends', { error: 'server_error', error_description: `\r\n${LONG}` }],
    ['an error that objects have', { error: '__proto__' }],
    ['an empty error', { error: '' }],
  ])(
    'in %s: nothing of it on the page, one short line for the operator',
    async (_what, parameters: Record<string, string>) => {
      const stall = await openStall()
      const callback = await callbackOf(stall.browser, `${stall.origin}/`)
      const page = await stall.browser.load(withParameters(callback, { code: undefined, ...parameters }), {
        follow: false,
      })
      expect([400, 403, 502, 503]).toContain(page.status)
      expect(page.body).not.toMatch(/alert\(|onerror|javascript:|AAAAAAAA/)
      expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
      const { detail } = stall.logins.at(-1) ?? {}
      expect(detail?.length).toBeLessThan(600)
      expect(detail).toMatch(/^[\x20-\x7e…]+$/)
      expect(stall.provider.count('POST /token')).toBe(0)
    },
  )

  it('beside a code: the code goes nowhere', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    await expectRefused(stall, await stall.browser.load(`${callback}&error=access_denied`))
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('nobody can end the sign-in of another browser with one', async () => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const state = new URL(callback).searchParams.get('state') ?? ''
    const url = `${callback.split('?')[0]}?error=access_denied&state=${state}`
    expect((await stall.newBrowser().load(url)).status).toBe(400)
    await stall.browser.load(callback)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
  })
})

describe('method and place', () => {
  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'PROPFIND'])(
    '%s is no answer where it comes by query',
    async (method) => {
      const stall = await openStall()
      const callback = await callbackOf(stall.browser, `${stall.origin}/`)
      const page = await stall.browser.load(callback, { method, follow: false })
      expect(page.status).toBe(400)
      expect(cookiesSet(page)).toEqual([])
      expect(stall.provider.count('POST /token')).toBe(0)
    },
  )

  it.each([
    '/callback/',
    '/callback',
    '/callback/corp/x',
    '/callback/CORP',
    '/callback/__proto__',
    '/callback//corp',
    '/callback/%63orp%20',
  ])('at %s', async (path) => {
    const stall = await openStall()
    const callback = await callbackOf(stall.browser, `${stall.origin}/`)
    const page = await stall.browser.load(callback.replace('/callback/corp', path), { follow: false })
    expect([400, 404]).toContain(page.status)
    expect(stall.provider.count('POST /token')).toBe(0)
  })

  it('a place that nobody has configured is not told at length', async () => {
    const stall = await openStall()
    await stall.browser.load(`${stall.origin}/.sallyport/callback/${'x'.repeat(8_000)}?state=1`)
    expect(stall.logins.at(-1)).toMatchObject({ kind: 'failed', integration: null })
    expect(JSON.stringify(stall.logins).length).toBeLessThan(1_000)
  })

  it('an upgrade to one of our pages is none', async () => {
    const stall = await openStall()
    const callback = new URL(await callbackOf(stall.browser, `${stall.origin}/`))
    const { request } = await import('../guard/harness.ts')
    const outcome = await stall.guard.handle(
      request({ host: callback.host, target: callback.pathname + callback.search, kind: 'upgrade' }),
    )
    expect(outcome).toMatchObject({ kind: 'reply', reply: { status: 404 } })
  })
})
