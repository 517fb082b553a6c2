/** What people see when they connect an account. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Reply } from '../../src/http/gate.ts'
import {
  type ConnectFailure,
  connectCancelledPage,
  connectedPage,
  connectFailedPage,
  connectPage,
  linkGonePage,
} from '../../src/pages/connect-pages.ts'
import { hostileText, skeleton, WORST } from './hostile-text.ts'

const REASONS: Record<ConnectFailure, number> = {
  denied: 403,
  expired: 400,
  invalid: 400,
  rejected: 502,
  unavailable: 503,
  other_person: 403,
  signed_out: 403,
  no_access: 403,
}
const reasons = Object.keys(REASONS) as ConnectFailure[]

/** Every page with `text` in each of its fields; `href` where a link is wanted. */
function everyPage(text: string, href: string): [string, Reply][] {
  const brand = { name: text, logoUrl: href, accentColor: text, footerLink: { text, url: href } }
  const asked = {
    label: text,
    serverHost: text,
    authorizationHost: text,
    scopes: [text, text],
    action: href,
    csrfToken: text,
  }
  return [
    ['connect', connectPage({ ...asked, who: text, owner: text, brand })],
    ['connect, with ways out', connectPage({ ...asked, who: text, switchHref: href, cancelHref: href, brand })],
    ['connect cancelled', connectCancelledPage({ retryHref: href, brand })],
    ['connected', connectedPage({ label: text, brand })],
    ['link gone', linkGonePage({ brand })],
    ...reasons.map((reason): [string, Reply] => [
      reason,
      connectFailedPage({ reason, label: text, who: text, reference: text, retryHref: href, backHref: href, brand }),
    ]),
  ]
}

const barePages: [string, Reply][] = [
  [
    'connect',
    connectPage({ label: 'Code', serverHost: 'a', authorizationHost: 'b', scopes: [], action: '/c', csrfToken: 't' }),
  ],
  [
    'connect, for a shared account',
    connectPage({
      label: 'Code',
      serverHost: 'a',
      authorizationHost: 'b',
      scopes: [],
      owner: true,
      action: '/c',
      csrfToken: 't',
    }),
  ],
  ['connected', connectedPage({ label: 'Code' })],
  ['link gone', linkGonePage({})],
  ...reasons.map((reason): [string, Reply] => [reason, connectFailedPage({ reason })]),
]

describe.each([...barePages, ...everyPage('Plain words', '/somewhere')])('the page "%s"', (_, { headers, body }) => {
  it('is a whole page that nobody else can show, store or run anything in', () => {
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'strict-origin',
    })
    expect(headers?.['content-security-policy']).toMatch(/^default-src 'none'; style-src 'nonce-/)
    expect(headers?.['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(body).toContain('<html lang="en">')
    expect(String(body).match(/<h1>/g)).toHaveLength(1)
  })
})

describe('hostile text', () => {
  it('stays text on every page', () => {
    const plain = everyPage('x', '/x').map(([name, { body }]) => [name, skeleton(String(body))])
    fc.assert(
      fc.property(hostileText, (text) => {
        expect(everyPage(text, '/x').map(([name, { body }]) => [name, skeleton(String(body))])).toEqual(plain)
      }),
      { examples: [[WORST]] },
    )
  })
})

describe('what they say', () => {
  it.each(reasons)('%s has its status', (reason) => {
    const { status, headers } = connectFailedPage({ reason })
    expect(status).toBe(REASONS[reason])
    expect(headers?.['retry-after']).toBe(reason === 'unavailable' ? '10' : undefined)
  })

  it('the form leads on to whatever sign-in the authorization server goes through', () => {
    const [, { headers }] = barePages[0] ?? ['', { status: 0 }]
    expect(headers?.['content-security-policy']).toContain("form-action 'self' https: http:;")
  })

  it('whose connection it will be', () => {
    const asked = { label: 'Code', serverHost: 'a', authorizationHost: 'b', scopes: [], action: '/c', csrfToken: 't' }
    expect(connectPage(asked).body).toContain('for you.')
    expect(connectPage({ ...asked, owner: 'ci' }).body).toContain('<em>your</em> access')
    expect(connectPage({ ...asked, owner: true }).body).toContain('a shared account')
  })
})
