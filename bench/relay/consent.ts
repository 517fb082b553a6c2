/** A person who consents: follows a link, sends the form that is there, and follows redirects to the end. */
import { type Answer, ask } from './ask.ts'

/** Throws if the way does not end at a page of status 200. */
export async function consent(link: string): Promise<void> {
  const cookies = new Map<string, string>()
  let url = new URL(link)
  let form: string | undefined
  for (let step = 0; step < 10; step++) {
    const answer = await load(url, form, cookies)
    form = undefined
    const { location } = answer.headers
    if (typeof location === 'string') {
      url = new URL(location, url)
      continue
    }
    if (answer.status !== 200) throw new Error(`consent ended with ${answer.status} at ${url.pathname}`)
    const found = formIn(answer.body)
    if (found === undefined) return
    url = new URL(found.action, url)
    form = found.fields
  }
  throw new Error('consent does not end')
}

async function load(url: URL, form: string | undefined, cookies: Map<string, string>): Promise<Answer> {
  const sent = [...cookies].filter(([key]) => key.startsWith(`${url.origin} `)).map(([, pair]) => pair)
  const answer = await ask(url, {
    headers: {
      host: url.host,
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
      'sec-fetch-site': form === undefined ? 'none' : 'same-origin',
      ...(sent.length === 0 ? {} : { cookie: sent.join('; ') }),
      ...(form === undefined ? {} : { origin: url.origin, 'content-type': 'application/x-www-form-urlencoded' }),
    },
    ...(form === undefined ? {} : { method: 'POST', body: form }),
  })
  const lines = answer.headers['set-cookie'] ?? []
  for (const line of typeof lines === 'string' ? [lines] : lines) {
    const pair = line.split(';')[0] ?? ''
    cookies.set(`${url.origin} ${pair.split('=')[0]}`, pair)
  }
  return answer
}

/** The first form that a page posts. */
function formIn(page: string): { readonly action: string; readonly fields: string } | undefined {
  const [, attributes = '', inner = ''] = /<form([^>]*method="post"[^>]*)>(.*?)<\/form>/is.exec(page) ?? []
  if (attributes === '') return undefined
  const fields = new URLSearchParams()
  for (const [, input = ''] of inner.matchAll(/<(?:input|button)([^>]*)>/g)) {
    const name = /name="([^"]*)"/.exec(input)?.[1]
    if (name !== undefined) fields.set(name, decode(/value="([^"]*)"/.exec(input)?.[1] ?? ''))
  }
  return { action: decode(/action="([^"]*)"/.exec(attributes)?.[1] ?? ''), fields: fields.toString() }
}

function decode(text: string): string {
  const characters: Record<string, string> = { amp: '&', quot: '"', '#39': "'", lt: '<', gt: '>' }
  return text.replace(/&(amp|quot|#39|lt|gt);/g, (_, name: string) => characters[name] ?? '')
}
