import { describe, expect, it } from 'vitest'
import { createPlaces, PAGES } from '../../src/login/places.ts'
import { type HostPattern, parseHostPattern } from '../../src/match/host-pattern.ts'

const pattern = (text: string) => parseHostPattern(text) as HostPattern
const entrances = [
  { host: pattern('shop.example.com'), path: '/buy' },
  { host: pattern('shop.example.com'), path: '/me' },
  { host: pattern('one.apps.example.com'), path: '/app' },
  { host: pattern('*.apps.example.com'), path: '/' },
  { host: pattern('login.example.com'), path: '/mü sli' },
]
const places = (url: string, more = {}) => createPlaces({ url, keys: [], ...more }, entrances)

describe('A8 where login lives', () => {
  it.each([
    ['https://login.example.com', 'login.example.com', 'https://login.example.com', true],
    ['https://login.example.com', 'shop.example.com', 'https://shop.example.com', true],
    ['https://login.example.com:8443', 'one.apps.example.com', 'https://one.apps.example.com:8443', true],
    ['http://localhost:3000', 'localhost', 'http://localhost:3000', true],
    // A proxy's name for us, or nobody's.
    ['https://login.example.com', 'backend', 'https://login.example.com', false],
    ['https://login.example.com', 'two.one.apps.example.com', 'https://login.example.com', false],
    ['https://login.example.com', 'evil.test', 'https://login.example.com', false],
    ['https://login.example.com', '', 'https://login.example.com', false],
  ])('%s: a request to %s is to %s', (url, host, origin, known) => {
    expect(places(url).originOf(host)).toEqual({ origin, known })
  })

  it.each([
    ['https://login.example.com', '__Host-sallyport.corp'],
    ['https://login.example.com:443', '__Host-sallyport.corp'],
    ['https://login.example.com:8443', '__Host-sallyport-8443.corp'],
    ['https://login.example.com:9443', '__Host-sallyport-9443.corp'],
    ['http://localhost:3000', 'sallyport-3000.corp'],
    ['http://localhost', 'sallyport-80.corp'],
  ])('the cookie of %s is %s', (url, name) => {
    expect(places(url).cookie('corp')).toBe(name)
  })

  it('says its URLs', () => {
    const own = places('https://login.example.com/', { path: '/auth' })
    expect(own.callbackUrl('corp')).toBe('https://login.example.com/auth/callback/corp')
    expect(
      own.url(PAGES.signIn, { integration: 'corp', return_to: 'https://shop.example.com/a?b=c&d', hop: undefined }),
    ).toBe(
      'https://login.example.com/auth/sign-in?integration=corp&return_to=https%3A%2F%2Fshop.example.com%2Fa%3Fb%3Dc%26d',
    )
    expect(own.url(PAGES.signOut, {}, 'https://shop.example.com')).toBe('https://shop.example.com/auth/sign-out')
  })

  it.each([
    ['https://shop.example.com', 'https://shop.example.com/buy/'],
    ['https://one.apps.example.com', 'https://one.apps.example.com/'],
    ['https://login.example.com', 'https://login.example.com/m%C3%BC%20sli/'],
    ['https://apps.example.com', 'https://apps.example.com/'],
  ])('people of %s begin at %s', (origin, home) => {
    expect(places('https://login.example.com').homeOf(origin)).toBe(home)
  })
})
