/** axe-core on a page: what a program can find of what keeps people from using it (WCAG 2.2 AA, and axe's best practices). */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from '../support/browser.ts'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe-core finds on the page as it is now: a line for each kind of problem, with where it is. */
export async function axeProblems(page: Page): Promise<string[]> {
  await page.evaluate(`${source}\n;undefined`)
  return page.evaluate<string[]>(
    `axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations.map(
      ({ id, help, nodes }) => id + ' (' + help + '): ' + nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(' | ')))`,
  )
}
