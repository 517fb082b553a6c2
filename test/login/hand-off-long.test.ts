/** Long sessions in cookies, on their way to another host: a ticket that servers take, or a sign-in that says why not. */
import { expect, it } from 'vitest'
import { openStall, type Stall, whoIs } from './stall.ts'

const LOGIN = 'https://login.test'
const PARTNER = 'https://partner.test'

const groups = (bytes: number) => Array.from({ length: bytes / 32 }, (_, index) => `group-${index}`.padEnd(29, '-'))

/** A stall on two hosts whose people have many groups, `bytes` of them in the access token. */
async function openLong(bytes: number, inIdToken = 0): Promise<Stall> {
  const stall = await openStall({
    url: LOGIN,
    origins: [PARTNER],
    login: { session: 'cookie' },
    routes: [
      { host: 'partner.test', auth: { type: 'jwt', integration: 'corp', login: true } },
      { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
    ],
  })
  stall.provider.hooks.accessToken = (claims) => ({ ...claims, groups: groups(bytes) })
  stall.provider.hooks.idToken = (claims) => ({ ...claims, groups: groups(inIdToken) })
  return stall
}

it.each([
  ['what fits with the ID token', 500, 500],
  ['what fits into cookies with the ID token, and into a URL without it', 3_200, 2_400],
  ['what fits into cookies and into a URL without the ID token', 3_200, 6_400],
])('%s goes over', async (_what, bytes, inIdToken) => {
  const { browser } = await openLong(bytes, inIdToken)
  const page = await browser.load(`${PARTNER}/deep`)
  expect(page.url).toBe(`${PARTNER}/deep`)
  expect(Math.max(...page.way.map((url) => url.length))).toBeLessThan(7_100)
  expect(await whoIs(browser, `${PARTNER}/`)).toBe('alice')
  expect(await whoIs(browser, `${LOGIN}/`)).toBe('alice')
})

it('what fits into cookies but into no URL fails the sign-in, and the event says why', async () => {
  const { browser, logins } = await openLong(6_400)
  const page = await browser.load(`${PARTNER}/deep`)
  expect([page.status, new URL(page.url).origin]).toEqual([502, LOGIN])
  expect(logins.map(({ kind }) => kind)).toEqual(['started', 'failed'])
  expect(logins.at(-1)).toMatchObject({
    reason: 'rejected',
    detail: expect.stringContaining(`too long to go over to ${PARTNER}`),
  })
  expect(await whoIs(browser, `${LOGIN}/`)).toBeNull()
  expect(browser.cookies('login.test')).toEqual([])
})

it('a session of the login host that is too long for a URL stays there, and is not said to have gone over', async () => {
  const { browser, logins } = await openLong(6_400)
  await browser.load(`${LOGIN}/`)
  expect((await browser.load(`${PARTNER}/deep`)).status).toBe(502)
  expect(logins.map(({ kind }) => kind)).toEqual(['started', 'signed_in', 'failed'])
  expect(logins.at(-1)?.detail).toContain('too long to go over')
  expect(await whoIs(browser, `${LOGIN}/`)).toBe('alice')
})
