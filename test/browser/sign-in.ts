/** Journeys: signing in. */
import assert from 'node:assert/strict'
import type { Journey } from './journey.ts'
import { ask, asked, FORBIDDEN, fetched, giveName, press, see, seeHome, visit } from './steps.ts'

/** See the top of the file. */
export const SIGN_IN: readonly Journey[] = [
  {
    title: 'first visit: name and password at the provider, and back on the page',
    async walk({ shop, page, context }) {
      await page.goto(`${shop.origin}/`)
      assert.ok(page.url().startsWith(`${shop.provider.issuer}/`))
      await giveName(page)
      await page.waitForURL(`${shop.origin}/`)
      await seeHome(page)
      assert.equal(await ask(page), '200')
      assert.deepEqual(JSON.parse((await page.textContent('#answer')) ?? ''), { subject: 'alice', type: 'session' })
      // Nothing of the sign-in is left behind, and what is left is out of reach of scripts.
      const own = (await context.cookies()).filter(({ name }) => name.startsWith('sallyport'))
      assert.deepEqual(
        own.map(({ name, httpOnly, sameSite }) => ({ name, httpOnly, sameSite })),
        [{ name: `sallyport-${shop.port}.corp`, httpOnly: true, sameSite: 'Lax' }],
      )
      assert.equal(await page.evaluate('document.cookie.includes("sallyport")'), false)
    },
  },
  {
    title: 'deep link: back to exactly the URL with its query',
    async walk({ shop, page }) {
      const path = '/orders/42?page=2&q=a%20b%2Fc&q=%C3%A9%26&empty='
      await visit(page, shop, path)
      assert.equal(await page.textContent('#url'), path)
    },
  },
  {
    title: 'claim refused: a page that says so, for a script the status, and another account gets in',
    async walk({ shop, page }) {
      await page.goto(`${shop.origin}/admin`)
      await giveName(page, 'bob')
      await see(page, 'You do not have access')
      assert.equal(page.url(), `${shop.origin}/admin`)
      // What looks like markup in a name is text.
      assert.equal(await page.textContent('bdi'), 'Bob <b>Bold</b>')
      await page.goto(`${shop.origin}/`)
      await seeHome(page, 'Bob <b>Bold</b>')
      assert.deepEqual(await fetched(page, '/admin'), FORBIDDEN)
      await page.click('#admin')
      await press(page, 'Use another account')
      await page.click('#yes')
      await see(page, 'You are signed out')
      await press(page, 'Sign in again')
      await giveName(page, 'alice')
      await seeHome(page)
      await page.click('#admin')
      await see(page, 'Administration')
    },
  },
  {
    title: 'two tabs signing in at once: both arrive where they wanted to',
    async walk({ shop, page, context }) {
      const other = await context.newPage()
      await Promise.all([page.goto(`${shop.origin}/first?tab=1`), other.goto(`${shop.origin}/second?tab=2`)])
      await Promise.all([giveName(page), giveName(other)])
      await Promise.all([
        page.waitForURL(`${shop.origin}/first?tab=1`),
        other.waitForURL(`${shop.origin}/second?tab=2`),
      ])
      await Promise.all([seeHome(page), seeHome(other)])
      assert.deepEqual([await ask(page), await ask(other)], ['200', '200'])
    },
  },
  {
    title: 'two providers: a page to choose on comes first',
    shop: { alsoNamed: { partner: 'Partner <Ltd>' } },
    async walk({ shop, page }) {
      await page.goto(`${shop.origin}/orders?page=3`)
      await see(page, 'Sign in')
      await press(page, 'Partner <Ltd>')
      await giveName(page)
      await page.waitForURL(`${shop.origin}/orders?page=3`)
      await seeHome(page)
    },
  },
  {
    title: 'without JavaScript: signing in, being refused and signing out work all the same',
    context: { javaScriptEnabled: false },
    async walk({ shop, page }) {
      await visit(page, shop, '/orders?page=2', 'bob')
      await seeHome(page, 'Bob <b>Bold</b>')
      await page.click('#admin')
      await see(page, 'You do not have access')
      await press(page, 'Use another account')
      await page.click('#yes')
      await see(page, 'You are signed out')
      await press(page, 'Sign in again')
      await see(page, 'Provider')
    },
  },
  {
    title: 'https and form_post: the answer comes as a form, cookies are __Host-',
    shop: { secure: true, oauth2: { responseMode: 'form_post' }, login: { signOut: 'local' } },
    context: { ignoreHTTPSErrors: true },
    async walk({ shop, page, context }) {
      const posted: string[] = []
      page.on('request', (request) => {
        if (request.method() === 'POST') posted.push(request.url())
      })
      await visit(page, shop, '/orders?page=2')
      await seeHome(page)
      assert.ok(posted.includes(`${shop.origin}/.sallyport/callback/corp`), posted.join(' '))
      const own = (await context.cookies()).filter(({ name }) => name.includes('sallyport'))
      assert.deepEqual(
        own.map(({ name, secure, httpOnly, path }) => ({ name, secure, httpOnly, path })),
        [{ name: `__Host-sallyport-${new URL(shop.origin).port}.corp`, secure: true, httpOnly: true, path: '/' }],
      )
      assert.equal(await ask(page), '200')
      await page.click('#sign-out')
      await see(page, 'You are signed out')
      assert.deepEqual(
        (await context.cookies()).filter(({ name }) => name.includes('sallyport')),
        [],
      )
      // Still signed in at the provider: no form this time.
      const forms = asked(shop, 'GET /form')
      await press(page, 'Sign in again')
      await seeHome(page)
      assert.equal(asked(shop, 'GET /form'), forms)
    },
  },
]
