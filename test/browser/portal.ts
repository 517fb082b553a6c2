/** Journeys on the gateway's own pages: with and without scripts, in light and dark, on a phone and on a desktop (G13). */
import assert from 'node:assert/strict'
import { type PortalWorld, startPortal } from '../portal/portal-world.ts'
import type { Browser, BrowserContext, ContextOptions, Page } from '../support/browser.ts'
import { axeProblems } from './axe.ts'
import { watch } from './journey.ts'
import { agreeAtService, enter, portalTour, pressButton, pressLink } from './portal-tour.ts'
import type { TestServer } from './servers.ts'
import { agree, press, see } from './steps.ts'
import { COLOUR_SCHEMES, lookIn } from './tour.ts'

/** A way through the pages, in a browser profile and a world of its own. */
export interface PortalJourney {
  readonly title: string
  /** The servers it makes sense on; all by default. */
  readonly only?: readonly TestServer['name'][]
  readonly context?: ContextOptions
  walk(stage: PortalStage): Promise<void>
}

/** Where it takes place. */
export interface PortalStage {
  readonly world: PortalWorld
  readonly context: BrowserContext
  readonly page: Page
}

/** Phone and desktop. */
export const WIDTHS = [360, 1100] as const
const PATIENCE_MS = 15_000
/** The pages of {@link portalTour}. */
const STOPS = 19

/** See the top of the file. */
export const PORTAL: readonly PortalJourney[] = [
  { title: 'portal: every page and button without scripts', context: { javaScriptEnabled: false }, walk: wholeTour },
  { title: 'portal: every page and button with scripts', walk: wholeTour },
  {
    title: 'portal: a phone, in the dark',
    only: ['node:http'],
    context: { viewport: { width: 360, height: 740 }, colorScheme: 'dark' },
    walk: wholeTour,
  },
  accessible(),
  {
    title: 'portal: consent in another tab shows by itself',
    async walk({ world, context, page }) {
      await enter(page, world, 'bob')
      const other = await context.newPage()
      await other.goto(world.page())
      await pressButton(other, 'Connect Notes')
      await agreeAtService(other, 'bob')
      await other.waitForSelector('.badge:text-is("Connected")')
      await page.waitForSelector('.badge:text-is("Connected")')
      await pressLink(other, 'Revoke Notes')
      await press(other, 'Revoke')
      await see(other, 'My MCP servers')
      await page.waitForSelector('.badge:text-is("Not connected")')
    },
  },
  {
    title: 'portal: copy buttons copy',
    only: ['node:http'],
    context: { permissions: ['clipboard-read', 'clipboard-write'] },
    async walk({ world, page }) {
      await enter(page, world, 'bob')
      const copied = () => page.evaluate<string>('navigator.clipboard.readText()')
      await pressButton(page, 'Copy the address of Notes')
      await page.waitForSelector('#said:text-is("Copied")')
      assert.equal(await copied(), `${world.origin}/mcp/dev/notes/server`)
      await press(page, 'Access tokens')
      await page.fill('#name', 'x')
      await press(page, 'Make the token')
      await see(page, 'Your token is ready')
      const token = await page.textContent('#token')
      assert.match(String(token), /^spp_\w{49}$/)
      await pressButton(page, 'Copy the token')
      await page.waitForSelector('#said:text-is("Copied")')
      assert.equal(await copied(), token)
      await pressButton(page, 'Copy the settings for Claude Code')
      await page.waitForSelector('#said:text-is("Copied")')
      assert.match(await copied(), /^claude mcp add .*Bearer spp_/)
    },
  },
  {
    title: 'portal: a reload of a token that was made makes no other one',
    only: ['node:http'],
    async walk({ world, page }) {
      await enter(page, world, 'bob')
      await press(page, 'Access tokens')
      await page.fill('#name', 'only one')
      await press(page, 'Make the token')
      await see(page, 'Your token is ready')
      await press(page, 'I have copied it')
      await see(page, 'My access tokens')
      await page.goBack()
      const rows = async () => {
        await page.goto(world.page('/tokens'))
        return page.evaluate<number>(`document.querySelectorAll('tbody tr').length`)
      }
      assert.equal(await rows(), 1)
    },
  },
  {
    title: 'portal: signing out, and a form of a page that was still open',
    async walk({ world, context, page }) {
      await enter(page, world, 'bob')
      const other = await context.newPage()
      await other.goto(world.page('/tokens'))
      await pressLink(page, 'Sign out')
      await agree(page)
      await see(page, 'You are signed out')
      await other.fill('#name', 'x')
      await press(other, 'Make the token')
      await see(other, 'Your session has ended')
    },
  },
]

async function wholeTour({ world, page }: PortalStage): Promise<void> {
  const stops: string[] = []
  await portalTour(world, page, async (name) => {
    stops.push(name)
    const by = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
    assert.ok(by <= 0, `${name} is ${by} px too wide`)
  })
  assert.equal(stops.length, STOPS)
}

/** Every page with axe-core, in both schemes and widths, and by keyboard. */
function accessible(): PortalJourney {
  return {
    title: 'portal: axe-core finds nothing on any page, light or dark, phone or desktop',
    only: ['node:http'],
    async walk({ world, page }) {
      const problems: string[] = []
      await portalTour(world, page, async (name) => {
        for (const width of WIDTHS) {
          await page.setViewportSize({ width, height: 800 })
          for (const colorScheme of COLOUR_SCHEMES) {
            await lookIn(page, colorScheme)
            const found = await axeProblems(page)
            problems.push(...found.map((each) => `${name}, ${width} px, ${colorScheme}: ${each}`))
          }
        }
        problems.push(...(await controlsWithoutFocus(page)).map((each) => `${name}: ${each}`))
        // WCAG 1.4.10: as wide as a page of 1280 px at 400 %.
        await page.setViewportSize({ width: 320, height: 800 })
        const by = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
        if (by > 0) problems.push(`${name}: ${by} px too wide at 320 px`)
        await page.setViewportSize({ width: 1100, height: 800 })
      })
      assert.deepEqual(problems, [])
    },
  }
}

/** Controls that Tab does not reach, or that do not show that they have the focus (WCAG 2.1.1, 2.4.7). */
async function controlsWithoutFocus(page: Page): Promise<string[]> {
  const controls = 'a[href], button:not([hidden]), input:not([type=hidden]), select'
  const count = await page.evaluate<number>(
    `(document.activeElement.blur(), [...document.querySelectorAll('${controls}')].filter((each) => each.checkVisibility()).length)`,
  )
  const seen = new Set<string>()
  const problems: string[] = []
  for (let pressed = 0; pressed < count + 2; pressed++) {
    await page.keyboard.press('Tab')
    const focus = await page.evaluate<{ index: number; what: string; outline: string }>(`(() => {
      const { activeElement } = document
      const index = [...document.querySelectorAll('${controls}')].indexOf(activeElement)
      return { index, what: activeElement.outerHTML.slice(0, 120), outline: getComputedStyle(activeElement).outlineStyle }
    })()`)
    if (focus.index < 0) continue
    seen.add(String(focus.index))
    if (focus.outline === 'none') problems.push(`nothing shows the focus on ${focus.what}`)
  }
  if (seen.size < count) problems.push(`Tab reaches ${seen.size} of ${count} controls`)
  return problems
}

/** Walks one; rejects with what went wrong and where. */
export async function walkPortal(journey: PortalJourney, on: TestServer, browser: Browser): Promise<void> {
  const world = await startPortal({ on: on.name })
  const context = await browser.newContext(journey.context)
  const violations: string[] = []
  try {
    context.setDefaultTimeout(PATIENCE_MS)
    context.on('page', (page) => watch(page, violations))
    const page = await context.newPage()
    await journey.walk({ world, context, page })
    assert.deepEqual(violations, [])
  } catch (error) {
    const tabs = context.pages().map((page) => `at ${page.url()}`)
    throw new Error([error instanceof Error ? error.message : String(error), ...tabs].join('\n'))
  } finally {
    await context.close()
    await world.close()
  }
}
