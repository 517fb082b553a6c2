/** Routes with `cookie` and `login`: a token in the cookie that is not good must not lock a browser out. */
import { describe, expect, it } from 'vitest'
import { openShop, seen, visit } from '../login/setup.ts'

const BAD = ['tok=x', 'tok=a.b.c', 'tok="x"']
const EMPTY = ['tok=', 'tok=""']

/** A shop whose page takes a token in the cookie `tok`, too. */
function open() {
  return openShop({
    routes: () => [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true, cookie: 'tok' } }],
  })
}

describe('A11 a bad token in a cookie, where browsers sign in', () => {
  it.each([...BAD, ...EMPTY])('sends a page load with %s to sign in', async (cookie) => {
    const { browser, origin, decisions } = await open()
    const page = await browser.load(`${origin}/`, { headers: { cookie }, follow: false })
    expect(page.status).toBe(302)
    expect(decisions.at(-1)).toMatchObject({
      reason: 'login',
      detail: EMPTY.includes(cookie) ? null : expect.any(String),
    })
  })

  it('lets a session beside it in, pages and scripts', async () => {
    const { browser, origin } = await open()
    const session = seen(await visit(browser, `${origin}/`)).auth
    expect(session).toMatchObject({ type: 'session', subject: 'alice' })
    for (const bad of [...BAD, ...EMPTY]) {
      browser.setCookie('127.0.0.1', 'tok', bad.slice('tok='.length))
      expect(seen(await browser.load(`${origin}/`, { follow: false })).auth).toEqual(session)
      expect((await browser.script(`${origin}/`)).status).toBe(200)
    }
  })

  it('is 401 for a script without a session, as everywhere; an empty one is no credentials', async () => {
    const { newBrowser, origin, decisions } = await open()
    for (const cookie of BAD) {
      const answer = await newBrowser().script(`${origin}/`, { headers: { cookie } })
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([
        401,
        expect.stringContaining('invalid_token'),
      ])
      expect(decisions.at(-1)?.reason).toBe('malformed')
    }
    for (const cookie of EMPTY) {
      expect((await newBrowser().script(`${origin}/`, { headers: { cookie } })).status).toBe(403)
      expect(decisions.at(-1)?.reason).toBe('no_credentials')
    }
  })

  it('a bearer token has the last word: no session is looked for', async () => {
    const { browser, origin } = await open()
    await visit(browser, `${origin}/`)
    for (const authorization of ['Bearer x', 'Bearer']) {
      const page = await browser.load(`${origin}/`, { headers: { authorization }, follow: false })
      expect(page.status).toBe(401)
      expect((await browser.script(`${origin}/`, { headers: { authorization } })).status).toBe(401)
    }
  })
})
