/** What the tests of attacks share: an application behind a guard whose identity providers do what a test has them do. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { expect, onTestFinished } from 'vitest'
import { authOf, sallyport } from '../../adapters/node.ts'
import {
  createGuard,
  type Decision,
  type Guard,
  type GuardConfig,
  generateKey,
  type Integration,
  type KeyReport,
  type LoginConfig,
  type LoginEvent,
  type OAuth2,
  type Route,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { FormBrowser, type LoadedPage } from '../support/form-browser.ts'
import { createTestClock, type TestClock } from '../support/keys.ts'
import { API, type RogueProvider, startRogueProvider } from './rogue-provider.ts'

export const CLIENT_SECRET = 'the-secret-of-the-stall-0123456789-abcdefghij'

/** See the top of the file. */
export interface Stall {
  /** Where people sign in. */
  readonly origin: string
  /** The port that the server listens on, whatever the origin says. */
  readonly port: number
  readonly guard: Guard
  readonly clock: TestClock
  /** The provider of the integration `corp`, and that of `other`. */
  readonly provider: RogueProvider
  readonly other: RogueProvider
  readonly browser: FormBrowser
  readonly logins: LoginEvent[]
  readonly decisions: Decision[]
  readonly keyReports: KeyReport[]
  newBrowser(): FormBrowser
  /** Everything that was told, as text. */
  told(): string
}

/** How a {@link Stall} differs from the usual one. */
export interface StallOptions {
  /** The login's origin; by default that of the server. */
  readonly url?: string
  readonly login?: Partial<LoginConfig>
  readonly integration?: Partial<Integration>
  readonly oauth2?: Partial<OAuth2>
  readonly other?: { readonly integration?: Partial<Integration>; readonly oauth2?: Partial<OAuth2> }
  /** What the integration `corp` is called. */
  readonly named?: string
  readonly routes?: readonly Route[]
  readonly config?: Partial<GuardConfig>
  /** More origins that lead to the server, `https://partner.test`. */
  readonly origins?: readonly string[]
  /** Before either provider is asked for anything. */
  readonly prepare?: (provider: RogueProvider, other: RogueProvider) => void
  /** Runs in front of the guard, as a body parser does. */
  readonly before?: (request: IncomingMessage) => Promise<void>
}

/** Starts providers, application and guard; they end with the test. */
export async function openStall(options: StallOptions = {}): Promise<Stall> {
  let listener: RequestListener = (_request, response) => void response.writeHead(500).end()
  const server = createServer((request, response) => listener(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const origin = options.url ?? `http://127.0.0.1:${port}`
  const clock = createTestClock(Date.now())
  const [provider, other] = await Promise.all([startRogueProvider(clock), startRogueProvider(clock)])
  options.prepare?.(provider, other)

  const integration = (
    { issuer }: RogueProvider,
    clientId: string,
    more: { integration?: Partial<Integration> | undefined; oauth2?: Partial<OAuth2> | undefined },
  ): Integration => ({
    issuer,
    audience: API,
    ...more.integration,
    oauth2: { clientId, clientSecret: CLIENT_SECRET, ...more.oauth2 },
  })
  const guard = createGuard({
    clock,
    login: {
      url: origin,
      keys: [generateKey()],
      ...(options.login?.session === 'cookie' ? {} : { store: memoryStore({ clock }) }),
      ...options.login,
    },
    integrations: {
      [options.named ?? 'corp']: integration(provider, 'shop', options),
      other: integration(other, 'shop-at-other', options.other ?? {}),
    },
    routes: options.routes ?? [
      { path: '/open', auth: { type: 'none' } },
      { path: '/other', auth: { type: 'jwt', integration: 'other', login: true } },
      { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
    ],
    ...options.config,
  })
  const guarded = sallyport(guard)(application)
  listener = (request, response) => {
    if (options.before === undefined) guarded(request, response)
    else
      options.before(request).then(
        () => guarded(request, response),
        () => response.destroy(),
      )
  }
  const logins: LoginEvent[] = []
  const decisions: Decision[] = []
  const keyReports: KeyReport[] = []
  guard.on('login', (event) => logins.push(event))
  guard.on('decision', (event) => decisions.push(event))
  guard.on('keys', (event) => keyReports.push(event))
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await guard.close()
    await Promise.all([provider.close(), other.close()])
  })
  const ports = new Map([origin, ...(options.origins ?? [])].map((each) => [each, port]))
  const newBrowser = () => new FormBrowser(ports)
  return {
    origin,
    port,
    guard,
    clock,
    provider,
    other,
    browser: newBrowser(),
    logins,
    decisions,
    keyReports,
    newBrowser,
    told: () => JSON.stringify([logins, decisions, keyReports]),
  }
}

function application(request: IncomingMessage, response: ServerResponse): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ url: request.url, method: request.method, auth: authOf(request) ?? null }))
}

/** Follows redirects from `url` up to one that leads to a URL with `part` in it, which is not loaded. */
export async function stopBefore(browser: FormBrowser, url: string, part: string): Promise<string> {
  let next = url
  for (let hop = 0; hop < 10; hop++) {
    const page = await browser.load(next, { follow: false })
    if (typeof page.headers.location !== 'string') throw new Error(`${next}: ${page.status}\n${page.body}`)
    next = new URL(page.headers.location, next).href
    if (next.includes(part)) return next
  }
  throw new Error(`no redirect to ${part}`)
}

/** The provider's answer to `browser`, which has begun to sign in for `url` and has not brought it back yet. */
export const callbackOf = (browser: FormBrowser, url: string) => stopBefore(browser, url, '/callback/')

/** `url` with parameters set, or without those that are `undefined`. */
export function withParameters(url: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const changed = new URL(url)
  for (const [name, value] of Object.entries(parameters)) {
    if (value === undefined) changed.searchParams.delete(name)
    else changed.searchParams.set(name, value)
  }
  return changed.href
}

/** Who the application says is signed in with `browser`; `null` for nobody. */
export async function whoIs(browser: FormBrowser, url: string): Promise<unknown> {
  const page = await browser.script(url)
  return page.status === 200 ? JSON.parse(page.body).auth?.subject : null
}

/** A cookie of the guard's, by what its name ends in. */
export function cookieOf(browser: FormBrowser, host: string, end: string): { name: string; value: string } {
  const cookie = browser.cookies(host).find((each) => each.slice(0, each.indexOf('=')).endsWith(end))
  if (cookie === undefined) throw new Error(`no cookie …${end} among ${browser.cookies(host).join('; ')}`)
  return { name: cookie.slice(0, cookie.indexOf('=')), value: cookie.slice(cookie.indexOf('=') + 1) }
}

/** Names of the cookies of a page's answer, without those that it clears. */
export function cookiesSet(page: LoadedPage): string[] {
  return [page.headers['set-cookie'] ?? []]
    .flat()
    .filter((line) => !/expires=Thu, 01 Jan 1970/i.test(line))
    .map((line) => line.slice(0, line.indexOf('=')))
}

/** Expects that a sign-in of the browser's own begins, with which nobody is signed in yet. */
export function expectBegun({ provider }: Pick<Stall, 'provider'>, page: LoadedPage): void {
  expect([302, 303]).toContain(page.status)
  expect(page.headers.location).toContain(`${provider.issuer}/`)
  expect(cookiesSet(page)).toEqual([expect.stringMatching(/~sign-in-[0-7]$/)])
}

/** Expects that nobody is let in, and that nothing breaks. Asks as a script and as a page load, with `cookie` for all cookies. */
export async function expectNobody(stall: Stall, cookie: string, url = `${stall.origin}/`): Promise<void> {
  const bare = stall.newBrowser()
  const script = await bare.script(url, { headers: { cookie } })
  expect(script.status, `a script with ${cookie.slice(0, 200)}`).toBe(403)
  const page = await bare.load(url, { headers: { cookie }, follow: false })
  expect(page.status, `a page load with ${cookie.slice(0, 200)}`).toBe(302)
  expect(new URL(String(page.headers.location)).origin).toBe(stall.provider.issuer)
  for (const path of ['sign-out', 'signed-out', 'sign-in']) {
    const own = await bare.load(`${stall.origin}/.sallyport/${path}`, { headers: { cookie }, follow: false })
    expect(own.status, path).toBeLessThan(400)
  }
  const out = await bare.load(`${stall.origin}/.sallyport/sign-out`, {
    headers: { cookie, 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
    follow: false,
  })
  expect(out.status, 'signing out').toBe(303)
}

/** The guard's cookies on this machine, `name=value` each. */
export const ownCookies = (browser: FormBrowser) =>
  browser.cookies('127.0.0.1').filter((each) => each.startsWith('sallyport'))
