/** The sign-in page on each of our hosts: the provider's answer comes to one of them only. */
import { expect, test } from 'vitest'
import { generateKey } from '../../src/index.ts'
import { openShop, seen, visit } from './setup.ts'

const auth = { type: 'jwt', integration: 'corp', login: true } as const
const routes = (origin: string) => [
  { host: new URL(origin).hostname, path: '/', auth },
  { host: 'partner.test', path: '/', auth },
  { host: 'third.test', path: '/', auth },
]
for (const session of ['store', 'cookie'] as const) {
  test(`A8 the sign-in page works on every host of ours (${session})`, async () => {
    const shop = await openShop({
      hosts: ['partner.test', 'third.test'],
      routes,
      login: { session, keys: [generateKey()] },
    })
    const at = (host: string) => `http://${host}:${shop.port}`
    const signIn = `${at('partner.test')}/.sallyport/sign-in?integration=corp`
    const page = await visit(shop.browser, `${signIn}&return_to=%2Fspa%3Fx%3D1`)
    expect(page.url).toBe(`${at('partner.test')}/spa?x=1`)
    expect(seen(page).auth?.subject).toBe('alice')
    expect((await visit(shop.newBrowser(), signIn)).url).toBe(`${at('partner.test')}/`)
    const third = await visit(shop.newBrowser(), `${signIn}&return_to=${encodeURIComponent(`${at('third.test')}/x`)}`)
    expect(third.url).toBe(`${at('third.test')}/x`)
    expect(seen(third).auth?.subject).toBe('alice')
    const home = await visit(shop.newBrowser(), `${signIn}&return_to=${encodeURIComponent(`${shop.origin}/y`)}`)
    expect(home.url).toBe(`${shop.origin}/y`)
    const evil = await visit(shop.newBrowser(), `${signIn}&return_to=https%3A%2F%2Fevil.test`)
    expect(evil.url).toBe(`${shop.origin}/`)
  })
}
