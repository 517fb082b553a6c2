/** A rule that an object inherits is no rule that counts: such an object is refused, wherever it stands. */
import { ConfigError, createGuard, generateKey } from 'sallyport'
import { createGateway, type GatewayConfig, type Grant } from 'sallyport/gateway'
import { memoryStore } from 'sallyport/stores/memory'
import { describe, expect, it } from 'vitest'

class ReadOnly {
  readonly to = 'virtual-account:ci'
  readonly on = 'dev/one'
  get tools() {
    return ['get_*']
  }
}

class Partner {
  readonly integration = 'corp'
  get claims() {
    return { org: 'acme' }
  }
}

const make = (config: Partial<GatewayConfig>) =>
  createGateway({
    url: 'https://gw.example.com',
    store: memoryStore(),
    keys: [generateKey()],
    integrations: { corp: { issuer: 'https://login.example.com/', audience: 'x' } },
    virtualAccounts: { ci: {} },
    servers: { 'dev/one': { url: 'https://one.example.com/mcp', auth: { type: 'none' } } },
    ...config,
  })
const TO = { to: 'virtual-account:ci', on: 'dev/one' } as const

describe('what is inherited', () => {
  it.each<[string, Partial<GatewayConfig>]>([
    ['a grant of a class', { access: [new ReadOnly()] }],
    ['a grant with defaults', { access: [Object.assign(Object.create({ tools: ['get_*'] }), TO)] }],
    ['arguments with defaults', { access: [{ ...TO, tools: ['*'], arguments: Object.create({ set: ['public'] }) }] }],
    ['an external identity of a class', { externalIdentities: { acme: new Partner() } }],
    [
      'claims with defaults',
      { externalIdentities: { acme: { integration: 'corp', claims: Object.create({ a: 'b' }) } } },
    ],
  ])('%s is refused', (_, config) => {
    expect(() => make(config)).toThrow(ConfigError)
    expect(() => make(config)).toThrow('expected a plain object')
  })

  it('is refused while the gateway runs', async () => {
    const gateway = make({})
    await expect(gateway.access.add(new ReadOnly())).rejects.toThrow('expected a plain object')
    expect(gateway.access.list()).toEqual([])
  })

  it('is refused of the whole, and of claims in a guard', () => {
    expect(() => createGateway(Object.create({ access: [] }))).toThrow('expected a plain object')
    const guard = (claims: Record<string, string>) => () =>
      createGuard({
        integrations: { corp: { issuer: 'https://login.example.com', audience: 'x' } },
        routes: [{ path: '/', auth: { type: 'jwt', integration: 'corp', claims } }],
      })
    expect(guard(Object.create({ org: 'acme' }))).toThrow('expected a plain object')
    expect(guard(Object.assign(Object.create(null), { org: 'acme' }))).not.toThrow()
  })
})

const allowed = async (access: readonly Grant[]) =>
  (await make({ access: [...access] }).explain({ virtualAccount: 'ci' }, 'dev/one', 'delete_all')).allowed

describe('what is checked is what is used', () => {
  it('a getter that says something else later', async () => {
    let reads = 0
    const grant = {
      ...TO,
      get tools() {
        return reads++ === 0 ? ['get_*'] : ['*']
      },
    }
    expect(await allowed([grant])).toBe(false)
    expect(reads).toBe(1)
  })

  it('a key that is not enumerable', async () => {
    expect(await allowed([Object.defineProperty({ ...TO }, 'tools', { value: ['get_*'] })])).toBe(false)
  })

  it('frozen objects, and those without a prototype', async () => {
    expect(await allowed([Object.freeze({ ...TO, tools: ['get_*'] })])).toBe(false)
    expect(await allowed([Object.assign(Object.create(null), TO)])).toBe(true)
  })
})
