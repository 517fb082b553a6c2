/** What a journey is: somebody's way through real pages in a browser profile of its own, against a shop of its own. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, BrowserContext, ContextOptions, Page } from '../support/browser.ts'
import type { TestServer } from './servers.ts'
import { openShop, type Shop, type ShopOptions } from './shop.ts'

/** See the top of the file. */
export interface Journey {
  readonly title: string
  /** The servers it makes sense on; all by default. */
  readonly only?: readonly TestServer['name'][]
  readonly shop?: ShopOptions
  readonly context?: ContextOptions
  /** Pages that are left stay alive for the back button, as people have it; playwright switches that off. */
  readonly backForwardCache?: true
  /** Rejects where the pages are not as they should be. */
  walk(stage: Stage): Promise<void>
}

/** Where a journey takes place. */
export interface Stage {
  readonly shop: Shop
  readonly context: BrowserContext
  readonly page: Page
  /** Starts another site with one page on it; its port, on `127.0.0.1` and `localhost`. */
  elsewhere(html: string): Promise<number>
}

/** For whatever a page is waited for. */
const PATIENCE_MS = 15_000
/** For the journey as a whole: a hang is a failure, too. */
const JOURNEY_MS = 90_000

/** Walks `journey` on one server; rejects with what went wrong and where. */
export async function walk(journey: Journey, on: TestServer, browser: Browser): Promise<void> {
  const shop = await openShop(on, journey.shop)
  const context = await browser.newContext(journey.context)
  const closing: (() => void)[] = []
  const violations: string[] = []
  let timer: NodeJS.Timeout | undefined
  try {
    context.setDefaultTimeout(PATIENCE_MS)
    context.on('page', (page) => watch(page, violations))
    const page = await context.newPage()
    const stage: Stage = {
      shop,
      context,
      page,
      async elsewhere(html) {
        const server = createServer((_req, res) => {
          res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(`<!doctype html>${html}`)
        })
        await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
        closing.push(() => {
          server.close()
          server.closeAllConnections()
        })
        return (server.address() as AddressInfo).port
      },
    }
    const tooLong = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`still not there after ${JOURNEY_MS / 1000} s`)), JOURNEY_MS)
    })
    await Promise.race([journey.walk(stage), tooLong])
    if (violations.length > 0) throw new Error(violations.join('\n'))
  } catch (error) {
    throw new Error(`${messageOf(error)}\n${await whereabouts(context, shop)}`)
  } finally {
    clearTimeout(timer)
    for (const close of closing) close()
    await context.close()
    await shop.close()
  }
}

/** No page may break its own policy or its own scripts, whatever the journey is about. */
export function watch(page: Page, violations: string[]): void {
  page.on('console', (message) => {
    if (/content security policy|content-security-policy/i.test(message.text())) violations.push(message.text())
  })
  page.on('pageerror', (error) => violations.push(`a script of ${page.url()} failed: ${error.message}`))
}

/** Which pages are open, and what the guard has told. */
async function whereabouts(context: BrowserContext, shop: Shop): Promise<string> {
  const tabs = await Promise.all(
    context
      .pages()
      .map(async (page) => `${page.url()} "${await page.evaluate<string>('document.title').catch(() => '?')}"`),
  )
  const logins = shop.logins.map(({ kind, reason, detail }) => [kind, reason, detail].filter(Boolean).join(' '))
  const last = shop.decisions
    .slice(-3)
    .map(({ method, path, status, reason }) => `${method} ${path} ${status} ${reason}`)
  return [...tabs.map((tab) => `at ${tab}`), `told ${logins.join('; ')}`, `last ${last.join('; ')}`].join('\n')
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
