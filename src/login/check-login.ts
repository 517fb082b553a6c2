/** Checks the configuration of browser login. */
import { z } from 'zod'
import { checkSealingKeys } from '../core/check-sealing-keys.ts'
import { callable, check, secret, strict, text } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { isPlainPath } from '../http/path.ts'
import type { Integration } from '../identity/integration.ts'
import { isSecureUrl, presentable } from '../net/fetch.ts'
import { brandProblem } from '../pages/layout.ts'
import type { LoginConfig } from './config.ts'

const duration = z.number().min(60, 'at least 60').max(31_536_000, 'at most 31536000 (a year)')
const store = z.custom(
  (value) =>
    typeof value === 'object' && value !== null && callable.safeParse((value as { take?: unknown }).take).success,
  'expected a token store, such as sqliteStore("sessions.db")',
)

const loginSchema = strict({
  url: text,
  keys: z.array(secret).min(1, 'must not be empty; generateKey() makes one'),
  session: z.enum(['store', 'cookie']).optional(),
  store: store.optional(),
  path: text.optional(),
  idleSeconds: duration.optional(),
  absoluteSeconds: duration.optional(),
  signOut: z.enum(['provider', 'local']).optional(),
  afterSignOut: text.optional(),
  brand: z.unknown().optional(),
})

/** Adds what is wrong with `login` to `problems`. */
export function checkLogin(
  login: unknown,
  integrations: Readonly<Record<string, Integration>>,
  problems: ConfigProblem[],
): void {
  const isShaped = check(loginSchema, login, 'login', problems)
  checkSealingKeys((login as Partial<LoginConfig> | null)?.keys, 'login.keys', problems)
  if (!isShaped) return
  const { url, session = 'store', store: given, path, brand, idleSeconds, absoluteSeconds } = login as LoginConfig
  const add = (key: string, message: string) => problems.push({ path: `login.${key}`, message })

  const origin = URL.canParse(url) ? new URL(url) : undefined
  if (origin === undefined || !/^https?:$/.test(origin.protocol))
    add('url', `"${presentable(url)}" is not an http(s) URL`)
  else if (origin.origin !== url.replace(/\/$/, '')) {
    add('url', `expected an origin, "${origin.origin}", without path, query or user name`)
  } else if (!isSecureUrl(url)) add('url', 'must be https: over http anybody on the way takes the session')
  if (session === 'store' && given === undefined) {
    add('store', "required: a token store; or write session: 'cookie', which needs none")
  }
  if (session === 'cookie' && given !== undefined) add('store', "does nothing with session: 'cookie'; leave one out")
  if (path !== undefined && !isPlainPath(path)) add('path', `"${path}" is not a plain path such as "/.sallyport"`)
  if (brand !== undefined) {
    const message = brandProblem(brand)
    if (message !== undefined) add('brand', message)
  }
  if ((absoluteSeconds ?? 604_800) < (idleSeconds ?? 86_400)) {
    add('absoluteSeconds', `must not be below idleSeconds (${idleSeconds ?? 86_400})`)
  }
  // What is no integration at all is told elsewhere.
  for (const [name, integration] of Object.entries<Integration | null | undefined>(integrations)) {
    if (integration?.oauth2?.responseMode === 'form_post' && origin?.protocol === 'http:') {
      problems.push({
        path: `integrations.${name}.oauth2.responseMode`,
        message:
          'form_post needs https: browsers send the cookie of a cross-site POST only then (SameSite=None; Secure)',
      })
    }
  }
}
