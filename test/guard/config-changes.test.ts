/** A configuration that its owner changes after the guard was made: what was checked is what counts. */
import { testIssuer } from 'sallyport/testing'
import { expect, test } from 'vitest'
import { ask, guardFor, request, withPassword, withToken } from './harness.ts'

test('a guard goes by the configuration as it was when it was made', async () => {
  const issuer = await testIssuer({ audience: 'orders' })
  const scopes = ['admin']
  const jwt = { type: 'jwt' as const, integration: 'corp', scopes, cookie: 'token' }
  const users = [{ username: 'ann', password: 'secret-1' }]
  const basic = { type: 'basic' as const, users }
  const config: Parameters<typeof guardFor>[0] & { unmatched?: 'skip' } = {
    integrations: { corp: issuer.integration },
    fetch: issuer.fetch,
    routes: [
      { path: '/scopes', auth: jwt },
      { path: '/basic', auth: basic },
    ],
  }
  const guard = guardFor(config)
  const token = await issuer.token({ sub: 'ann' })
  config.unmatched = 'skip'
  scopes.length = 0
  jwt.cookie = 'other'
  users.push({ username: 'bob', password: 'secret-2' })

  expect(await ask(guard, request({ target: '/elsewhere' }))).toBe(404)
  expect(await ask(guard, withToken(token, { target: '/scopes' }))).toBe(403)
  expect(await ask(guard, request({ target: '/scopes', headers: { Cookie: `token=${token}` } }))).toBe(403)
  expect(await ask(guard, withPassword('ann', 'secret-1', { target: '/basic' }))).toBe('pass')
  expect(await ask(guard, withPassword('bob', 'secret-2', { target: '/basic' }))).toBe(401)
})
