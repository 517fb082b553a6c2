/**
 * Forms that nobody else can send for somebody (cross-site request forgery): each holds a token that is sealed for the person and
 * for the browser, which keeps a secret in a cookie. Some are good once only, on however many machines.
 */
import { createHash, randomBytes } from 'node:crypto'
import { readCookie } from '../http/cookies.ts'
import type { GateRequest } from '../http/gate.ts'
import { type OwnCookies, ownCookies } from '../http/own-cookies.ts'
import { isSameOrigin } from '../http/same-origin.ts'
import type { Identity } from '../identity/sign-in.ts'
import { CSRF_FIELD } from '../pages/login-pages.ts'
import type { Key } from '../store/token-store.ts'
import { isNote } from './notes.ts'
import type { PortalParts } from './parts.ts'

/** See the top of the file. */
export interface PortalForms {
  /** The token for forms that are shown now, and the cookies that have to go along. */
  offer(
    request: GateRequest,
    identity: Identity,
  ): Promise<{ readonly csrf: string; readonly cookies: readonly string[] }>
  /** The id of a form that is one of ours, for this person and browser, and comes from our own origin; else `undefined`. */
  idOf(request: GateRequest, identity: Identity, form: URLSearchParams): Promise<string | undefined>
  /** Uses a form up; `false` where that was done before. */
  claim(identity: Identity, formId: string): Promise<boolean>
  /** Takes that back, where the form came to nothing. */
  release(identity: Identity, formId: string): Promise<void>
  /** What the page before has left to be said. */
  readNote(request: GateRequest): string | undefined
  noteCookie(note: string): string
  clearNote(): string
}

/** A page may be open for a working day. */
const FORM_MS = 12 * 3_600_000
const BROWSER_SECONDS = 400 * 24 * 3600
const NOTE_SECONDS = 60
const SECRET = /^[\w-]{43}$/
const SPACE = 'used-forms'

/** What is sealed in a form. */
interface FormContent {
  readonly at: number
  readonly id: string
}

/** See the top of the file. */
export function createPortalForms({ origin, sealer, store, clock }: PortalParts): PortalForms {
  const sealed = sealer('portal-form')
  const cookies: OwnCookies = ownCookies(origin)
  // No integration, whose sessions are in cookies of its name, has a `~` in it.
  const browserCookie = cookies.name('~pages')
  const noteCookieName = cookies.name('~note')

  function browserOf({ headers }: GateRequest): string | undefined {
    const secret = readCookie(headers.cookie, browserCookie)
    return secret !== undefined && SECRET.test(secret) ? secret : undefined
  }

  /** A form opens for the person and the browser that it was made for. */
  function placeOf(identity: Identity, browser: string): string {
    return `pages ${identity.id} ${digest(browser)}`
  }

  /** Nothing has been done by the form yet, though it may be written that it was. By another process it may have been used meanwhile. */
  async function takeBack(key: Key, mark: Buffer): Promise<void> {
    const written = await store.get(key)
    if (written !== undefined && mark.equals(written.value)) await store.delete(key, { ifVersion: written.version })
  }

  const usedKey = (identity: Identity, formId: string): Key => ({ space: SPACE, owner: identity.id, id: formId })

  return {
    async offer(request, identity) {
      const known = browserOf(request)
      const browser = known ?? randomBytes(32).toString('base64url')
      const content: FormContent = { at: clock.now(), id: randomBytes(16).toString('base64url') }
      const csrf = await sealed.sealText(JSON.stringify(content), placeOf(identity, browser))
      return { csrf, cookies: known === undefined ? [cookies.set(browserCookie, browser, BROWSER_SECONDS)] : [] }
    },
    async idOf(request, identity, form) {
      const browser = browserOf(request)
      const tokens = form.getAll(CSRF_FIELD)
      if (!isSameOrigin(request, origin) || browser === undefined || tokens.length !== 1) return undefined
      try {
        const { plaintext } = await sealed.openText(tokens[0] ?? '', placeOf(identity, browser))
        const { at, id }: FormContent = JSON.parse(plaintext)
        return clock.now() - at < FORM_MS ? id : undefined
      } catch {
        return undefined
      }
    },
    async claim(identity, formId) {
      const key = usedKey(identity, formId)
      const mark = randomBytes(16)
      try {
        return (await store.put(key, mark, { ifVersion: null, ttlMs: FORM_MS })) !== 'conflict'
      } catch (error) {
        await takeBack(key, mark).catch(() => {})
        throw error
      }
    },
    async release(identity, formId) {
      await store.delete(usedKey(identity, formId)).catch(() => {})
    },
    readNote({ headers }) {
      const note = readCookie(headers.cookie, noteCookieName)
      return isNote(note) ? note : undefined
    },
    noteCookie: (note) => cookies.set(noteCookieName, note, NOTE_SECONDS),
    clearNote: () => cookies.clear(noteCookieName),
  }
}

function digest(text: string): string {
  return createHash('sha256').update(`portal ${text}`).digest('base64url')
}
