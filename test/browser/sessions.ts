/** Journeys: while somebody is signed in, and when they no longer are. */
import assert from 'node:assert/strict'
import type { Journey } from './journey.ts'
import { ask, asked, FORBIDDEN, fetched, giveName, press, see, seeHome, untilRefused, visit } from './steps.ts'

/** See the top of the file. */
export const SESSIONS: readonly Journey[] = [
  {
    title: 'the access token is refreshed while the page is in use, unnoticed',
    shop: { accessTokenSeconds: 3 },
    async walk({ shop, page }) {
      await visit(page, shop)
      const forms = asked(shop, 'GET /form')
      await page.evaluate(`
        window.statuses = []
        window.using = setInterval(async () => window.statuses.push((await fetch('/api/me')).status), 100)`)
      const { integration, subject } = await shop.login('refreshed')
      assert.deepEqual({ integration, subject }, { integration: 'corp', subject: 'alice' })
      // Some more requests, with the new token.
      await page.waitForFunction('(window.before ??= window.statuses.length) + 5 < window.statuses.length')
      await page.evaluate('clearInterval(window.using)')
      const statuses = await page.evaluate<number[]>('[...new Set(window.statuses)]')
      assert.deepEqual(statuses, [200])
      await page.goto(`${shop.origin}/later`)
      await seeHome(page)
      assert.equal(asked(shop, 'GET /form'), forms)
    },
  },
  {
    title: 'fetch without a session: 403 as JSON, and no redirect',
    async walk({ shop, page }) {
      await page.goto(`${shop.origin}/welcome`)
      await seeHome(page, 'nobody')
      assert.equal(await ask(page), '403')
      assert.equal(JSON.parse((await page.textContent('#answer')) ?? '').status, 403)
      assert.deepEqual(await fetched(page, '/'), FORBIDDEN)
      assert.equal(asked(shop, 'GET /auth'), 0)
    },
  },
  {
    title: 'a form posted after the session has ended: told so, and nothing typed is lost',
    async walk({ shop, page, context }) {
      await visit(page, shop, '/orders')
      await page.fill('#item', 'a lamp')
      await context.clearCookies()
      await page.click('#order')
      await see(page, 'Your session has ended')
      assert.equal(page.url(), `${shop.origin}/orders`)
      // As the page says: sign in in a new tab, come back, send again.
      const [tab] = await Promise.all([page.waitForEvent('popup'), press(page, 'Sign in (new tab)')])
      await giveName(tab)
      await seeHome(tab)
      await page.goBack()
      await seeHome(page)
      assert.equal(await page.inputValue('#item'), 'a lamp')
      await page.click('#order')
      await see(page, 'Ordered')
      assert.equal(await page.textContent('#item'), 'a lamp')
    },
  },
  {
    title: 'a session nobody used ends, and the next visit signs in anew without a form',
    async walk({ shop, page }) {
      await visit(page, shop)
      shop.advance(86_401)
      assert.equal(await ask(page), '403')
      shop.advance(-86_401)
      const forms = asked(shop, 'GET /form')
      await page.goto(`${shop.origin}/again?x=1`)
      assert.equal(page.url(), `${shop.origin}/again?x=1`)
      await seeHome(page)
      assert.equal(asked(shop, 'GET /form'), forms)
    },
  },
  {
    title: 'cookie sessions: first visit, and signing out',
    shop: { login: { session: 'cookie' } },
    async walk({ shop, page, context }) {
      await visit(page, shop, '/orders?page=2')
      await seeHome(page)
      assert.equal(await ask(page), '200')
      await page.click('#sign-out')
      await page.click('#yes')
      await see(page, 'You are signed out')
      const own = (await context.cookies()).filter(({ name }) => name.startsWith('sallyport'))
      assert.deepEqual(own, [])
    },
  },
  {
    title: 'cookie sessions: at the end of the token a script gets 403, a page load signs in anew without a form',
    shop: { login: { session: 'cookie' }, accessTokenSeconds: 3 },
    async walk({ shop, page }) {
      await visit(page, shop, '/orders?page=2')
      await untilRefused(page)
      const forms = asked(shop, 'GET /form')
      await page.goto(`${shop.origin}/orders?page=3`)
      assert.equal(page.url(), `${shop.origin}/orders?page=3`)
      await seeHome(page)
      assert.equal(asked(shop, 'GET /form'), forms)
      assert.equal(shop.logins.filter(({ kind }) => kind === 'signed_in').length, 2)
    },
  },
]
