/** Somebody with a browser, who follows a link and does what the pages on the way ask for: Chromium, or forms alone. */
import type { Browser, Page } from '../support/browser.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { PASSWORD } from '../support/login-provider.ts'

/** Opens `url`, signs in and agrees wherever that is asked for, and tells where they have ended up. */
export type Visitor = (url: string, name: (provider: string) => string) => Promise<Arrival>

/** The page where there was nothing left to do. */
export interface Arrival {
  readonly url: string
  readonly text: string
}

const MOST_STEPS = 8
const PATIENCE_MS = 15_000
/** What Chromium and Playwright say of a navigation that another one has replaced. */
const BROKEN_OFF = /ERR_ABORTED|interrupted by another navigation/

/** With a browser profile of its own for each visit. */
export function chromiumVisitor(browser: Browser): Visitor {
  return async (url, name) => {
    const context = await browser.newContext()
    context.setDefaultTimeout(PATIENCE_MS)
    try {
      const page = await context.newPage()
      await page.goto(url)
      for (let step = 0; step < MOST_STEPS; step++) {
        const html = await page.content()
        if (!hasForm(html)) return { url: page.url(), text: (await page.textContent('body')) ?? '' }
        await takeStep(page, html, name)
      }
      throw new Error(`still asked for something after ${MOST_STEPS} pages, at ${page.url()}`)
    } finally {
      await context.close()
    }
  }
}

async function takeStep(page: Page, html: string, name: (provider: string) => string): Promise<void> {
  const here = page.url()
  async function submit(): Promise<void> {
    if (html.includes('id="password"')) {
      await page.fill('#name', name(new URL(here).origin))
      await page.fill('#password', PASSWORD)
      await page.click('#go')
    } else await page.click('form[method="post" i] button')
  }
  // Both at once, so that whichever fails first is what is told, and the other one is not left unheard.
  await Promise.all([elsewhere(page, here), submit()])
}

/** Waits for another page than `here`. A page that goes on by itself breaks off the load that was waited for: the next one counts. */
async function elsewhere(page: Page, here: string): Promise<void> {
  for (let broken = 0; ; broken++) {
    try {
      await page.waitForURL((to) => to.href !== here)
      return
    } catch (error) {
      if (broken < MOST_STEPS && BROKEN_OFF.test(String(error))) continue
      const path = new URL(here).pathname.replace(/[\w-]{30,}/g, '…')
      throw new Error(`the form at ${path} leads nowhere`, { cause: error })
    }
  }
}

/** Without a browser: the requests that one would send. */
export const formVisitor: Visitor = async (url, name) => {
  const browser = new FormBrowser()
  let page = await browser.load(url)
  for (let step = 0; step < MOST_STEPS; step++) {
    if (!hasForm(page.body)) return { url: page.url, text: page.body }
    const isSignIn = page.body.includes('id="password"')
    page = await browser.submit(page, isSignIn ? { name: name(new URL(page.url).origin), password: PASSWORD } : {})
  }
  throw new Error(`still asked for something after ${MOST_STEPS} pages, at ${page.url}`)
}

function hasForm(html: string): boolean {
  return /<form[^>]*method="post"/i.test(html)
}
