/** What a virtual account leaves to the next one of its name: nothing (G2, G13). */
import { generateKey, type TokenStore } from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import { StoreError } from '../../src/core/errors.ts'
import { virtualAccountId } from '../../src/identity/identity.ts'
import { untilCallback } from '../broker/setup.ts'
import { startKeyServer } from '../support/identity-provider.ts'
import { type ConsentWorld, startConsentWorld } from './attack-parts.ts'
import { initialize, rpc, startWorld, type World } from './world.ts'

const SUBJECT = { virtualAccount: 'late' }
const ACCESS = [
  { to: 'user:corp/*', on: '*' },
  { to: 'virtual-account:late', on: '*' },
]

/** A world with an account of Ann's that she has connected. */
async function open(options: Parameters<typeof startConsentWorld>[0] = {}): Promise<ConsentWorld> {
  const opened = await startConsentWorld({ access: ACCESS, ...options })
  await opened.world.gateway.virtualAccounts.create('late', { owners: ['user:corp/ann@example.com'] })
  expect((await connectAs(opened, 'ann')).status).toBe(200)
  return opened
}

async function linkFor({ gateway, jwt }: World, name: string): Promise<string> {
  const who = { authorization: `Bearer ${await jwt(name)}` }
  return gateway.connections.connectUrl({ server: 'dev/notes', who, forVirtualAccount: 'late' })
}

async function connectAs({ world, browserOf }: ConsentWorld, name: string) {
  const browser = browserOf(name)
  return browser.submit(await browser.load(await linkFor(world, name)), {})
}

/** What a call with a key of the account is answered. */
async function called({ gateway, endpoint }: World) {
  const { key } = await gateway.keys.create(SUBJECT, { name: 'x' })
  return rpc(endpoint('dev/notes'), { token: key, body: initialize() })
}

describe('G13 a virtual account that is deleted', () => {
  test('has no connection any more, here or upstream, and the next one of its name needs its own', async () => {
    const opened = await open()
    const { world, provider, notes } = opened
    expect((await called(world)).status).toBe(200)
    const [token = ''] = notes.tokens()
    expect(await world.gateway.virtualAccounts.delete('late')).toBe(true)
    expect(provider.isGood(token)).toBe(false)
    expect(world.audits).toContainEqual(
      expect.objectContaining({ kind: 'disconnected', server: 'dev/notes', owner: virtualAccountId('late') }),
    )
    await world.gateway.virtualAccounts.create('late', { owners: ['user:corp/bob@example.com'] })
    expect(await world.gateway.connections.list(SUBJECT)).toEqual([])
    const arrived = notes.requests.length
    expect((await called(world)).json.error.code).toBe(4012)
    expect(notes.requests).toHaveLength(arrived)
    expect((await connectAs(opened, 'bob')).status).toBe(200)
    expect((await called(world)).status).toBe(200)
  })

  test('is not connected by who has pressed the button before, nor is the next one of its name', async () => {
    const { world, browserOf, provider } = await startConsentWorld({ access: ACCESS })
    for (const next of [undefined, { owners: ['user:corp/bob@example.com'] }]) {
      await world.gateway.virtualAccounts.create('late', { owners: ['user:corp/ann@example.com'] })
      const browser = browserOf('ann')
      const callback = await untilCallback(browser, await linkFor(world, 'ann'))
      await world.gateway.virtualAccounts.delete('late')
      if (next !== undefined) await world.gateway.virtualAccounts.create('late', next)
      expect((await browser.load(callback)).status).toBe(403)
      expect(provider.asked.filter(({ path }) => path === '/token')).toEqual([])
    }
    expect(await world.gateway.connections.list(SUBJECT)).toEqual([])
  })

  test('is gone also where an authorization server does not take the revocation', async () => {
    const { world, provider } = await open()
    provider.mode = 'fail'
    expect(await world.gateway.virtualAccounts.delete('late')).toBe(true)
    expect(await world.gateway.virtualAccounts.get('late')).toBeUndefined()
    expect(world.audits).toContainEqual(expect.objectContaining({ kind: 'revocation_failed', server: 'dev/notes' }))
    provider.mode = 'ok'
    await world.gateway.virtualAccounts.create('late')
    expect((await called(world)).json.error.code).toBe(4012)
  })

  test('is gone also where its connection does not open', async () => {
    const store = memoryStore()
    const { world } = await open({ store })
    const key = { space: 'connections', owner: virtualAccountId('late'), id: 'dev/notes' }
    await store.put(key, Buffer.from('no seal'), { ifVersion: (await store.get(key))?.version ?? null })
    expect(await world.gateway.virtualAccounts.delete('late')).toBe(true)
    expect(await store.get(key)).toBeUndefined()
  })

  test.each([
    ['before its connections are gone', 'list', 'connections'],
    ['while they are going', 'put', 'connections'],
    ['after them', 'delete', 'virtual-accounts'],
  ] as const)(
    'leaves the next one nothing where the process that deletes it gets stuck %s',
    async (_, broken, space) => {
      const store = memoryStore()
      const keys = [generateKey()]
      const provider = await startKeyServer()
      onTestFinished(() => provider.close())
      const opened = await open({ store, keys, provider })
      const { world, notes, server } = opened
      expect((await called(world)).status).toBe(200)
      const [token = ''] = notes.tokens()
      const fails = (at: unknown) => at === space && Promise.reject(new StoreError('the store is away'))
      const stuck: TokenStore = {
        ...store,
        list: (at, who, page) => (broken === 'list' && fails(at)) || store.list(at, who, page),
        put: (key, value, how) => (broken === 'put' && fails(key.space)) || store.put(key, value, how),
        delete: (key, how) => (broken === 'delete' && fails(key.space)) || store.delete(key, how),
      }
      const other = await startWorld({
        url: world.origin,
        store: stuck,
        keys,
        provider,
        servers: { 'dev/notes': server },
        ...(world.config.signIn && { signIn: world.config.signIn }),
      })
      await expect(other.gateway.virtualAccounts.delete('late')).rejects.toThrow('the store is away')
      await world.gateway.virtualAccounts.create('late')
      expect(opened.provider.isGood(token)).toBe(false)
      expect((await called(world)).json.error.code).toBe(4012)
    },
  )
})
