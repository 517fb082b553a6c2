/** What the checks of browser login do with a browser, and how they say where it has arrived. */
import { type Browser, type Loaded, titleOf } from '../browser.ts'
import { PASSWORD } from '../people.ts'
import type { Target } from '../servers.ts'

/** A browser for each server. */
export function oneEach(newBrowser: () => Browser): (target: Target) => Browser {
  const browsers = new Map<Target, Browser>()
  return (target) => {
    const browser = browsers.get(target) ?? newBrowser()
    browsers.set(target, browser)
    return browser
  }
}

/** Goes to `path` of a server and signs in as `person` at the provider's form, if one comes up. */
export async function goTo(browser: Browser, { url }: Target, path: string, person: string): Promise<Loaded> {
  const page = await browser.open(`${url}${path}`)
  return titleOf(page) === 'Sign in' ? browser.submit(page, { name: person, password: PASSWORD }) : page
}

/** A page in one line: `200 "Hello, Alice Ames" /app/`. */
export function describePage({ url }: Target, page: Loaded): string {
  const { origin, pathname, search } = new URL(page.url)
  return `${page.status} "${titleOf(page)}" ${origin === url ? pathname + search : 'at the provider'}`
}

/** What a browser is sent off with: `302 to the provider: code S256 state nonce`, or where all that was pushed, `request_uri`. */
export function describeDeparture({ status, headers }: Loaded, issuer: string): string {
  const to = new URL(headers.location ?? '', 'http://nowhere.test')
  const asked = (name: string) => to.searchParams.get(name)
  const parts = [
    asked('response_type'),
    asked('code_challenge') && asked('code_challenge_method'),
    asked('state') && 'state',
    asked('nonce') && 'nonce',
    asked('request_uri') && 'request_uri',
  ]
  const where = to.origin === issuer ? 'the provider' : to.href
  return `${status} to ${where}: ${parts.filter(Boolean).join(' ')}`
}
