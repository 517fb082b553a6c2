/** Journeys: every page can be read and used by everybody (WCAG 2.2 AA, as far as a program can tell). */
import assert from 'node:assert/strict'
import type { Page } from '../support/browser.ts'
import type { Journey } from './journey.ts'
import { COLOUR_SCHEMES, lookIn, TOUR_SHOP, tour } from './tour.ts'

/** See the top of the file. The pages are the same on every server. */
export const ACCESSIBILITY: readonly Journey[] = [
  {
    title: 'every page: structure, names, contrast, keyboard, narrow screens and large text',
    only: ['node:http'],
    shop: TOUR_SHOP,
    async walk(stage) {
      const problems: string[] = []
      const stops: string[] = []
      await tour(stage, async (name, page) => {
        stops.push(name)
        problems.push(...(await audit(page)).map((problem) => `${name}: ${problem}`))
      })
      assert.deepEqual(problems, [])
      assert.equal(stops.length, 8)
    },
  },
]

/** What is wrong with the page. It is left as it was. */
async function audit(page: Page): Promise<string[]> {
  const problems = await page.evaluate<string[]>(`(${STRUCTURE})()`)
  for (const colorScheme of COLOUR_SCHEMES) {
    await lookIn(page, colorScheme)
    const found = await page.evaluate<string[]>(`(${CONTRAST})()`)
    problems.push(...found.map((problem) => `${colorScheme}: ${problem}`))
  }
  // WCAG 2.3.3, at level AAA, but then it costs nothing.
  await page.emulateMedia({ reducedMotion: 'reduce' })
  const moving = `[...document.querySelectorAll('*')].some((each) => getComputedStyle(each).transitionDuration !== '0s')`
  if (await page.evaluate(moving)) problems.push('it moves for those who want no motion')
  await page.emulateMedia({ reducedMotion: 'no-preference' })
  problems.push(...(await byKeyboard(page)))
  // WCAG 1.4.10: as wide as a page of 1280 px at 400 %. 1.4.4: text twice as large.
  await page.setViewportSize({ width: 320, height: 600 })
  problems.push(...(await overflow(page, '320 px wide')))
  await page.setViewportSize({ width: 640, height: 600 })
  await page.evaluate("document.documentElement.style.fontSize = '200%'")
  problems.push(...(await overflow(page, 'text at 200 %')))
  await page.evaluate("document.documentElement.style.fontSize = ''")
  return problems
}

/** Tab reaches each control in order, and shows where it is. */
async function byKeyboard(page: Page): Promise<string[]> {
  const controls = await page.evaluate<string[]>(
    `[...document.querySelectorAll('a[href], button')].map((each) => each.textContent)`,
  )
  const problems: string[] = []
  for (const control of controls) {
    await page.keyboard.press('Tab')
    const focus = await page.evaluate<{ text: string; outline: string }>(`(() => {
      const { activeElement } = document
      return { text: activeElement.textContent, outline: getComputedStyle(activeElement).outlineStyle }
    })()`)
    if (focus.text !== control) problems.push(`Tab leads to "${focus.text}" and not to "${control}"`)
    else if (focus.outline === 'none') problems.push(`nothing shows that "${control}" has the focus`)
  }
  return problems
}

async function overflow(page: Page, when: string): Promise<string[]> {
  const by = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
  return by > 0 ? [`${when}: ${by} px too wide`] : []
}

const STRUCTURE = `() => {
  const problems = []
  const all = (selector) => [...document.querySelectorAll(selector)]
  const [heading] = all('h1')
  if (document.documentElement.lang === '') problems.push('no language')
  if (all('h1').length !== 1) problems.push(all('h1').length + ' headings of the first level')
  if (all('main').length !== 1) problems.push(all('main').length + ' main parts')
  if (!document.title.startsWith(heading.textContent)) problems.push('the title "' + document.title + '" is not that of the page')
  for (const control of all('a, button')) {
    const { width, height } = control.getBoundingClientRect()
    if (control.textContent.trim() === '') problems.push('a control without a name')
    if (height < 24 || width < 24) problems.push('"' + control.textContent + '" is ' + width + ' by ' + height + ' px')
    if (control.getAttribute('href') === '#') problems.push('"' + control.textContent + '" leads nowhere')
  }
  for (const image of all('svg, img')) {
    if (image.getAttribute('aria-hidden') !== 'true' && !image.hasAttribute('alt')) problems.push('an image that is neither named nor hidden')
  }
  if (all('script, [onclick]').length > 0) problems.push('a script')
  return problems
}`

/** Text against what is behind it, by WCAG's formula. */
const CONTRAST = `() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number)
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    return 0.2126 * x + 0.7152 * y + 0.0722 * z
  }
  const behind = (element) => {
    for (let each = element; each !== null; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor)
      if (colour[3] !== 0) return colour
    }
    return [255, 255, 255]
  }
  const problems = []
  for (const element of document.querySelectorAll('body *')) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== '')) continue
    const [one, two] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))]
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)
    if (ratio < 4.5) problems.push('"' + element.textContent.trim() + '" has a contrast of ' + ratio.toFixed(2))
  }
  return problems
}`
