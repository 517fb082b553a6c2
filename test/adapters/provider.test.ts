/** A6, A10, A11 with a real identity provider: its discovery, its keys, its tokens, on every server. */
import { createGuard, type Guard } from 'sallyport'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type RealProvider, startProvider } from '../support/identity-provider.ts'
import { askRaw } from '../support/raw-client.ts'
import { type RunningApp, SERVERS } from '../support/servers.ts'
import { expectProblem, expectReached, withoutReaching } from './helpers.ts'

const ORDERS = 'https://orders.example.com'
const BILLING = 'https://billing.example.com'

let provider: RealProvider
beforeAll(async () => {
  provider = await startProvider({
    resources: { [ORDERS]: 'orders:read orders:write', [BILLING]: 'billing:read' },
    claims: { groups: ['engineering', 'on-call'] },
  })
})
afterAll(() => provider.close())

describe.each(SERVERS)('$name', ({ start }) => {
  let app: RunningApp
  let guard: Guard
  beforeEach(async () => {
    guard = createGuard({
      integrations: { corp: { issuer: provider.issuer, audience: ORDERS } },
      routes: [
        { path: '/jwt', auth: { type: 'jwt', integration: 'corp' } },
        { path: '/groups', auth: { type: 'jwt', integration: 'corp', claims: { groups: ['admin', 'eng*'] } } },
        { path: '/admins', auth: { type: 'jwt', integration: 'corp', claims: { groups: 'admin' } } },
        { path: '/read', auth: { type: 'jwt', integration: 'corp', scopes: ['orders:read'] } },
      ],
    })
    app = await start({ gates: [guard] })
  })
  afterEach(async () => {
    await app.close()
    await guard.close()
  })
  const ask = (target: string, token?: string) =>
    askRaw(app.port, { target, headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })

  test('A6 its access token passes, by the keys that its metadata names', async () => {
    const token = await provider.token({ resource: ORDERS, scope: 'orders:read' })
    const { auth } = expectReached(await ask('/jwt/whoami', token))
    expect(auth).toMatchObject({
      type: 'jwt',
      integration: 'corp',
      claims: { iss: provider.issuer, aud: ORDERS, client_id: 'nightly', scope: 'orders:read' },
    })
    expectReached(await ask('/groups/whoami', token))
    expectReached(await ask('/read/whoami', token))
  })

  test('A6 ready() fetches the keys before the first request', async () => {
    await guard.ready()
    expectReached(await ask('/jwt/whoami', await provider.token({ resource: ORDERS })))
  })

  test('what is not good enough is refused as the answers table says', async () => {
    const token = await provider.token({ resource: ORDERS, scope: 'orders:write' })
    const other = await provider.token({ resource: BILLING })
    await withoutReaching(app, async () => {
      expectProblem(await ask('/jwt/whoami'), 403, { 'www-authenticate': 'Bearer' })
      expect((await ask('/jwt/whoami', other)).status).toBe(401)
      expect((await ask('/jwt/whoami', `${token.slice(0, -4)}AAAA`)).status).toBe(401)
      expectProblem(await ask('/admins/whoami', token), 403)
      expectProblem(await ask('/read/whoami', token), 403, {
        'www-authenticate': 'Bearer error="insufficient_scope", scope="orders:read"',
      })
    })
  })
})
