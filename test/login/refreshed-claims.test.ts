/** What a session's claims are worth, and until when, where the provider says less than it could. */
import { describe, expect, it } from 'vitest'
import { openStall, type StallOptions, whoIs } from './stall.ts'

const idTokenOnly: StallOptions = { integration: { jwtSource: 'id_token', audience: 'shop' } }

describe('a session in cookies', () => {
  it.each([true, false])('ends with the ID token that is judged (refresh token: %s)', async (sent) => {
    const stall = await openStall({ ...idTokenOnly, login: { session: 'cookie' } })
    stall.provider.hooks.idToken = (claims) => ({ ...claims, exp: Number(claims.iat) + 300 })
    stall.provider.hooks.answer = ({ refresh_token, ...body }) => ({
      ...body,
      expires_in: 86_400,
      ...(sent && { refresh_token }),
    })
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(295)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe('alice')
    stall.clock.advance(30)
    expect(await whoIs(stall.browser, `${stall.origin}/`)).toBe(null)
  })
})

describe('groups that UserInfo says', () => {
  it.each([true, false])('are lost with the next refresh (with an ID token: %s)', async (again) => {
    const stall = await openStall({
      ...idTokenOnly,
      oauth2: { userInfo: true },
      routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'admin' } } }],
    })
    let groups = ['admin']
    stall.provider.hooks.userInfo = (claims) => ({ ...claims, name: 'by UserInfo', groups })
    stall.provider.hooks.answer = ({ id_token, ...body }, sent) =>
      sent.has('code') || again ? { ...body, id_token } : body
    await stall.browser.load(`${stall.origin}/`)
    stall.clock.advance(3601)
    const { auth } = JSON.parse((await stall.browser.script(`${stall.origin}/`)).body)
    // What the token says still wins.
    expect(auth.claims).toMatchObject({ groups: ['admin'], name: 'The alice' })
    groups = ['guest']
    stall.clock.advance(3601)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(403)
    groups = ['admin']
    stall.clock.advance(3601)
    expect((await stall.browser.script(`${stall.origin}/`)).status).toBe(200)
  })
})
