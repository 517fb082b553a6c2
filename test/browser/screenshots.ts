/**
 * `npm run screenshots`: pictures for the documentation of the pages that people see, light and dark, into
 * `docs/pictures/login/`. The pages are real ones, reached as people reach them.
 */
import { mkdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { launch } from '../support/browser.ts'
import { part } from '../support/parts.ts'
import { SERVERS } from './servers.ts'
import { openShop } from './shop.ts'
import { COLOUR_SCHEMES, lookIn, TOUR_SHOP, tour } from './tour.ts'

const folder = fileURLToPath(new URL('../../docs/pictures/login/', import.meta.url))
const MAX_BYTES = 60_000
const [server] = SERVERS
const chromium = part('chromium')
if (chromium === undefined || server === undefined) throw new Error('there is no Chromium to take pictures with')

mkdirSync(folder, { recursive: true })
const browser = await launch(chromium)
const shop = await openShop(server, TOUR_SHOP)
try {
  const context = await browser.newContext({ viewport: { width: 560, height: 480 }, deviceScaleFactor: 1.25 })
  const page = await context.newPage()
  await tour({ shop, page, context }, async (name) => {
    for (const colorScheme of COLOUR_SCHEMES) {
      await lookIn(page, colorScheme)
      const path = `${folder}${name}-${colorScheme}.png`
      await page.screenshot({ path, fullPage: true })
      const { size } = statSync(path)
      console.log(`${name}-${colorScheme}.png  ${(size / 1000).toFixed(1)} kB`)
      if (size > MAX_BYTES) throw new Error(`${path} is too large for a repository`)
    }
  })
} finally {
  await browser.close()
  await shop.close()
}
