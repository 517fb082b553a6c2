/** Fetches a JSON document that may not be there, from whoever a document or a challenge from outside has named. */
import { FetchError, messageOf } from '../core/errors.ts'
import { boundedFetch, type Fetch, type FetchLimits, isSecureUrl } from '../net/fetch.ts'

/** How documents are fetched. */
export interface DocumentFetch {
  /** Guards against addresses of our own network: see `guardedFetch`. */
  readonly fetch: Fetch
  readonly limits: FetchLimits
  /** For all documents together. */
  readonly signal: AbortSignal
  /** Allows `http:` on hosts other than this machine. */
  readonly allowInsecureHttp: boolean
}

/** What came of one. */
export type FoundDocument =
  | { readonly kind: 'document'; readonly document: Readonly<Record<string, unknown>> }
  /** There is nothing: 4xx, or a page, which some sites have for every address. */
  | { readonly kind: 'absent' }
  /** It cannot be told: no answer, 5xx. `detail` is for the operator. */
  | { readonly kind: 'failed'; readonly detail: string }

/** Fetches one. Never rejects. */
export async function fetchDocument(url: string, how: DocumentFetch): Promise<FoundDocument> {
  const { fetch, limits, signal, allowInsecureHttp } = how
  if (!isSecureUrl(url) && !(allowInsecureHttp && isHttpUrl(url))) {
    return { kind: 'failed', detail: `${withoutQuery(url)} is not https` }
  }
  try {
    const response = await boundedFetch(fetch, url, limits, { headers: { accept: 'application/json' }, signal })
    const { status } = response
    if (status >= 500 || status === 408 || status === 429) {
      return { kind: 'failed', detail: `${withoutQuery(url)} answered ${status}` }
    }
    if (status !== 200) return { kind: 'absent' }
    const document = parsed(await response.text())
    return document === undefined ? { kind: 'absent' } : { kind: 'document', document }
  } catch (error) {
    // What the user's own fetch throws may hold anything.
    return {
      kind: 'failed',
      detail: error instanceof FetchError ? messageOf(error) : `${withoutQuery(url)}: no answer`,
    }
  }
}

/** Whether a text is an http or https URL without a user name. */
export function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === ''
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

function withoutQuery(url: string): string {
  return url.slice(0, 300).replace(/[?#].*$/s, '')
}
