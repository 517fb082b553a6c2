/** Gives consent with a browser, as a person would: signs in where that is asked for, and allows what is asked for. */
import { type Browser, type Loaded, titleOf } from './browser.ts'
import type { LoginName } from './guard.ts'
import { PASSWORD } from './people.ts'

/** The sign-in to the gateway, its question, the sign-in at the other side; more would be going in circles. */
const MAX_PAGES = 6

/** Somebody, and the integration that they sign in to the gateway with. */
export interface Who {
  readonly name: string
  readonly integration: LoginName
}

/** Opens `link` and goes on until there is nothing left to fill in; where that ends. */
export async function giveConsent(browser: Browser, link: string, who: Who): Promise<Loaded> {
  let page = await openLink(browser, link, who)
  for (let pages = 0; hasForm(page); pages++) {
    if (pages === MAX_PAGES) throw new Error(`still asked for something at ${page.url}: ${titleOf(page)}`)
    page = await browser.submit(page, asksWho(page) ? credentialsOf(who) : {})
  }
  return page
}

/** Opens `link` and signs in to the gateway, if asked; what the gateway says then. */
export async function openLink(browser: Browser, link: string, who: Who): Promise<Loaded> {
  let page = await browser.open(link)
  // Where the guard knows several providers, people choose.
  const choice = new RegExp(`href="([^"]*[?;&]integration=${who.integration}[^"]*)"`).exec(page.body)?.[1]
  if (choice !== undefined) page = await browser.open(new URL(choice.replaceAll('&amp;', '&'), page.url).href)
  return asksWho(page) ? browser.submit(page, credentialsOf(who)) : page
}

function credentialsOf({ name }: Who): Record<string, string> {
  return { name, password: PASSWORD }
}

function hasForm({ status, body }: Loaded): boolean {
  return status === 200 && body.includes('<form')
}

function asksWho(page: Loaded): boolean {
  return page.body.includes('name="password"')
}
