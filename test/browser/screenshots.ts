/**
 * `npm run screenshots`: pictures for the documentation of the pages that people see, light and dark, into
 * `docs/pictures/login/` and `docs/pictures/portal/`. The pages are real ones, reached as people reach them.
 */
import { mkdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { startPortal } from '../portal/portal-world.ts'
import { launch, type Page } from '../support/browser.ts'
import { part } from '../support/parts.ts'
import { portalTour } from './portal-tour.ts'
import { SERVERS } from './servers.ts'
import { openShop } from './shop.ts'
import { COLOUR_SCHEMES, lookIn, TOUR_SHOP, tour } from './tour.ts'

const folderOf = (name: string) => fileURLToPath(new URL(`../../docs/pictures/${name}/`, import.meta.url))
const MAX_BYTES = 60_000
/** Pages of the gateway's own are larger; of them, what is seen without scrolling. */
const MAX_PORTAL_BYTES = 130_000
/** Those of them that the documentation shows. */
const PORTAL_PICTURES = [
  'servers-connected',
  'token-made',
  'tokens',
  'virtual',
  'own-accounts',
  'admin-account',
  'admin-access',
]
/** And as they are on a phone. */
const ON_A_PHONE = ['servers-connected', 'tokens']
const [server] = SERVERS
const chromium = part('chromium')
if (chromium === undefined || server === undefined) throw new Error('there is no Chromium to take pictures with')

const browser = await launch(chromium)
const shop = await openShop(server, TOUR_SHOP)
const world = await startPortal()
const DESKTOP = { width: 960, height: 720 }
try {
  const context = await browser.newContext({ viewport: { width: 560, height: 480 }, deviceScaleFactor: 1.25 })
  const page = await context.newPage()
  await tour({ shop, page, context }, (name) => picture(page, folderOf('login'), name, MAX_BYTES))
  const portal = await browser.newContext({ viewport: DESKTOP })
  const inPortal = await portal.newPage()
  await portalTour(world, inPortal, async (name) => {
    if (PORTAL_PICTURES.includes(name)) await picture(inPortal, folderOf('portal'), name, MAX_PORTAL_BYTES)
    if (!ON_A_PHONE.includes(name)) return
    await inPortal.setViewportSize({ width: 390, height: 800 })
    await picture(inPortal, folderOf('portal'), `${name}-phone`, MAX_PORTAL_BYTES)
    await inPortal.setViewportSize(DESKTOP)
  })
} finally {
  await browser.close()
  await shop.close()
  await world.close()
}

/** Pictures of a page, light and dark. */
async function picture(page: Page, folder: string, name: string, maxBytes: number): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const colorScheme of COLOUR_SCHEMES) {
    await lookIn(page, colorScheme)
    await page.evaluate('scrollTo(0, 0)')
    const path = `${folder}${name}-${colorScheme}.png`
    await page.screenshot({ path, fullPage: maxBytes === MAX_BYTES })
    const { size } = statSync(path)
    console.log(`${name}-${colorScheme}.png  ${(size / 1000).toFixed(1)} kB`)
    if (size > maxBytes) throw new Error(`${path} is too large for a repository`)
  }
}
