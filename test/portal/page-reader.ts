/** Reads pages as a person does, and presses one of several buttons on them. */
import type { FormBrowser, LoadedPage, Sending } from '../support/form-browser.ts'

/** What a form would send. */
export interface FoundForm {
  readonly action: string
  readonly fields: Readonly<Record<string, string>>
  /** What is chosen, of selects. */
  readonly chosen: Readonly<Record<string, string>>
}

/** The form whose action is like this. */
export function formOf(page: LoadedPage, action: RegExp): FoundForm {
  for (const [, attributes = '', inner = ''] of page.body.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)) {
    const target = decode(/action="([^"]*)"/.exec(attributes)?.[1] ?? page.url)
    if (!action.test(target)) continue
    const fields: Record<string, string> = {}
    for (const [, input = ''] of inner.matchAll(/<input([^>]*)>/g)) {
      const name = /name="([^"]*)"/.exec(input)?.[1]
      if (name !== undefined) fields[name] = decode(/value="([^"]*)"/.exec(input)?.[1] ?? '')
    }
    const chosen: Record<string, string> = {}
    for (const [, name = '', options = ''] of inner.matchAll(/<select[^>]*name="([^"]*)"[^>]*>(.*?)<\/select>/gs)) {
      const all = [...options.matchAll(/<option value="([^"]*)"([^>]*)>/g)]
      const [, value = ''] = all.find(([, , rest = '']) => rest.includes('selected')) ?? all[0] ?? []
      chosen[name] = decode(value)
    }
    return { action: target, fields, chosen }
  }
  throw new Error(`no form to ${action} on ${page.url}: ${page.body.slice(-2000)}`)
}

/** Fills in the form whose action is like this, and sends it. */
export function press(
  browser: FormBrowser,
  page: LoadedPage,
  action: RegExp,
  more: Readonly<Record<string, string>> = {},
  sending: Sending = {},
): Promise<LoadedPage> {
  const { action: target, fields, chosen } = formOf(page, action)
  const { origin } = new URL(page.url)
  return browser.load(new URL(target, page.url).href, {
    method: 'POST',
    form: { ...fields, ...chosen, ...more },
    ...sending,
    headers: { origin, 'sec-fetch-site': 'same-origin', ...sending.headers },
  })
}

/** The heading of a page. */
export function headingOf({ body }: LoadedPage): string {
  return decode(/<h1>(.*?)<\/h1>/.exec(body)?.[1] ?? '')
}

/** What can be read on a page, in one line. */
export function textOf({ body }: Pick<LoadedPage, 'body'>): string {
  const text = body
    .replaceAll(/<(script|style)\b.*?<\/\1>/gs, '')
    .replaceAll(/<button[^>]* hidden[^>]*>.*?<\/button>/gs, '')
    .replaceAll(/<[^>]*>/g, ' ')
  return decode(text).replaceAll(/\s+/g, ' ').trim()
}

function decode(text: string): string {
  const names: Record<string, string> = { amp: '&', quot: '"', '#39': "'", lt: '<', gt: '>' }
  return text.replace(/&(amp|quot|#39|lt|gt);/g, (_, name: string) => names[name] ?? '')
}
