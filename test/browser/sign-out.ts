/** Journeys: signing out. */
import assert from 'node:assert/strict'
import type { Journey } from './journey.ts'
import { agree, ask, asked, see, seeHome, visit } from './steps.ts'

/** See the top of the file. */
export const SIGN_OUT: readonly Journey[] = [
  {
    title: 'sign out by link: here and at the provider, and the back button shows nothing',
    async walk({ shop, page, context }) {
      await visit(page, shop, '/orders?page=2')
      await page.click('#sign-out')
      await agree(page)
      await page.waitForURL(`${shop.origin}/.sallyport/signed-out`)
      await see(page, 'You are signed out')
      assert.deepEqual(
        (await context.cookies()).filter(({ name }) => name.startsWith('sallyport')),
        [],
      )
      await page.evaluate('history.go(-2)')
      await see(page, 'Provider')
      assert.equal((await page.content()).includes('Alice'), false)
      // Nobody is signed in at the provider either.
      await page.goto(`${shop.origin}/`)
      await see(page, 'Provider')
    },
  },
  {
    title: 'sign out here only: the back button shows nothing either',
    shop: { login: { signOut: 'local' } },
    async walk({ shop, page }) {
      await visit(page, shop, '/orders?page=2')
      await page.click('#sign-out')
      await see(page, 'You are signed out')
      const signIns = asked(shop, 'POST /token')
      await page.goBack()
      // The provider still knows her: what comes is a page made for a new session, not one kept from the old.
      await seeHome(page)
      assert.equal(asked(shop, 'POST /token'), signIns + 1)
    },
  },
  {
    title: 'sign out with pages kept alive for the back button: it shows nothing either',
    backForwardCache: true,
    shop: { login: { signOut: 'local' } },
    async walk({ shop, page }) {
      await visit(page, shop)
      await page.goto(`${shop.origin}/orders?page=2`)
      await page.evaluate('window.old = true')
      await page.click('#sign-out')
      await see(page, 'You are signed out')
      const signIns = asked(shop, 'POST /token')
      await page.evaluate('history.back()')
      await seeHome(page)
      assert.equal(await page.evaluate('window.old'), undefined, 'it is the page as it was left')
      assert.equal(asked(shop, 'POST /token'), signIns + 1)
    },
  },
  {
    title: 'sign-out from another site: asks first, by link and by image',
    async walk({ shop, page, elsewhere }) {
      await visit(page, shop)
      const target = `${shop.origin}/.sallyport/sign-out`
      const port = await elsewhere(
        `<h1>Elsewhere</h1><a id="link" href="${target}">Win</a><img src="${target}" alt="">`,
      )
      await page.goto(`http://localhost:${port}/`)
      await page.click('#link')
      await see(page, 'Sign out?')
      assert.equal(await page.textContent('bdi'), 'Alice Ames')
      await page.goto(`${shop.origin}/`)
      await seeHome(page)
      assert.equal(await ask(page), '200')
      // Who means it can say so, with the keyboard alone.
      await page.goto(`http://localhost:${port}/`)
      await page.click('#link')
      await see(page, 'Sign out?')
      await page.keyboard.press('Tab')
      assert.equal(await page.evaluate('document.activeElement.textContent'), 'Sign out')
      await page.keyboard.press('Enter')
      await agree(page)
      await see(page, 'You are signed out')
      assert.equal(page.url(), `${shop.origin}/.sallyport/signed-out`)
    },
  },
  {
    title: 'sign-out from another site: a form posted from there is refused',
    async walk({ shop, page, elsewhere }) {
      await visit(page, shop)
      const form = `<form method="post" action="${shop.origin}/.sallyport/sign-out"><button id="send">Win</button></form>`
      const port = await elsewhere(`<h1>Elsewhere</h1>${form}`)
      // From another site without the cookie, from another port of this one with it.
      for (const host of ['localhost', '127.0.0.1']) {
        await page.goto(`http://${host}:${port}/`)
        await page.click('#send')
        await see(page, 'You do not have access')
        await page.goto(`${shop.origin}/`)
        await seeHome(page)
      }
    },
  },
  {
    title: 'back-channel: signing out at the provider in one tab ends the other',
    async walk({ shop, page, context }) {
      await visit(page, shop)
      assert.equal(await ask(page), '200')
      const other = await context.newPage()
      await other.goto(`${shop.provider.issuer}/session/end`)
      await agree(other)
      const { detail } = await shop.login('ended')
      assert.equal(detail, '1 session')
      assert.equal(await ask(page), '403')
      await page.click('#admin')
      await see(page, 'Provider')
    },
  },
]
