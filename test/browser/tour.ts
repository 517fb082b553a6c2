/** A walk past every page that login shows people, on the way that leads to it. */
import type { Page } from '../support/browser.ts'
import type { Stage } from './journey.ts'
import type { ShopOptions } from './shop.ts'
import { agree, giveName, press, see, seeHome } from './steps.ts'

/** The shop that has all of them. */
export const TOUR_SHOP: ShopOptions = {
  login: { brand: { name: 'Orders' } },
  oauth2: { label: 'Example Corp' },
  alsoNamed: { partner: 'Partner Ltd' },
  people: { alice: { name: 'Alice Ames', groups: ['admin'] }, bob: { name: 'Bob Bell', groups: [] } },
}

export const COLOUR_SCHEMES = ['light', 'dark'] as const

/** Turns the page light or dark, and waits until it is. */
export async function lookIn(page: Page, colorScheme: 'light' | 'dark'): Promise<void> {
  await page.emulateMedia({ colorScheme })
  await page.evaluate('Promise.all(document.getAnimations().map(({ finished }) => finished)).then(() => {})')
}

/** Calls `stop` on each page, under its name. It must leave the page where it is. */
export async function tour(
  { shop, page, context }: Pick<Stage, 'shop' | 'page' | 'context'>,
  stop: (name: string, page: Page) => Promise<void>,
): Promise<void> {
  await page.goto(`${shop.origin}/`)
  await see(page, 'Sign in')
  await stop('choice', page)
  await press(page, 'Example Corp')
  await page.click('#cancel')
  await see(page, 'You were not signed in')
  await stop('denied', page)

  await press(page, 'Try again')
  await giveName(page, 'bob')
  await seeHome(page, 'Bob Bell')
  await page.click('#admin')
  await see(page, 'You do not have access')
  await stop('no-access', page)

  await page.goto(`${shop.origin}/`)
  await context.clearCookies()
  await page.click('#order')
  await see(page, 'Your session has ended')
  await stop('session-ended', page)

  await page.goto(`${shop.origin}/.sallyport/callback/corp?code=x&state=x`)
  await see(page, 'Sign-in has expired')
  await stop('expired', page)

  await page.goto(`${shop.origin}/admin`)
  await giveName(page)
  await see(page, 'Administration')
  await page.goto(`${shop.origin}/.sallyport/sign-out`)
  await see(page, 'Sign out?')
  await stop('sign-out', page)
  await press(page, 'Sign out')
  await agree(page)
  await see(page, 'You are signed out')
  await stop('signed-out', page)

  shop.provider.mode = 'hang-up'
  await page.goto(`${shop.origin}/admin`)
  await see(page, 'Sign-in is not available right now')
  await stop('unavailable', page)
}
