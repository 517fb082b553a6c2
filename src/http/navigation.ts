/**
 * What a browser would do with the answer: show it as a page, or hand it to a script. A page can be a
 * redirect to the login; a script needs a status (it would follow the redirect to another origin and fail there).
 */
import type { GateRequest } from './gate.ts'

/**
 * What kind of request this is, to a login:
 *
 * - `navigation`: GET or HEAD for a page that a person will see; a login may begin.
 * - `form`: POST of a form, whose answer is shown as a page; a login may begin, but what was posted would be lost.
 * - `prefetch`: a page that is fetched ahead, perhaps for nobody; no login may begin by itself.
 * - `script`: all else, such as XHR and `fetch`, WebSockets, images, service workers, `curl`.
 */
export type RequestKind = 'navigation' | 'form' | 'script' | 'prefetch'

/**
 * The destinations (Fetch Standard, `Sec-Fetch-Dest`) that show a page. A frame is one: where the person has a
 * session at the identity provider, the login in it completes unseen. Not so:
 *
 * - `embed`, `object`: also fetched with mode `navigate`, but for a plug-in, a PDF or an image. An `object` shows
 *   its fallback content on an error status; a login page in its place could not be used.
 * - `fencedframe`: it has no cookies of ours, so a login in it comes to nothing.
 * - `empty` (XHR, `fetch`, `EventSource`, `sendBeacon`), `image`, `script`, `style`, `worker`, `serviceworker`,
 *   `manifest`, `webidentity` and the rest: nobody would see the page.
 */
const PAGES = new Set(['document', 'iframe', 'frame'])
/** `Sec-Purpose` (Fetch Standard), with parameters such as `;prerender`; `Purpose` and `X-Moz` came before it. */
const PREFETCH_FIELDS = ['sec-purpose', 'purpose', 'x-moz']
const PREFETCH = /(?:^|,)[ \t]*prefetch[ \t]*(?:[;,]|$)/i

/**
 * The kind of `request`: by Fetch Metadata (`Sec-Fetch-Mode`, `Sec-Fetch-Dest`), which scripts cannot set. Older
 * browsers, and all browsers on plain http other than localhost, do not send it; there, who asks for HTML by name
 * and does not prefer JSON is taken for a browser that navigates.
 */
export function kindOfRequest(request: GateRequest): RequestKind {
  if (request.kind === 'upgrade') return 'script'
  const kind = kindOfMethod(request.method)
  if (kind === 'script' || !showsPage(request)) return 'script'
  return PREFETCH_FIELDS.some((name) => PREFETCH.test(field(request, name) ?? '')) ? 'prefetch' : kind
}

/** A link makes a GET, a form a GET or a POST; HEAD asks what a GET would be answered. No other method can navigate. */
function kindOfMethod(method: string): RequestKind {
  if (method === 'GET' || method === 'HEAD') return 'navigation'
  return method === 'POST' ? 'form' : 'script'
}

function showsPage(request: GateRequest): boolean {
  const mode = field(request, 'sec-fetch-mode')
  const destination = field(request, 'sec-fetch-dest')
  if (mode !== undefined || destination !== undefined) {
    return (mode ?? 'navigate') === 'navigate' && PAGES.has(destination ?? 'document')
  }
  // Android's WebView sends the name of its app here, on navigations too.
  if (field(request, 'x-requested-with')?.toLowerCase() === 'xmlhttprequest') return false
  return prefersPage(field(request, 'accept') ?? '')
}

const PAGE_TYPES = new Set(['text/html', 'application/xhtml+xml'])
const JSON_TYPE = /^application\/(?:[^/]+\+)?json$/

/** Whether `Accept` (RFC 9110 §12.5.1) names a page type, and no JSON with more weight, or as much and before it. */
function prefersPage(accept: string): boolean {
  let page = 0
  let json = 0
  let jsonFirst = false
  for (const range of accept.toLowerCase().split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim())
    const weight = weightOf(parameters)
    if (PAGE_TYPES.has(type)) {
      page = Math.max(page, weight)
    } else if (JSON_TYPE.test(type) && weight > json) {
      json = weight
      jsonFirst = page < weight
    }
  }
  return page > 0 && (page > json || !jsonFirst)
}

/** RFC 9110 §12.4.2; a weight that is none counts as 0. */
function weightOf(parameters: readonly string[]): number {
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
  return /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0
}

/** The field; several lines of it count as one (RFC 9110 §5.3), so that one good line among others proves nothing. */
function field(request: GateRequest, name: string): string | undefined {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}
