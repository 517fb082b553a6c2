/**
 * A browser without a window: keeps cookies, follows redirects, sends forms, and says with each request what it is for
 * (Fetch Metadata), as real ones do. Its cookies do not tell ports apart either.
 */
import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'

/** Where a browser has arrived. */
export interface Loaded {
  readonly url: string
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** See the top of the file. */
export interface Browser {
  /** Loads a page, as for an address that somebody has typed in. */
  open(url: string): Promise<Loaded>
  /** The same, as far as the first answer. */
  firstAnswer(url: string): Promise<Loaded>
  /** Clicks on the link to `path` on a page. */
  click(page: Loaded, path: string): Promise<Loaded>
  /** Fills in the first form of a page, or the one that goes to `to`, and sends it; a button is a field. */
  submit(page: Loaded, fields?: Readonly<Record<string, string>>, to?: string): Promise<Loaded>
  /** What a script of the page's own origin does: no redirects, JSON wanted. */
  script(url: string): Promise<Loaded>
  /** The `Cookie` field for `url`. */
  cookiesFor(url: string): string
  /** Everything so far that gives access to something: the values of cookies, codes and states. */
  readonly secrets: ReadonlySet<string>
}

interface Cookie {
  readonly host: string
  readonly path: string
  readonly name: string
  readonly value: string
}

/** What a request is for. */
interface Purpose {
  readonly method?: 'GET' | 'POST'
  readonly form?: URLSearchParams
  /** The origin of the page that caused it. */
  readonly from?: string
  readonly script?: boolean
  readonly follow?: boolean
}

const MAX_REDIRECTS = 20
/** What a page has to say after a form, such as `disconnected`, opens nothing. */
const PLAIN_WORDS = /^[a-z]+(?:-[a-z]+)*$/
const TIMEOUT_MS = 12_000

/** A browser that nobody has used yet. */
export function createBrowser(): Browser {
  const secrets = new Set<string>()
  let cookies: Cookie[] = []

  function cookiesFor(url: string): string {
    const { hostname, pathname } = new URL(url)
    return cookies
      .filter(({ host, path }) => host === hostname && pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ')
  }

  function keep(url: string, line: string): void {
    const { hostname: host } = new URL(url)
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    const path = /;\s*path=([^;]+)/i.exec(line)?.[1] ?? '/'
    const expires = /;\s*expires=([^;]+)/i.exec(line)?.[1]
    const gone = /;\s*max-age=0(?:;|$)/i.test(line) || (expires !== undefined && Date.parse(expires) <= Date.now())
    cookies = cookies.filter((each) => each.host !== host || each.path !== path || each.name !== name)
    if (gone || value === '') return
    cookies.push({ host, path, name, value })
    if (!PLAIN_WORDS.test(value)) secrets.add(value)
  }

  async function send(url: string, { method = 'GET', form, from, script }: Purpose, site: string): Promise<Loaded> {
    const cookie = cookiesFor(url)
    const purpose = script
      ? { accept: 'application/json', 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' }
      : {
          accept: 'text/html,*/*;q=0.8',
          'sec-fetch-mode': 'navigate',
          'sec-fetch-dest': 'document',
          'sec-fetch-user': '?1',
        }
    const outgoing = request(url, {
      method,
      headers: {
        ...purpose,
        'sec-fetch-site': site,
        ...(cookie === '' ? {} : { cookie }),
        ...(from === undefined || method === 'GET' ? {} : { origin: from }),
        ...(form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
      },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    }).end(form?.toString())
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    for (const line of response.headers['set-cookie'] ?? []) keep(url, line)
    const body = Buffer.concat(await response.toArray()).toString()
    return { url, status: response.statusCode ?? 0, headers: response.headers, body }
  }

  async function load(start: string, purpose: Purpose): Promise<Loaded> {
    let answer = await send(start, purpose, siteOf(start, purpose.from))
    let crossed = false
    for (let redirects = 0; answer.headers.location !== undefined && purpose.follow !== false; redirects++) {
      if (redirects === MAX_REDIRECTS)
        throw new Error(`more than ${MAX_REDIRECTS} redirects, the last one from ${answer.url}`)
      const url = new URL(answer.headers.location, answer.url)
      for (const name of ['code', 'state']) for (const value of url.searchParams.getAll(name)) secrets.add(value)
      // What has been elsewhere stays foreign over further redirects.
      crossed ||= siteOf(url.href, purpose.from) === 'same-site'
      answer = await send(url.href, {}, crossed ? 'same-site' : siteOf(url.href, purpose.from))
    }
    return answer
  }

  return {
    open: (url) => load(url, {}),
    firstAnswer: (url) => load(url, { follow: false }),
    click(page, path) {
      if (!page.body.includes(`href="${path}"`)) throw new Error(`no link to ${path} on ${page.url}`)
      return load(new URL(path, page.url).href, { from: new URL(page.url).origin })
    },
    submit(page, fields = {}, to) {
      const forms = page.body.matchAll(/<form[^>]*\saction="([^"]*)"[^>]*>(.*?)<\/form>/gs)
      const [, action, inner = ''] = [...forms].find(([, target]) => to === undefined || target === to) ?? []
      if (action === undefined) throw new Error(`no such form on ${page.url}: ${page.status} ${titleOf(page)}`)
      const form = new URLSearchParams()
      for (const [tag] of inner.matchAll(/<input type="hidden"[^>]*>/g)) {
        form.set(attribute(tag, 'name'), attribute(tag, 'value'))
      }
      for (const [name, value] of Object.entries(fields)) form.set(name, value)
      return load(new URL(plain(action), page.url).href, { method: 'POST', form, from: new URL(page.url).origin })
    },
    script: (url) => load(url, { script: true, follow: false, from: new URL(url).origin }),
    cookiesFor,
    secrets,
  }
}

/** What a page says first. */
export function titleOf({ body }: Pick<Loaded, 'body'>): string {
  return plain(/<h1>([^<]*)<\/h1>/.exec(body)?.[1] ?? '')
}

/** `Sec-Fetch-Site`. Everything here is on one host, where ports make different origins of the same site. */
function siteOf(url: string, from: string | undefined): string {
  if (from === undefined) return 'none'
  return new URL(url).origin === from ? 'same-origin' : 'same-site'
}

function attribute(tag: string, name: string): string {
  return plain(new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1] ?? '')
}

/** Without character references. */
function plain(markup: string): string {
  return markup.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code))).replaceAll('&amp;', '&')
}
