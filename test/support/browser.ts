/**
 * Debian's Chromium, driven by playwright-core. Its own types want the DOM's,
 * which have no place in a library for servers; what is used of them is written down here.
 */
import { createRequire } from 'node:module'

/** A page of the browser. */
export interface Page {
  goto(url: string): Promise<{ status(): number } | null>
  textContent(selector: string): Promise<string | null>
}

/** A browser. */
export interface Browser {
  newContext(options?: {
    httpCredentials?: { username: string; password: string }
  }): Promise<{ newPage(): Promise<Page> }>
  close(): Promise<void>
}

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Starts Chromium, without a window. */
export function launch(executablePath: string): Promise<Browser> {
  const { chromium } = createRequire(import.meta.url)('playwright-core') as {
    chromium: { launch(options: { executablePath: string; args: string[] }): Promise<Browser> }
  }
  return chromium.launch({ executablePath, args: ARGS })
}
