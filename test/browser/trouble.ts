/** Journeys: what goes wrong ends on a page that says what to do next, and doing that works. */
import assert from 'node:assert/strict'
import type { Journey } from './journey.ts'
import { ask, asked, giveName, press, see, seeHome, visit } from './steps.ts'

/** See the top of the file. */
export const TROUBLE: readonly Journey[] = [
  {
    title: 'provider down: 503 with a button that works once it is back',
    async walk({ shop, page }) {
      shop.provider.mode = 'hang-up'
      const answer = await page.goto(`${shop.origin}/orders?page=2`)
      assert.equal(answer?.status(), 503)
      assert.ok(Number(answer?.headers()['retry-after']) > 0)
      await see(page, 'Sign-in is not available right now')
      await press(page, 'Try again')
      await see(page, 'Sign-in is not available right now')
      shop.provider.mode = 'ok'
      await press(page, 'Try again')
      await giveName(page)
      await page.waitForURL(`${shop.origin}/orders?page=2`)
      await seeHome(page)
    },
  },
  {
    title: 'provider goes down in the middle of a sign-in: the same',
    async walk({ shop, page }) {
      await page.goto(`${shop.origin}/orders?page=2`)
      shop.provider.harmed = ['/token']
      shop.provider.mode = 'hang-up'
      await giveName(page)
      await see(page, 'Sign-in is not available right now')
      // The operator finds the same reference in the event.
      assert.equal(await page.textContent('code'), (await shop.login('failed')).reference)
      shop.provider.mode = 'ok'
      await press(page, 'Try again')
      await page.waitForURL(`${shop.origin}/orders?page=2`)
      await seeHome(page)
    },
  },
  {
    title: 'provider down while somebody is signed in: the session goes on',
    async walk({ shop, page }) {
      await visit(page, shop)
      shop.provider.mode = 'hang-up'
      assert.equal(await ask(page), '200')
      await page.goto(`${shop.origin}/orders?page=2`)
      await seeHome(page)
    },
  },
  {
    title: 'cancelled at the provider: a page that says so, and trying again works',
    async walk({ shop, page }) {
      await page.goto(`${shop.origin}/orders?page=2`)
      await page.click('#cancel')
      await see(page, 'You were not signed in')
      // What came from the provider is not shown.
      assert.equal((await page.content()).includes('alert(1)'), false)
      assert.equal((await shop.login('failed')).reason, 'denied')
      await press(page, 'Try again')
      await giveName(page)
      await page.waitForURL(`${shop.origin}/orders?page=2`)
      await seeHome(page)
    },
  },
  {
    title: 'callback opened twice, or reached by the back button: leads where it did before',
    async walk({ shop, page }) {
      const callbacks: string[] = []
      page.on('request', (request) => {
        if (request.url().includes('/.sallyport/callback/')) callbacks.push(request.url())
      })
      await visit(page, shop, '/orders?page=2')
      const [callback = ''] = callbacks
      await page.goto(callback)
      assert.equal(page.url(), `${shop.origin}/orders?page=2`)
      await seeHome(page)
      await page.goBack()
      await seeHome(page)
      // And into the provider's form, which is used up.
      await page.goBack()
      assert.ok(page.url().startsWith(shop.provider.issuer), page.url())
      await page.goto(callback)
      await seeHome(page)
      assert.equal(asked(shop, 'GET /form'), 2)
      assert.equal(shop.logins.filter(({ kind }) => kind === 'signed_in').length, 1)
    },
  },
  {
    title: 'an attempt left alone too long, and one whose cookie is gone: begin anew by themselves',
    async walk({ shop, page, context }) {
      await page.goto(`${shop.origin}/orders?page=2`)
      shop.advance(3_600)
      await giveName(page)
      await page.waitForURL(`${shop.origin}/orders?page=2`)
      await seeHome(page)
      shop.advance(-3_600)
      await context.clearCookies()
      await page.goto(`${shop.origin}/orders?page=3`)
      await context.clearCookies({ name: /~sign-in-/ })
      await giveName(page)
      await page.waitForURL(`${shop.origin}/orders?page=3`)
      await seeHome(page)
    },
  },
  {
    title: 'an answer to nothing: told so, and starting works',
    async walk({ shop, page }) {
      const answer = await page.goto(`${shop.origin}/.sallyport/callback/corp?code=x&state=x`)
      assert.equal(answer?.status(), 400)
      await see(page, 'Sign-in has expired')
      await press(page, 'Start again')
      await giveName(page)
      await seeHome(page)
      assert.equal(page.url(), `${shop.origin}/`)
    },
  },
]
