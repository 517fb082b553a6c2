/** A guard and a gateway on one store: what `ready()` says where their keys differ (B8). */
import { createGuard, generateKey, type TokenStore } from 'sallyport'
import { createGateway } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import { expect, onTestFinished, test } from 'vitest'
import { startLoginProvider } from '../support/login-provider.ts'

const ORIGIN = 'http://127.0.0.1:8080'

async function startBoth(store: TokenStore, guardKeys: readonly string[], gatewayKeys: readonly string[]) {
  const provider = await startLoginProvider({ clients: [] })
  onTestFinished(() => provider.close())
  const integrations = {
    corp: { issuer: provider.issuer, audience: 'gw', oauth2: { clientId: 'gw', clientSecret: 's' } },
  }
  const guard = createGuard({
    integrations,
    login: { url: ORIGIN, keys: guardKeys, store },
    routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', login: true } }],
  })
  const gateway = createGateway({ url: ORIGIN, store, keys: gatewayKeys, integrations, signIn: guard, servers: {} })
  onTestFinished(async () => {
    await Promise.all([guard.close(), gateway.close()])
  })
  return { guard, gateway }
}

test.each(['guard', 'gateway'] as const)(
  'other keys than the %s, which is there already, are found at the start',
  async (first) => {
    const [guardKey, gatewayKey] = [generateKey(), generateKey()]
    const both = await startBoth(memoryStore(), [guardKey], [gatewayKey])
    const second = first === 'guard' ? 'gateway' : 'guard'
    await both[first].ready()
    const error = await both[second].ready().then(
      () => undefined,
      (thrown: unknown) => thrown as Error & { code: string },
    )
    expect(error).toMatchObject({ code: 'ERR_NOT_READY', message: expect.stringContaining('needs the same keys') })
    expect(error?.message).toMatch(/a key that is not configured here: [\w-]{10}\. Configured: [\w-]{10}\./)
    for (const key of [guardKey, gatewayKey]) expect(error?.message).not.toContain(key)
    // Whoever was there goes on.
    await both[first].ready()
  },
)

test('both at the same moment are not both ready', async () => {
  const { guard, gateway } = await startBoth(memoryStore(), [generateKey()], [generateKey()])
  await expect(Promise.all([guard.ready(), gateway.ready()])).rejects.toMatchObject({ code: 'ERR_NOT_READY' })
})

test('the same keys are good, also while they are rotated', async () => {
  const [old, fresh] = [generateKey(), generateKey()]
  const store = memoryStore()
  const before = await startBoth(store, [old], [old])
  await Promise.all([before.guard.ready(), before.gateway.ready()])
  const after = await startBoth(store, [old, fresh], [fresh, old])
  await Promise.all([after.guard.ready(), after.gateway.ready()])
})
