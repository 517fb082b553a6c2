/** B6, B7: what legacy clients have subscribed to at modern members, as it is kept for all replicas. */
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { VirtualSession } from '../../src/gateway/virtual/context.ts'
import { createResourceSubscriptions } from '../../src/gateway/virtual/resource-subscriptions.ts'
import type { TokenStore } from '../../src/store/token-store.ts'

const clock = { now: () => 1_000_000 }
const session: VirtualSession = {
  key: 'one',
  server: 'dev/one',
  identity: 'user:alice',
  revision: '2025-11-25',
  urlElicitation: false,
  client: { info: undefined, capabilities: {} },
  expiresAt: clock.now() + 60_000,
}
const other = { ...session, key: 'two' }
const uriOf = (index: number) => `notes://${index}`

describe('subscriptions', () => {
  test('of one session and member are nobody else’s, and have what the member calls them', async () => {
    const subscriptions = createResourceSubscriptions(memoryStore(), clock)
    expect(await subscriptions.add(session, 'dev/one', 'notes://x', 'mcp-member://dev/one/x')).toBe(true)
    expect([...(await subscriptions.of(session, 'dev/one'))]).toEqual([['notes://x', 'mcp-member://dev/one/x']])
    expect((await subscriptions.of(other, 'dev/one')).size).toBe(0)
    expect((await subscriptions.of(session, 'dev/two')).size).toBe(0)
  })

  test('at the same moment on two replicas all count, up to a thousand', async () => {
    const store = memoryStore()
    const replicas = [createResourceSubscriptions(store, clock), createResourceSubscriptions(store, clock)] as const
    const add = (index: number) => replicas[index % 2 === 0 ? 0 : 1].add(session, 'dev/one', uriOf(index), uriOf(index))
    const made = await Promise.all(Array.from({ length: 1_010 }, (_, index) => add(index)))
    expect(made.filter(Boolean)).toHaveLength(1_000)
    expect((await replicas[0].of(session, 'dev/one')).size).toBe(1_000)
    const [known = ''] = (await replicas[0].of(session, 'dev/one')).keys()
    // What is subscribed to already takes no more room, and what is given up makes some.
    expect(await replicas[0].add(session, 'dev/one', known, known)).toBe(true)
    await replicas[1].remove(session, 'dev/one', known)
    expect(await replicas[0].add(session, 'dev/one', 'notes://new', 'notes://new')).toBe(true)
  })

  test('tell the streams of this process, and wait until those have taken it in', async () => {
    const subscriptions = createResourceSubscriptions(memoryStore(), clock)
    const order: string[] = []
    const unwatch = subscriptions.watch(session, 'dev/one', async () => {
      order.push('told')
      await Promise.resolve()
      order.push('taken in')
    })
    onTestFinished(unwatch)
    await subscriptions.add(session, 'dev/one', 'notes://x', 'notes://x')
    order.push('subscribed')
    expect(order).toEqual(['told', 'taken in', 'subscribed'])
    await subscriptions.add(other, 'dev/one', 'notes://x', 'notes://x')
    await subscriptions.remove(session, 'dev/one', 'notes://nothing')
    expect(order).toHaveLength(3)
    unwatch()
    await subscriptions.remove(session, 'dev/one', 'notes://x')
    expect(order).toHaveLength(3)
  })

  test('reach a stream of another replica, also one whose store was down meanwhile', async () => {
    const store = memoryStore()
    let down = false
    const shaky: TokenStore = {
      ...store,
      get: (key) => (down ? Promise.reject(new Error('down')) : store.get(key)),
    }
    const [here, there] = [createResourceSubscriptions(shaky, clock), createResourceSubscriptions(store, clock)]
    let told = 0
    onTestFinished(here.watch(session, 'dev/one', async () => void told++))
    await there.add(session, 'dev/one', 'notes://x', 'notes://x')
    await expect.poll(() => told).toBe(1)
    down = true
    await there.add(session, 'dev/one', 'notes://y', 'notes://y')
    down = false
    await expect.poll(() => told).toBe(2)
  })

  test('that the store does not take are an error, not a promise', async () => {
    const store = memoryStore()
    const subscriptions = createResourceSubscriptions({ ...store, put: () => Promise.reject(new Error('down')) }, clock)
    await expect(subscriptions.add(session, 'dev/one', 'notes://x', 'notes://x')).rejects.toThrow('down')
    await expect(subscriptions.remove(session, 'dev/one', 'notes://x')).resolves.toBeUndefined()
  })
})
