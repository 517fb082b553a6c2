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
