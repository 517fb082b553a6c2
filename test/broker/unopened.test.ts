/** What was found out of a server is found out anew where its record does not open any more, or makes no sense. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { generateKey } from '../../src/core/sealing.ts'
import { type SealedStore, sealed } from '../../src/store/sealed.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { startOpenProvider, startOpenServer } from './open-site.ts'
import { connect, openBureau, person, SERVER } from './setup.ts'

const ALICE = person('alice').id
/** Where the junk is put: as a row that does not open, or sealed as it should be. */
const ways: [string, (inner: TokenStore, store: SealedStore) => TokenStore][] = [
  ['does not open', (inner) => inner],
  ['makes no sense', (_, store) => store],
]

/** A gateway with a connection of Alice's, and the means to make another one and to spoil what they have in common. */
async function openTwo() {
  const warnings = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warnings.mockRestore())
  const inner = memoryStore()
  const keys = [generateKey()]
  const store = sealed(inner, keys)
  const provider = await startOpenProvider()
  const upstream = await startOpenServer([provider.issuer])
  const one = await openBureau({ store, keys, servers: [upstream.server] })
  await connect(one)
  return {
    provider,
    upstream,
    one,
    another: () => openBureau({ store, keys, servers: [upstream.server], url: one.origin }),
    async spoil(space: string, target: (typeof ways)[number][1]) {
      const [record] = (await inner.scan(space)).records
      if (record === undefined) throw new Error('nothing to spoil')
      await target(inner, store).put(record.key, Buffer.from('{"junk":"hush-hush"}'), { ifVersion: record.version })
    },
    told: (what: string) =>
      warnings.mock.calls.map(([message]) => String(message)).filter((text) => text.includes(what)),
  }
}

test.each(ways)(
  'an authorization server whose record %s is looked for anew, and nobody has to consent again',
  async (_, target) => {
    const { provider, another, spoil, told } = await openTwo()
    await spoil('authorization-servers', target)
    const two = await another()
    await two.broker.ready()
    expect(await Promise.all([1, 2].map(() => two.broker.tokens(ALICE, SERVER)))).toMatchObject([
      { kind: 'tokens' },
      { kind: 'tokens' },
    ])
    expect(await two.broker.list(ALICE)).toMatchObject([{ server: SERVER, state: 'connected' }])
    expect((await connect(two, 'bob')).body).toContain('is connected')
    expect(provider.count('POST /register')).toBe(1)
    expect(told('an authorization server is looked for anew')).toHaveLength(1)
    // A third finds what the second has written.
    const three = await another()
    const asked = provider.received.length
    expect(await three.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })
    expect(provider.received.length).toBe(asked)
  },
)

test('while it cannot be found, the connection can be listed and ended, and the server is not asked all the time', async () => {
  const { upstream, another, spoil } = await openTwo()
  await spoil('authorization-servers', (inner) => inner)
  upstream.routes.clear()
  const two = await another()
  expect(await two.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
  const asked = upstream.received.length
  expect(await two.broker.list(ALICE)).toMatchObject([{ server: SERVER, state: 'reauth_required' }])
  expect(await two.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
  expect(upstream.received.length).toBe(asked)
  expect(await two.broker.disconnect(ALICE, SERVER)).toBe(true)
})

test.each(ways)('an OAuth client whose record %s is registered anew, with the next consent', async (_, target) => {
  const { provider, another, spoil, told } = await openTwo()
  await spoil('oauth-clients', target)
  const two = await another()
  expect(await two.broker.tokens(ALICE, SERVER)).toEqual({ kind: 'reauth_required' })
  expect(await two.broker.list(ALICE)).toMatchObject([{ server: SERVER, state: 'reauth_required' }])
  expect(told('another OAuth client is registered')).toHaveLength(1)
  expect(told('hush')).toEqual([])
  // Of two who begin at once, one registers.
  for (const { body } of await Promise.all([connect(two), connect(two, 'bob')])) expect(body).toContain('is connected')
  expect(provider.count('POST /register')).toBe(2)
  const three = await another()
  expect(await three.broker.tokens(ALICE, SERVER)).toMatchObject({ kind: 'tokens' })
})
