/**
 * A browser without a window, for tests of what goes over the wire: cookies by host and path, redirects, forms. It knows
 * any host name by sending everything to one of the ports it is told; names that end in `.test` are its own.
 */
import { request as httpRequest } from 'node:http'

/** A page that a browser has loaded. */
export interface LoadedPage {
  readonly url: string
  readonly status: number
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string
  /** Every URL on the way, the last one included. */
  readonly way: readonly string[]
}

/** How a request is sent. */
export interface Sending {
  readonly method?: string
  readonly form?: Readonly<Record<string, string>> | URLSearchParams
  readonly headers?: Readonly<Record<string, string | undefined>>
  /** Redirects are followed by default. */
  readonly follow?: boolean
}

interface Cookie {
  readonly name: string
  readonly value: string
  readonly host: string
  readonly path: string
  readonly sameSite: string
  readonly secure: boolean
}

/** See the top of the file. */
export class FormBrowser {
  readonly #ports: ReadonlyMap<string, number>
  #cookies: Cookie[] = []

  /** `ports`: where each origin really is; other hosts are taken at their word. */
  constructor(ports: ReadonlyMap<string, number> = new Map()) {
    this.#ports = ports
  }

  /** The cookies for a host, `name=value` each. */
  cookies(host?: string): string[] {
    return this.#cookies
      .filter((cookie) => host === undefined || cookie.host === host)
      .map(({ name, value }) => `${name}=${value}`)
  }

  setCookie(host: string, name: string, value: string): void {
    this.#cookies = [
      ...this.#cookies.filter((cookie) => cookie.host !== host || cookie.name !== name),
      { name, value, host, path: '/', sameSite: 'Lax', secure: false },
    ]
  }

  clear(host?: string): void {
    this.#cookies = this.#cookies.filter((cookie) => host !== undefined && cookie.host !== host)
  }

  /** Loads a page as a click or a typed address does. */
  async load(url: string, sending: Sending = {}): Promise<LoadedPage> {
    const way: string[] = []
    let current = url
    let { method = 'GET', form } = sending
    for (let hop = 0; hop < 20; hop++) {
      way.push(current)
      const answer = await this.#send(current, method, form, {
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-dest': 'document',
        'sec-fetch-site': 'none',
        'sec-fetch-user': '?1',
        ...sending.headers,
      })
      const { location } = answer.headers
      if (typeof location !== 'string' || answer.status < 300 || answer.status > 399 || sending.follow === false) {
        return { url: current, way, ...answer }
      }
      current = new URL(location, current).href
      if (answer.status === 303 || ((answer.status === 301 || answer.status === 302) && method === 'POST')) {
        method = 'GET'
        form = undefined
      }
    }
    throw new Error(`redirects without end: ${way.join('\n')}`)
  }

  /** Fills in the first form of a page and sends it. */
  async submit(page: LoadedPage, fields: Readonly<Record<string, string>>, sending: Sending = {}): Promise<LoadedPage> {
    const [, attributes = '', inner = ''] = /<form([^>]*)>(.*?)<\/form>/s.exec(page.body) ?? []
    const action = decodeEntities(/action="([^"]*)"/.exec(attributes)?.[1] ?? page.url)
    const form: Record<string, string> = {}
    for (const [, input = ''] of inner.matchAll(/<input([^>]*)>/g)) {
      const name = /name="([^"]*)"/.exec(input)?.[1]
      if (name !== undefined) form[name] = decodeEntities(/value="([^"]*)"/.exec(input)?.[1] ?? '')
    }
    const { origin } = new URL(page.url)
    const headers = { origin, 'sec-fetch-site': 'same-origin', ...sending.headers }
    return this.load(new URL(action, page.url).href, {
      method: 'POST',
      form: { ...form, ...fields },
      ...sending,
      headers,
    })
  }

  /** What a script on a page does: no redirects, JSON wanted. */
  script(url: string, sending: Sending = {}): Promise<LoadedPage> {
    const { origin } = new URL(url)
    return this.load(url, {
      follow: false,
      ...sending,
      headers: {
        accept: 'application/json',
        'sec-fetch-mode': 'cors',
        'sec-fetch-dest': 'empty',
        'sec-fetch-site': 'same-origin',
        'sec-fetch-user': undefined,
        origin,
        ...sending.headers,
      },
    })
  }

  #send(
    url: string,
    method: string,
    form: Sending['form'],
    headers: Readonly<Record<string, string | undefined>>,
  ): Promise<Pick<LoadedPage, 'status' | 'headers' | 'body'>> {
    const { hostname, host, port, origin, pathname, search } = new URL(url)
    const body = form === undefined ? undefined : new URLSearchParams(form).toString()
    const cookie = this.#cookies.filter((each) => each.host === hostname && pathname.startsWith(each.path))
    const sent: Record<string, string> = { host }
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) sent[name] = value
    if (cookie.length > 0) sent.cookie = cookie.map(({ name, value }) => `${name}=${value}`).join('; ')
    if (body !== undefined) {
      sent['content-type'] = 'application/x-www-form-urlencoded'
      sent['content-length'] = String(Buffer.byteLength(body))
    }
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        host: '127.0.0.1',
        port: this.#ports.get(origin) ?? port,
        method,
        path: pathname + search,
        headers: sent,
        agent: false,
      })
      request.once('error', reject)
      request.once('response', (response) => {
        for (const line of response.headers['set-cookie'] ?? []) this.#keep(hostname, line)
        const chunks: Uint8Array[] = []
        response.on('data', (chunk: Uint8Array) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      })
      request.end(body)
    })
  }

  #keep(host: string, line: string): void {
    const [pair = '', ...attributes] = line.split(/; */)
    const equals = pair.indexOf('=')
    const name = pair.slice(0, equals)
    const value = pair.slice(equals + 1)
    const of = (key: string) =>
      attributes.find((each) => each.toLowerCase().startsWith(`${key}=`))?.slice(key.length + 1)
    const gone = of('max-age') === '0' || (of('expires') !== undefined && Date.parse(of('expires') ?? '') <= Date.now())
    const path = of('path') ?? '/'
    this.#cookies = this.#cookies.filter((each) => each.host !== host || each.name !== name || each.path !== path)
    if (gone) return
    const secure = attributes.some((each) => each.toLowerCase() === 'secure')
    this.#cookies.push({ name, value, host, path, sameSite: of('samesite') ?? '', secure })
  }
}

function decodeEntities(text: string): string {
  const names: Record<string, string> = { amp: '&', quot: '"', '#39': "'", lt: '<', gt: '>', '#x27': "'" }
  return text.replace(/&(amp|quot|#39|#x27|lt|gt);/g, (_, name: string) => names[name] ?? '')
}
