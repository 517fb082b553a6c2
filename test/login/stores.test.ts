/** Sessions in each of the token stores, with two guards over it as on two machines. */
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createPeople } from '../../src/identity/people.ts'
import { createGuard, generateKey, sealed, type TokenStore } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { request } from '../guard/harness.ts'
import { API } from '../support/login-provider.ts'
import { testWith } from '../support/parts.ts'
import { startPostgres } from '../support/postgres.ts'
import { startRedis } from '../support/redis.ts'
import { temporaryFolder } from '../support/temp-server.ts'
import { CLIENT_ID, CLIENT_SECRET, openShop, seen, visit } from './setup.ts'

describe('D4 sessions', () => {
  it('in memory', () => {
    const store = memoryStore()
    return journey(() => store)
  })

  it('in SQLite, through two connections', () => {
    const folder = temporaryFolder('login')
    onTestFinished(() => folder.remove())
    return journey(() => sqliteStore(join(folder.path, 'sessions.db')))
  })

  testWith('redis', 'in Redis, through two connections', async () => {
    const server = await startRedis(['--appendonly', 'no'])
    onTestFinished(() => server.dispose())
    await journey(() => redisStore(server.url))
  })

  testWith('postgres', 'in PostgreSQL, through two connections', async () => {
    const server = await startPostgres()
    onTestFinished(() => server.dispose())
    await journey(() => postgresStore(server.url))
  })
})

/** Signs in at one guard; the other knows it, refreshes with the first no more than once, and hears of the end. */
async function journey(open: () => TokenStore): Promise<void> {
  const keys = [generateKey()]
  const stores = [open(), open()] as const
  onTestFinished(async () => {
    await Promise.all(stores.map((store) => store.close()))
  })
  const shop = await openShop({ login: { keys, store: stores[0] } })
  const { browser, origin, clock, provider } = shop
  const page = await visit(browser, `${origin}/`)
  const { id } = seen(page).auth as { id: string }

  const second = createGuard({
    clock,
    login: { url: origin, keys, store: stores[1] },
    integrations: {
      corp: {
        issuer: provider.issuer,
        audience: API,
        oauth2: { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, resource: API },
      },
    },
    routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
  })
  onTestFinished(() => second.close())
  const asked = () =>
    request({ host: new URL(origin).host, headers: { Cookie: browser.cookies('127.0.0.1').join('; ') } })
  expect(await second.handle(asked())).toMatchObject({ kind: 'pass', auth: { id, subject: 'alice' } })

  const before = provider.asked.get('POST /token') ?? 0
  // Not quite expired: the provider's new tokens are good by the real clock only.
  clock.advance(3_590)
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? shop.guard : second).handle(asked())),
  )
  expect(outcomes.map(({ kind }) => kind)).toEqual(Array(20).fill('pass'))
  await expect.poll(() => provider.asked.get('POST /token')).toBe(before + 1)
  await expect.poll(() => shop.logins.length + 1).toBeGreaterThan(2)

  // The record of the person is there for personal tokens later.
  const people = createPeople(sealed(stores[1], keys), clock)
  expect(await people.read(id)).toMatchObject({
    id,
    subject: 'alice',
    integration: 'corp',
    issuer: provider.issuer,
    groups: ['staff', 'admin'],
    email: 'alice@example.com',
  })

  const cookies = browser.cookies('127.0.0.1').join('; ')
  await browser.load(`${origin}/.sallyport/sign-out`, {
    headers: { 'sec-fetch-site': 'same-origin', 'sec-fetch-user': '?1' },
    follow: false,
  })
  const late = () => request({ host: new URL(origin).host, headers: { Cookie: cookies, Accept: 'application/json' } })
  expect(await shop.guard.handle(late())).toMatchObject({ kind: 'reply', reply: { status: 403 } })
  // Within the time that a looked-up connection is believed, or at once where the store tells of changes.
  await expect.poll(async () => (await second.handle(late())).kind, { interval: 100 }).toBe('reply')
}
