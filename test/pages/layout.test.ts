/** A whole page as an answer. */
import { describe, expect, it } from 'vitest'
import type { ReplyHeaders } from '../../src/http/gate.ts'
import { contrast } from '../../src/pages/colours.ts'
import { html } from '../../src/pages/html.ts'
import { type Brand, brandProblem, type PageOptions, page } from '../../src/pages/layout.ts'

const make = (options: Partial<PageOptions> = {}) =>
  page({ title: 'A title', status: 200, body: html`<p>The body</p>`, ...options })
const policyOf = ({ headers = {} }: { headers?: ReplyHeaders }) =>
  Object.fromEntries(
    String(headers['content-security-policy'])
      .split('; ')
      .map((directive) => [directive.split(' ')[0], directive.split(' ').slice(1)] as const),
  )

describe('the headers', () => {
  it('let the page be neither framed, stored nor sniffed, and load nothing', () => {
    const { headers = {}, body } = make()
    const nonce = /<style nonce="([\w-]{22})">/.exec(String(body))?.[1]
    expect(headers).toEqual({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': `default-src 'none'; style-src 'nonce-${nonce}'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'strict-origin',
    })
  })

  it('have a nonce of their own each time', () => {
    const nonces = Array.from({ length: 50 }, () => policyOf(make())['style-src']?.[0])
    expect(new Set(nonces).size).toBe(50)
  })

  it('let forms go to the origins given, and add nothing else to the policy', () => {
    const formTargets = [
      'https://login.example.com/end?x=1;y',
      'https://login.example.com/other',
      'http://127.0.0.1:9000',
      'javascript:alert(1)',
      'data:text/html,x',
      'https://*',
      'https://*.example',
      'https://a.example;script-src',
      'https://a.example,b',
      '*',
      "'unsafe-inline'",
      "https://a.example; script-src 'unsafe-inline'",
      'https://a.example/; script-src *',
      'https://b.example\r\nset-cookie: a=b',
      '',
    ]
    const policy = policyOf(make({ formTargets }))
    expect(Object.keys(policy)).toEqual([
      'default-src',
      'style-src',
      'img-src',
      'form-action',
      'frame-ancestors',
      'base-uri',
    ])
    expect(policy['form-action']).toEqual([
      "'self'",
      'https://login.example.com',
      'http://127.0.0.1:9000',
      'https://a.example',
    ])
  })

  it('let images come from elsewhere only where the logo does', () => {
    expect(policyOf(make({ brand: { logoUrl: '/logo.svg' } }))['img-src']).toEqual(["'self'", 'data:'])
    expect(policyOf(make({ brand: { logoUrl: 'https://cdn.example/l.png' } }))['img-src']).toEqual([
      "'self'",
      'data:',
      'https:',
    ])
  })

  it('can be more, but not others', () => {
    const { headers } = make({
      headers: { 'set-cookie': ['a=1', 'b=2'], 'content-security-policy': 'none', 'retry-after': '1' },
    })
    expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'retry-after': '1', 'cache-control': 'no-store' })
    expect(headers?.['content-security-policy']).toContain("default-src 'none'")
  })
})

describe('the document', () => {
  it('has a language, a title, one heading and what a phone needs', () => {
    const { status, body } = make({ status: 418, brand: { name: 'Acme' } })
    expect(status).toBe(418)
    expect(body).toMatch(
      /^<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>A title – Acme<\/title>/,
    )
    expect(body).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">')
    expect(body).toContain('<meta name="color-scheme" content="light dark">')
    expect(String(body).match(/<h1>.*?<\/h1>/g)).toEqual(['<h1>A title</h1>'])
    expect(body).toMatch(/<main>[\s\S]*<p>The body<\/p>\n<\/main>/)
  })

  it('runs nothing, and has no style outside its style sheet', () => {
    expect(make().body).not.toMatch(/<script|\son\w+=|\sstyle=|<link rel="(?!icon)/)
  })

  it('shows the brand, or a gate', () => {
    const brand: Brand = {
      name: 'A & B',
      logoUrl: '/l.svg',
      footerLink: { text: 'Help <me>', url: 'https://a.example/?b&c' },
    }
    const { body } = make({ brand })
    expect(body).toContain('<img src="/l.svg" alt=""')
    expect(body).toContain('<span>A &amp; B</span>')
    expect(body).toContain('<a href="https://a.example/?b&amp;c" rel="noreferrer">Help &lt;me&gt;</a>')
    expect(make().body).toMatch(/<header><svg [^>]*aria-hidden="true"/)
    expect(make().body).not.toContain('<footer>')
  })

  it('does not trust a brand that nobody checked', () => {
    const footerLink = { text: 'x', url: 'javascript:alert(1)' }
    const { body, headers } = make({
      brand: { accentColor: 'red;} body{', logoUrl: 'data:image/svg+xml,x', footerLink },
    })
    expect(body).not.toMatch(/red;|<img|javascript:/)
    expect(headers?.['content-security-policy']).not.toContain('https:')
  })

  it.each(['#fff', '#000', '#ffd400', '#777', '#0a5fd1', '#ff00ff'])(
    'is readable with %s as its colour',
    (accentColor) => {
      const sheet = String(make({ brand: { accentColor } }).body)
      const [light = '', dark = ''] = sheet.split('@media (prefers-color-scheme: dark)')
      const of = (part: string, name: string) => new RegExp(`--${name}: (#\\w+);`).exec(part)?.[1] ?? ''
      expect(of(light, 'accent')).toBe(accentColor)
      expect(contrast(of(light, 'on-accent'), accentColor)).toBeGreaterThanOrEqual(4.5)
      for (const part of [light, dark]) {
        for (const under of ['page', 'card']) {
          for (const name of ['text', 'quiet', 'accent-text']) {
            expect(contrast(of(part, name), of(part, under))).toBeGreaterThanOrEqual(4.5)
          }
        }
        for (const name of ['accent-line', 'control-line']) {
          expect(contrast(of(part, name), of(part, 'card'))).toBeGreaterThanOrEqual(3)
        }
        expect(contrast(of(part, 'text'), of(part, 'control-hover'))).toBeGreaterThanOrEqual(4.5)
      }
    },
  )
})

describe('a page with navigation', () => {
  const navigation = {
    homeHref: '/gateway',
    links: [
      { label: 'One <1>', href: '/one', current: true },
      { label: 'Two', href: 'javascript:alert(1)', current: false },
    ],
    who: 'Ann <b>',
    signOutHref: '/out',
  }

  it('has a bar, a way past it, and who is signed in; a page without has none of it', () => {
    const body = String(make({ navigation, brand: { name: 'Acme' } }).body)
    expect(body).toContain('<a class="skip" href="#content">Skip to the content</a>')
    expect(body).toContain('<li><a href="/one" aria-current="page">One &lt;1&gt;</a></li>')
    expect(body).toContain('<li><a href="#">Two</a></li>')
    expect(body).toContain('<bdi>Ann &lt;b&gt;</bdi> <a href="/out">Sign out</a>')
    expect(body).toMatch(/<main id="content" tabindex="-1">\n<h1>A title<\/h1>/)
    expect(String(make({ navigation: { ...navigation, signOutHref: undefined } }).body)).not.toContain('Sign out')
    expect(String(make().body)).not.toMatch(/<nav|class="skip"|class="wide"/)
  })

  it('has a script only where one is given, and a policy that lets that one run', () => {
    const reply = make({ navigation, script: (nonce) => html`<script nonce="${nonce}">1</script>` })
    const [, nonce] = /<script nonce="([\w-]{22})">/.exec(String(reply.body)) ?? []
    expect(policyOf(reply)).toMatchObject({ 'script-src': [`'nonce-${nonce}'`], 'connect-src': ["'self'"] })
    expect(policyOf(make({ navigation }))).not.toHaveProperty('script-src')
  })
})

describe('brandProblem', () => {
  it.each<[string, Brand]>([
    ['nothing at all', {}],
    ['everything', { name: 'A', logoUrl: '/l.svg', accentColor: '#0A7', footerLink: { text: 'Help', url: '/help' } }],
    [
      'URLs elsewhere',
      { logoUrl: 'https://cdn.example/l.png', footerLink: { text: 'Help', url: 'https://a.example' } },
    ],
  ])('finds none in %s', (_, brand) => {
    expect(brandProblem(brand)).toBeUndefined()
  })

  it.each<[unknown, string]>([
    [null, 'expected object, got null'],
    ['Acme', 'expected object, got string'],
    [{ accentColour: '#fff' }, 'unknown key "accentColour"; did you mean "accentColor"?'],
    [{ name: ' ' }, 'name: must not be empty'],
    [{ name: 1 }, 'name: expected string, got number'],
    [{ accentColor: 'red' }, 'accentColor: "red" is not a colour such as "#07c" or "#0a5fd1"'],
    [{ logoUrl: 'logo.svg' }, 'logoUrl: "logo.svg" is neither an https URL nor a path such as "/logo.svg"'],
    [{ logoUrl: 'http://a.example/l.svg' }, 'logoUrl: "http://a.example/l.svg" is neither'],
    [{ logoUrl: '//a.example/l.svg' }, 'logoUrl: "//a.example/l.svg" is neither'],
    [{ logoUrl: 'data:image/png;base64,AA' }, 'logoUrl: "data:image/png;base64,AA" is neither'],
    [{ footerLink: { text: 'Help', url: 'javascript:alert(1)' } }, 'footerLink.url: "javascript:alert(1)" is neither'],
    [{ footerLink: { url: '/help' } }, 'footerLink.text: required'],
    [{ footerLink: 'https://a.example' }, 'footerLink: expected object, got string'],
    [{ accentColor: '#12', name: '' }, 'name: must not be empty; accentColor: "#12"'],
  ])('%j', (brand, problem) => {
    expect(brandProblem(brand)).toContain(problem)
  })
})
