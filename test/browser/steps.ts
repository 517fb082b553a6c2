/** What people do and see, step by step; the vocabulary of the journeys. */
import assert from 'node:assert/strict'
import type { Page } from '../support/browser.ts'
import { PASSWORD } from '../support/login-provider.ts'
import type { Shop } from './shop.ts'

/** Fills in the provider's form. */
export async function giveName(page: Page, name = 'alice'): Promise<void> {
  await page.waitForSelector('h1:text("Provider")')
  await page.fill('#name', name)
  await page.fill('#password', PASSWORD)
  await page.click('#go')
}

/** Goes to a path of the shop, signs in on the way, and arrives. */
export async function visit(page: Page, shop: Shop, path = '/', name = 'alice'): Promise<void> {
  await page.goto(shop.origin + path)
  await giveName(page, name)
  await page.waitForURL(shop.origin + path)
}

/** Waits for a page by its heading. */
export async function see(page: Page, heading: string): Promise<void> {
  try {
    await page.waitForSelector(`h1:text-is(${JSON.stringify(heading)})`)
  } catch {
    const found = await page.textContent('h1').catch(() => null)
    assert.fail(`expected the page "${heading}", and found "${found}"`)
  }
}

/** The application's page, with somebody's name. */
export function seeHome(page: Page, name = 'Alice Ames'): Promise<void> {
  return see(page, `Hello ${name}`)
}

/** Presses the button whose script asks the application, and reads what the page says of the status. */
export async function ask(page: Page): Promise<string | null> {
  await page.evaluate("document.getElementById('status').textContent = ''")
  await page.click('#ask')
  await page.waitForFunction("document.getElementById('status').textContent !== ''")
  return page.textContent('#status')
}

/** Clicks a link or a button by what it says. */
export function press(page: Page, label: string): Promise<void> {
  const says = `:text-is(${JSON.stringify(label)})`
  return page.click(`a${says}, button${says}, a:has(> span${says})`)
}

/** Asks by script, again and again, until the answer is no. */
export async function untilRefused(page: Page): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    const asking = setInterval(async () => {
      if ((await fetch('/api/me')).status === 403) resolve(clearInterval(asking))
    }, 100)
  })`)
}

/** What a script gets from `path`: status, type, and whether it was sent elsewhere. */
export function fetched(page: Page, path: string): Promise<{ status: number; type: string; redirected: boolean }> {
  return page.evaluate(`fetch(${JSON.stringify(path)}).then(({ status, headers, redirected }) => ({
    status, redirected, type: headers.get('content-type') }))`)
}

/** What scripts get without a session, or with one that does not do. */
export const FORBIDDEN = { status: 403, type: 'application/problem+json', redirected: false }

/** Signs out at the provider, which asks first. */
export async function agree(page: Page): Promise<void> {
  await page.click('#yes')
}

/** What the provider has been asked, by `POST /token` and the like. */
export function asked(shop: Shop, what: string): number {
  return shop.provider.asked.get(what) ?? 0
}
