/**
 * Debian's Chromium, driven by playwright-core. Its own types want the DOM's,
 * which have no place in a library for servers; what is used of them is written down here.
 */
import { createRequire } from 'node:module'

/** The answer to a navigation or another request. */
export interface Answer {
  status(): number
  url(): string
  headers(): Record<string, string>
  text(): Promise<string>
}

/** A request that a page has made. */
export interface SentRequest {
  url(): string
  method(): string
  isNavigationRequest(): boolean
}

/** Something written to a page's console, by a script or by the browser. */
export interface ConsoleMessage {
  type(): string
  text(): string
}

/** Which URLs to wait for. */
export type UrlPattern = string | RegExp | ((url: URL) => boolean)

/** A page of the browser: a tab. Selectors that match nothing yet are waited for. */
export interface Page {
  goto(url: string): Promise<Answer | null>
  goBack(): Promise<Answer | null>
  url(): string
  content(): Promise<string>
  textContent(selector: string): Promise<string | null>
  getAttribute(selector: string, name: string): Promise<string | null>
  inputValue(selector: string): Promise<string>
  fill(selector: string, value: string): Promise<void>
  click(selector: string): Promise<void>
  waitForURL(url: UrlPattern): Promise<void>
  waitForSelector(selector: string): Promise<unknown>
  /** Waits until an expression, evaluated in the page, is true. */
  waitForFunction(expression: string): Promise<unknown>
  /** What an expression, or the promise it comes to, is in the page. */
  evaluate<Value>(expression: string): Promise<Value>
  /** The next tab that the page opens. */
  waitForEvent(event: 'popup'): Promise<Page>
  on(event: 'request', listener: (request: SentRequest) => void): unknown
  on(event: 'console', listener: (message: ConsoleMessage) => void): unknown
  on(event: 'pageerror', listener: (error: Error) => void): unknown
  readonly keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> }
  setViewportSize(size: { width: number; height: number }): Promise<void>
  emulateMedia(options: { colorScheme?: 'light' | 'dark'; reducedMotion?: 'reduce' | 'no-preference' }): Promise<void>
  screenshot(options: { path: string; fullPage?: boolean }): Promise<unknown>
  close(): Promise<void>
}

/** A cookie that the browser keeps. */
export interface KeptCookie {
  readonly name: string
  readonly value: string
  readonly domain: string
  readonly path: string
  readonly httpOnly: boolean
  readonly secure: boolean
  readonly sameSite: 'Strict' | 'Lax' | 'None'
}

/** How a context differs from the usual one. */
export interface ContextOptions {
  readonly httpCredentials?: { username: string; password: string }
  readonly javaScriptEnabled?: boolean
  /** Self-signed certificates are taken for good. */
  readonly ignoreHTTPSErrors?: boolean
  readonly colorScheme?: 'light' | 'dark'
  readonly viewport?: { width: number; height: number }
  readonly deviceScaleFactor?: number
  readonly permissions?: readonly string[]
}

/** A browser profile of its own: cookies, cache and tabs are shared with no other. */
export interface BrowserContext {
  newPage(): Promise<Page>
  pages(): Page[]
  cookies(): Promise<KeptCookie[]>
  clearCookies(options?: { readonly name: RegExp }): Promise<void>
  setDefaultTimeout(ms: number): void
  on(event: 'page', listener: (page: Page) => void): unknown
  close(): Promise<void>
}

/** A browser. */
export interface Browser {
  newContext(options?: ContextOptions): Promise<BrowserContext>
  version(): string
  close(): Promise<void>
}

/** How to start it, beside the usual. */
export interface LaunchOptions {
  /** More command line flags. */
  readonly args?: readonly string[]
  /** Flags of playwright's to leave out. */
  readonly ignoreDefaultArgs?: readonly string[]
}

interface PlaywrightLaunch {
  executablePath: string
  args: readonly string[]
  ignoreDefaultArgs?: readonly string[]
}

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts Chromium, without a window. */
export function launch(executablePath: string, options: LaunchOptions = {}): Promise<Browser> {
  const { chromium } = createRequire(import.meta.url)('playwright-core') as {
    chromium: { launch(options: PlaywrightLaunch): Promise<Browser> }
  }
  return chromium.launch({ executablePath, ...options, args: [...ARGS, ...(options.args ?? [])] })
}
