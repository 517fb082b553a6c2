/** What people see of browser login. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reply } from '../../src/http/gate.ts'
import {
  CSRF_FIELD,
  type LoginFailure,
  loginFailedPage,
  noAccessPage,
  sessionEndedPage,
  signedOutPage,
  signInChoicePage,
  signingOutPage,
  signOutPage,
} from '../../src/pages/login-pages.ts'
import { hostileText, skeleton, unescaped, WORST } from './hostile-text.ts'

const REASONS: Record<LoginFailure, number> = {
  denied: 403,
  expired: 400,
  invalid: 400,
  rejected: 502,
  unavailable: 503,
  too_many: 400,
}
const reasons = Object.keys(REASONS) as LoginFailure[]

/** Every page with `text` in each of its fields; `href` where a link is wanted. */
function everyPage(text: string, href: string): [string, Reply][] {
  const brand = { name: text, logoUrl: href, accentColor: text, footerLink: { text, url: href } }
  return [
    [
      'choice',
      signInChoicePage({
        choices: [
          { label: text, href },
          { label: text, href },
        ],
        brand,
      }),
    ],
    ['no choice', signInChoicePage({ choices: [], brand })],
    [
      'sign out',
      signOutPage({
        action: href,
        csrfToken: text,
        hiddenFields: { one: text, two: text },
        who: text,
        cancelHref: href,
        brand,
      }),
    ],
    ['signing out', signingOutPage({ href, brand })],
    ['signed out', signedOutPage({ signInHref: href, brand })],
    ['no access', noAccessPage({ who: text, signOutHref: href, brand })],
    ['session ended', sessionEndedPage({ signInHref: href, status: 401, brand })],
    ...reasons.map((reason): [string, Reply] => [
      reason,
      loginFailedPage({ reason, reference: text, retryHref: href, brand }),
    ]),
  ]
}

/** Every page with nothing but what it must have. */
const barePages: [string, Reply][] = [
  ['choice', signInChoicePage({ choices: [{ label: 'corp', href: '/in' }] })],
  ['sign out', signOutPage({ action: '/out', csrfToken: 't' })],
  ['signing out', signingOutPage({ href: 'https://login.example.com/end' })],
  ['signed out', signedOutPage({})],
  ['no access', noAccessPage({})],
  ['session ended', sessionEndedPage({ signInHref: '/in', status: 403 })],
  ...reasons.map((reason): [string, Reply] => [reason, loginFailedPage({ reason })]),
]

describe.each([...barePages, ...everyPage('Plain words', '/somewhere')])('the page "%s"', (_, { headers, body }) => {
  it('is a whole page that nobody else can show, store or run anything in', () => {
    expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
    expect(headers?.['content-security-policy']).toMatch(/^default-src 'none'; style-src 'nonce-/)
    expect(body).toContain('<html lang="en">')
    expect(String(body).match(/<title>[^<]+<\/title>/g)).toHaveLength(1)
    expect(String(body).match(/<h1>[^<]+<\/h1>/g)).toHaveLength(1)
    expect(String(body).match(/<main>/g)).toHaveLength(1)
    expect(body).not.toMatch(/<script|\son\w+=|\sstyle=/)
    // A nonce is random, and can have a word in it.
    expect(String(body).replaceAll(/ nonce="[^"]*"/g, '')).not.toMatch(/undefined|null|\[object/)
  })

  it('uses plain words', () => {
    const words = String(body)
      .slice(String(body).indexOf('<h1>'))
      .replaceAll(/<[^>]*>/g, ' ')
    expect(words).not.toMatch(/claim|issuer|nonce|oauth|openid|\bstate\b|cookie(?!s for this site)|\berror\b|csrf/i)
  })
})

describe('hostile values', () => {
  it('stay text in every field of every page', () => {
    const plain = everyPage('text', '/path').map(([name, { body }]) => [name, skeleton(String(body))])
    fc.assert(
      fc.property(hostileText, (text) => {
        const pages = everyPage(text, '/path').map(([name, { body }]) => [name, skeleton(String(body))])
        expect(pages).toEqual(plain)
      }),
      { numRuns: 50 },
    )
  })

  it('lead nowhere from any link or form', () => {
    for (const href of ['javascript:alert(1)', '//evil.example', ' data:text/html,x', WORST]) {
      for (const [, { body }] of everyPage('text', href)) {
        const targets = [...String(body).matchAll(/ (?:href|action|src)="([^"]*)"/g)].map(([, target]) => target)
        expect(targets.filter((target) => !target?.startsWith('data:image/svg+xml,'))).toEqual(
          expect.arrayContaining(['#']),
        )
        expect(new Set(targets.slice(1))).toEqual(new Set(['#']))
      }
    }
  })
})

describe('signInChoicePage', () => {
  it('lists the providers', () => {
    const { status, body } = signInChoicePage({
      choices: [
        { label: 'Acme & Co', href: '/in?integration=acme&return_to=%2F' },
        { label: 'Partners', href: 'https://login.example.com/in' },
      ],
    })
    expect(status).toBe(200)
    const links = [...String(body).matchAll(/<a class="button choice" href="([^"]*)"><span>([^<]*)<\/span>/g)]
    expect(links.map(([, href, label]) => [href, label])).toEqual([
      ['/in?integration=acme&amp;return_to=%2F', 'Acme &amp; Co'],
      ['https://login.example.com/in', 'Partners'],
    ])
  })
})

describe('signingOutPage', () => {
  it('goes on to the provider by itself, as a new page load', () => {
    const { headers, body } = signingOutPage({ href: 'https://login.example.com/end?a=b&c=d' })
    expect(headers?.refresh).toBe('0;url=https://login.example.com/end?a=b&c=d')
    expect(body).toContain('href="https://login.example.com/end?a=b&amp;c=d"')
  })

  it.each(['javascript:alert(1)', 'data:text/html,x', '//evil.test', 'x\r\nset-cookie: a=b'])(
    'but not to %j',
    (href) => {
      expect(signingOutPage({ href }).headers?.refresh).toBeUndefined()
    },
  )
})

describe('signOutPage', () => {
  const { status, headers, body } = signOutPage({
    action: '/.sallyport/sign-out',
    csrfToken: 'tok"en',
    hiddenFields: { return_to: '/a?b&c', [CSRF_FIELD]: 'forged' },
    who: 'alice@example.com',
    cancelHref: '/back',
  })

  it('asks first, with a form that is posted', () => {
    expect(status).toBe(200)
    expect(body).toContain('<form method="post" action="/.sallyport/sign-out" autocomplete="off">')
    expect(body).toContain('<button class="button primary" type="submit">Sign out</button>')
    expect(body).toContain('<a class="button" href="/back">Stay signed in</a>')
    expect(body).toContain('signed in as <bdi>alice@example.com</bdi>.')
  })

  it('sends the token, which no other field replaces', () => {
    const fields = [...String(body).matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)]
    expect(fields.map(([, name = '', value = '']) => [name, unescaped(value)])).toEqual([
      ['return_to', '/a?b&c'],
      ['csrf_token', 'tok"en'],
    ])
  })

  it('is posted to nobody else', () => {
    expect(headers?.['content-security-policy']).toContain("form-action 'self';")
  })
})

describe('the other pages', () => {
  it('signed out: with a way back in, or without', () => {
    expect(signedOutPage({ signInHref: '/in' }).status).toBe(200)
    expect(signedOutPage({ signInHref: '/in' }).body).toContain(
      '<a class="button primary" href="/in">Sign in again</a>',
    )
    expect(signedOutPage({}).body).not.toContain('<a ')
  })

  it('no access: 403, who is signed in, and another account', () => {
    const { status, body } = noAccessPage({ who: 'bob', signOutHref: '/out' })
    expect(status).toBe(403)
    expect(body).toContain('<bdi>bob</bdi>')
    expect(body).toContain('href="/out"')
  })

  it('session ended: nothing was saved; sign in beside the form, which is kept', () => {
    for (const status of [401, 403] as const) {
      const reply = sessionEndedPage({ signInHref: '/in', status })
      expect(reply.status).toBe(status)
      expect(reply.body).toContain('<strong>nothing was saved</strong>')
      expect(reply.body).toContain('href="/in" target="_blank" rel="noopener"')
    }
  })
})

describe('loginFailedPage', () => {
  it.each(reasons)('%s: its status, its own words, the reference and a way on', (reason) => {
    const { status, headers, body } = loginFailedPage({ reason, reference: '4f2a91c07d', retryHref: '/again' })
    expect(status).toBe(REASONS[reason])
    expect(headers?.['retry-after']).toBe(reason === 'unavailable' ? '10' : undefined)
    expect(body).toContain('<code>4f2a91c07d</code>')
    expect(body).toMatch(/<a class="button primary" href="\/again">/)
    expect(loginFailedPage({ reason }).body).not.toMatch(/<code>|<a /)
  })

  it('says something else for each reason', () => {
    const titles = reasons.map((reason) => /<h1>(.*)<\/h1>/.exec(String(loginFailedPage({ reason }).body))?.[1])
    expect(new Set(titles).size).toBe(reasons.length)
  })
})
