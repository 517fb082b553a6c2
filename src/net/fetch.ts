/**
 * Fetches what the configuration names: with a deadline that also covers a socket
 * that never answers and a body that never ends, a size limit, and redirects that
 * cannot leave TLS.
 */
import { FetchError, messageOf } from '../core/errors.ts'

/** The fetch function in use: `globalThis.fetch`, or the user's own (a proxy, a test). */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Limits of one fetch. */
export interface FetchLimits {
  /** For everything: connecting, headers, body and redirects. */
  readonly timeoutMs: number
  readonly maxBytes: number
}

const MAX_REDIRECTS = 3
const LOOPBACK_HOST = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** Whether a URL is https, or http to this machine itself. */
export function isSecureUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const url = new URL(text)
  return url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK_HOST.test(url.hostname))
}

/**
 * Fetches `url` whole. Gives up when `init.signal` aborts, too, or only then where `limits` have no time; with `init.redirect` of `'error'` it follows none, so that
 * what is sent (credentials, codes) goes nowhere else.
 *
 * @throws FetchError (`ERR_FETCH`) for no answer in time, more than `maxBytes`, too many redirects, or one from https to http.
 */
export async function boundedFetch(
  fetch: Fetch,
  url: string,
  limits: Pick<FetchLimits, 'maxBytes'> & Partial<FetchLimits>,
  init: RequestInit = {},
): Promise<Response> {
  const { timeoutMs, maxBytes } = limits
  const deadline = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([...(deadline ? [deadline] : []), ...(init.signal ? [init.signal] : [])])
  try {
    signal.throwIfAborted()
    // The user's own fetch may not listen to the signal.
    return await Promise.race([fetchWhole(fetch, url, maxBytes, { ...init, signal }), abortOf(signal)])
  } catch (error) {
    if (init.signal?.aborted) throw new FetchError(`${presentable(url)}: given up`, { cause: error })
    if (error instanceof FetchError) throw error
    const what = deadline?.aborted ? `no whole answer within ${timeoutMs} ms` : reasonOf(error)
    throw new FetchError(`${presentable(url)}: ${what}`, { cause: error })
  }
}

/** Looks at the body of an answer as it comes; it is let go of after that, or when the time is over. */
export type LookAtBody = (answer: Pick<Response, 'status' | 'headers' | 'body'>) => Promise<void>

/**
 * Asks, and looks at nothing but status and headers: the body, which may be a stream without an end, is let go of. Redirects are
 * not followed.
 *
 * @param look - what else is looked at, as far as it comes within the same time
 * @throws FetchError (`ERR_FETCH`) for no headers within `timeoutMs`
 */
export async function fetchHead(
  fetch: Fetch,
  url: string,
  timeoutMs: number,
  init: RequestInit,
  look?: LookAtBody,
): Promise<Response> {
  const done = new AbortController()
  const deadline = AbortSignal.timeout(timeoutMs)
  const signal = AbortSignal.any([deadline, done.signal, ...(init.signal ? [init.signal] : [])])
  try {
    signal.throwIfAborted()
    const asked = fetch(url, { ...init, redirect: 'manual', signal })
    const answer = await Promise.race([asked, abortOf(signal)])
    const { status, headers, body } = answer
    // Whatever is not there by then does not count against the status that is.
    await Promise.race([look?.(answer), abortOf(signal)]).catch(() => {})
    if (body?.locked === false) body.cancel().catch(() => {})
    // Some numbers that servers make up are none that a Response can have.
    return new Response(null, { status: status >= 200 && status <= 599 ? status : 500, headers })
  } catch (error) {
    if (init.signal?.aborted) throw new FetchError(`${presentable(url)}: given up`, { cause: error })
    if (error instanceof FetchError) throw error
    const what = deadline.aborted ? `no answer within ${timeoutMs} ms` : reasonOf(error)
    throw new FetchError(`${presentable(url)}: ${what}`, { cause: error })
  } finally {
    done.abort()
  }
}

async function fetchWhole(fetch: Fetch, url: string, maxBytes: number, init: RequestInit): Promise<Response> {
  const response = await followRedirects(fetch, url, init)
  const bytes = await readBody(response, maxBytes, url)
  const hasBody = ![101, 204, 205, 304].includes(response.status)
  return new Response(hasBody ? bytes : null, { status: response.status, headers: response.headers })
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/**
 * Fetches a JSON document; `ERR_FETCH` too for a status other than 200 and for what is not JSON.
 *
 * @param accept - the media types asked for, where JSON goes by more than one
 */
export async function fetchJson(
  fetch: Fetch,
  url: string,
  limits: FetchLimits,
  accept = 'application/json',
): Promise<unknown> {
  const response = await boundedFetch(fetch, url, limits, { headers: { accept } })
  if (response.status !== 200) throw new FetchError(`${presentable(url)}: answered ${response.status}`)
  try {
    return await response.json()
  } catch (error) {
    throw new FetchError(`${presentable(url)}: the answer is not JSON`, { cause: error })
  }
}

async function followRedirects(fetch: Fetch, start: string, init: RequestInit): Promise<Response> {
  let url = start
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await fetch(url, { ...init, redirect: 'manual' })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || location === null) return response
    await response.body?.cancel()
    if (init.redirect === 'error') throw new FetchError(`${presentable(url)}: redirects, which is not followed here`)
    if (!URL.canParse(location, url)) throw new FetchError(`${presentable(url)}: redirects to what is not a URL`)
    const next = new URL(location, url)
    if (!/^https?:$/.test(next.protocol) || (/^https:/i.test(url) && next.protocol !== 'https:')) {
      throw new FetchError(`${presentable(url)}: redirects away from https`)
    }
    url = next.href
  }
  throw new FetchError(`${presentable(start)}: more than ${MAX_REDIRECTS} redirects`)
}

async function readBody(response: Response, maxBytes: number, url: string): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.byteLength
    if (length > maxBytes) throw new FetchError(`${presentable(url)}: more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, length)
}

/** `fetch failed` says nothing; its cause does, or for a host with several addresses, the causes in that. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  const causes = cause instanceof AggregateError && cause.message === '' ? cause.errors : [cause]
  return causes.map((each) => messageOf(each).replace(/\bhttps?:[^\s"']*/gi, presentable)).join(', ')
}

/** Queries and user information can carry keys; they stay out of messages, and so does what forges lines in logs. */
export function presentable(url: string): string {
  const shown = url.replace(/[?#].*$/s, '').replace(/^([a-z][a-z0-9+.-]*:\/*)[^/]*@/i, '$1')
  return shown.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, '?')
}
