/**
 * A whole page as an answer: the document around what a page says, and the headers that
 * keep it from being framed, stored, or made to load or run anything that is not in it.
 */
import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { check, strict } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import type { Reply, ReplyHeaders } from '../http/gate.ts'
import { isColour } from './colours.ts'
import { type Html, html, safeUrl } from './html.ts'
import { gateIcon, tabIcon } from './icons.ts'
import { styleElement } from './styles.ts'
import { wideStyleElement } from './wide-styles.ts'

/** The looks of a product on the pages that people see. */
export interface Brand {
  /** What people know it as; also part of each page's title. */
  readonly name?: string
  /** An image, shown 36 pixels high beside the name: an https URL, or a path that needs no sign-in on every host that has pages. */
  readonly logoUrl?: string
  /** The colour of buttons and links, `#rgb` or `#rrggbb`. Text on it, and links in it, are kept readable. */
  readonly accentColor?: string
  /** A link below each page, for help or an imprint: an https URL or a path on the same host. */
  readonly footerLink?: { readonly text: string; readonly url: string }
}

/** What a page is made of. */
export interface PageOptions {
  /** What the page says first: its only `<h1>`, and its title. */
  readonly title: string
  readonly status: number
  /** What stands below the title; it has no `<h1>` of its own. */
  readonly body: Html
  readonly brand?: Brand
  /**
   * URLs to which a form on this page leads, besides those of its own origin. Browsers hold a redirect that
   * answers the form to the same rule (CSP Level 3 §6.4.1), so that they belong here too. `anywhere` is for a form that
   * leads to somebody else's sign-in, which goes through hosts that nobody here knows.
   */
  readonly formTargets?: readonly string[] | 'anywhere'
  /** More header fields, such as `set-cookie`. They do not replace those of the page. */
  readonly headers?: ReplyHeaders
  /** What is above a page that is one of several. Such a page is as wide as there is room. */
  readonly navigation?: Navigation
  /** A script element with this nonce. The page must work without it. It may fetch from its own origin. */
  readonly script?: (nonce: string) => Html
}

/** The bar above a page. */
export interface Navigation {
  /** Where the product's name leads. */
  readonly homeHref: string
  readonly links: readonly NavigationLink[]
  /** Who is signed in, as that person knows it. */
  readonly who: string
  readonly signOutHref?: string | undefined
}

/** A page that one can go to. */
export interface NavigationLink {
  readonly label: string
  readonly href: string
  /** Whether it is this page, or one above it. */
  readonly current: boolean
}

/** A page in light and dark, for phone and desktop; without any script, unless one is given. */
export function page(options: PageOptions): Reply {
  const { brand = {}, formTargets = [], headers, script } = options
  const nonce = randomBytes(16).toString('base64url')
  return {
    status: options.status,
    headers: { ...headers, ...pageHeaders(nonce, brand, formTargets, script !== undefined) },
    body: String(documentOf(options, brand, nonce)),
  }
}

/** What is wrong with a brand, or `undefined` when nothing is. */
export function brandProblem(brand: unknown): string | undefined {
  const problems: ConfigProblem[] = []
  check(brandSchema, brand, '', problems)
  if (problems.length === 0) return undefined
  return problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ')
}

const words = z.string().refine((value) => value.trim() !== '', 'must not be empty')
const url = z.string().refine(isBrandUrl, {
  error: ({ input }) => `${JSON.stringify(input)} is neither an https URL nor a path such as "/logo.svg"`,
})
const brandSchema = strict({
  name: words.optional(),
  logoUrl: url.optional(),
  accentColor: z
    .string()
    .refine(isColour, { error: ({ input }) => `${JSON.stringify(input)} is not a colour such as "#07c" or "#0a5fd1"` })
    .optional(),
  footerLink: strict({ text: words, url }).optional(),
})

/** Not http: a page on https would not load it, and http to a third party tells everybody on the way who signs in. */
function isBrandUrl(value: string): boolean {
  return safeUrl(value) !== '#' && !/^http:/i.test(value)
}

function pageHeaders(
  nonce: string,
  { logoUrl }: Brand,
  formTargets: readonly string[] | 'anywhere',
  hasScript: boolean,
): ReplyHeaders {
  const forms = formTargets === 'anywhere' ? ['https:', 'http:'] : new Set(formTargets.flatMap(originOf))
  const policy = [
    "default-src 'none'",
    `style-src 'nonce-${nonce}'`,
    ...(hasScript ? [`script-src 'nonce-${nonce}'`, "connect-src 'self'"] : []),
    // All of https, since a logo's server may redirect.
    `img-src 'self' data:${/^https:/i.test(logoUrl ?? '') ? ' https:' : ''}`,
    ['form-action', "'self'", ...forms].join(' '),
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ]
  return {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    // Never a path or a query. With `no-referrer` our own forms would arrive with `Origin: null` (Fetch Standard,
    // "append a request `Origin` header"), as one that another site sent does.
    'referrer-policy': 'strict-origin',
  }
}

/** The origin alone: a path in a policy is compared, but not after a redirect. Nothing for what is no http(s) URL. */
function originOf(target: string): string[] {
  if (!URL.canParse(target)) return []
  // In a host the URL Standard also lets through what means something in a policy, such as ";" and "*".
  const { origin } = new URL(target)
  return /^https?:\/\/[\w.:[\]-]+$/.test(origin) ? [origin] : []
}

function documentOf({ title, body, navigation, script }: PageOptions, brand: Brand, nonce: string): Html {
  const { name, footerLink } = brand
  const accent = brand.accentColor !== undefined && isColour(brand.accentColor) ? brand.accentColor : undefined
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title}${name !== undefined && ` – ${name}`}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${tabIcon}
${styleElement(nonce, accent)}
${navigation !== undefined && wideStyleElement(nonce)}</head>
${navigation === undefined ? narrowTop(brand) : wideTop(navigation, brand)}
<h1>${title}</h1>
${body}
</main>
${
  footerLink !== undefined &&
  html`<footer><a href="${footerLink.url}" rel="noreferrer">${footerLink.text}</a></footer>
`
}${script?.(nonce)}</body>
</html>
`
}

function narrowTop(brand: Brand): Html {
  return html`<body>
<header>${logoOf(brand)}${brand.name !== undefined && html`<span>${brand.name}</span>`}</header>
<main>`
}

/** The bar, and in front of it a way past it (WCAG 2.2, 2.4.1). */
function wideTop({ homeHref, links, who, signOutHref }: Navigation, brand: Brand): Html {
  return html`<body class="wide">
<a class="skip" href="#content">Skip to the content</a>
<header>
<a class="home" href="${homeHref}">${logoOf(brand)}<span>${brand.name ?? 'MCP gateway'}</span></a>
<div class="person"><bdi>${who}</bdi>${signOutHref !== undefined && html` <a href="${signOutHref}">Sign out</a>`}</div>
<nav aria-label="Pages">
<ul role="list">
${links.map(
  ({ label, href, current }) =>
    html`<li>${current ? html`<a href="${href}" aria-current="page">${label}</a>` : html`<a href="${href}">${label}</a>`}</li>\n`,
)}</ul>
</nav>
</header>
<main id="content" tabindex="-1">`
}

/** The brand's logo, else a gate. The name beside it says what it is. */
function logoOf({ logoUrl }: Brand): Html {
  if (logoUrl !== undefined && safeUrl(logoUrl) !== '#') {
    return html`<img src="${logoUrl}" alt="" height="36" referrerpolicy="no-referrer">`
  }
  return gateIcon
}
