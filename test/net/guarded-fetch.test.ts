/** Fetching what documents from outside name, without being led into our own network. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FetchError } from '../../src/core/errors.ts'
import { type AddressClass, addressClass } from '../../src/net/address-class.ts'
import { boundedFetch } from '../../src/net/fetch.ts'
import { guardedFetch, type Lookup } from '../../src/net/guarded-fetch.ts'

const LIMITS = { timeoutMs: 2_000, maxBytes: 10_000 }

/** A server on this machine, and how often it was reached. */
async function start(answer: { location?: string } = {}): Promise<{ port: number; reached: () => number }> {
  let reached = 0
  const server = createServer((_request, response) => {
    reached++
    response.writeHead(answer.location === undefined ? 200 : 302, answer).end('hello')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, reached: () => reached }
}

/** Names of these tests, and no others. */
function names(table: Readonly<Record<string, readonly string[]>>): Lookup {
  return async (host) => {
    const addresses = table[host]
    if (addresses === undefined) throw new Error(`no address for ${host}`)
    return addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  }
}

describe('the class of an address', () => {
  it.each<[AddressClass, string[]]>([
    ['public', ['93.184.216.34', '2606:4700::1111', '172.32.0.1', '100.128.0.1']],
    ['loopback', ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1']],
    [
      'private',
      ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.100.100.200', 'fd00:ec2::254', '::ffff:a00:1'],
    ],
    ['link-local', ['169.254.169.254', 'fe80::1', 'fe80::1%eth0', '::ffff:a9fe:a9fe']],
    [
      'special',
      ['0.0.0.0', '::', '224.0.0.1', '255.255.255.255', '64:ff9b::7f00:1', '2002:7f00:1::', 'ff02::1', 'nonsense', ''],
    ],
  ])('%s', (expected, addresses) => {
    for (const address of addresses) expect(addressClass(address), address).toBe(expected)
  })
})

describe.each([
  ['its own', undefined],
  ["the user's", (url: string, init: RequestInit) => globalThis.fetch(url, init)],
] as const)('SSRF: %s fetch', (whose, fetch) => {
  it('an address of this network is not asked, whether it is written in the URL or in a name', async () => {
    const { port, reached } = await start()
    const lookup = names({
      'login.example.com': ['93.184.216.34'],
      'evil.test': ['127.0.0.1'],
      'evil.test.': ['127.0.0.1'],
      'both.test': ['93.184.216.34', '10.0.0.1'],
    })
    const guarded = guardedFetch({ written: ['https://login.example.com'], fetch, lookup })
    for (const host of [
      '127.0.0.1',
      'evil.test',
      'both.test',
      '[::1]',
      '[::ffff:7f00:1]',
      '169.254.169.254',
      '2130706433',
      'evil.test.',
    ]) {
      const asking = boundedFetch(guarded, `http://${host}:${port}/`, LIMITS)
      await expect(asking, host).rejects.toThrow(FetchError)
      await expect(asking, host).rejects.toThrow(/its address is (?:loopback|private|link-local|special)/)
    }
    expect(reached()).toBe(0)
  })

  it('nor after a redirect', async () => {
    const inside = await start()
    const outside = await start({ location: `http://169.254.169.254:${inside.port}/latest/meta-data` })
    const lookup = names({ 'login.example.com': ['127.0.0.1'] })
    const guarded = guardedFetch({
      written: [`http://login.example.com:${outside.port}`, `http://127.0.0.1:${outside.port}`],
      fetch,
      lookup,
    })
    await expect(boundedFetch(guarded, `http://127.0.0.1:${outside.port}/`, LIMITS)).rejects.toThrow(/link-local/)
    expect(outside.reached()).toBe(1)
  })

  it('what the configuration has written is asked, and others of the same kind', async () => {
    const { port, reached } = await start()
    const lookup = names({ 'login.internal': ['127.0.0.1'], 'tokens.internal': ['127.0.0.1'] })
    const written = [whose === 'its own' ? `http://login.internal:${port}` : `http://127.0.0.1:${port}`]
    const guarded = guardedFetch({ written, fetch, lookup })
    const urls = whose === 'its own' ? [...written, `http://tokens.internal:${port}`] : written
    for (const url of [...urls, `http://127.0.0.1:${port}`]) {
      expect(await (await boundedFetch(guarded, url, LIMITS)).text()).toBe('hello')
    }
    expect(reached()).toBe(urls.length + 1)
  })
})

describe('SSRF: a name whose address changes', () => {
  it('the address that was checked is the one that is connected to', async () => {
    const { port, reached } = await start()
    let asked = 0
    const rebinding: Lookup = async () => [{ address: asked++ === 0 ? '192.0.2.1' : '127.0.0.1', family: 4 }]
    const guarded = guardedFetch({ written: [], lookup: rebinding })
    await expect(boundedFetch(guarded, `http://evil.test:${port}/`, LIMITS)).rejects.toThrow(FetchError)
    await expect(boundedFetch(guarded, `http://evil.test:${port}/`, LIMITS)).rejects.toThrow(/loopback/)
    expect(reached()).toBe(0)
  })

  it("a name that only the user's proxy can find is left to it", async () => {
    const fetch = async () => new Response('from the proxy')
    const guarded = guardedFetch({ written: [], fetch, lookup: names({}) })
    expect(await (await boundedFetch(guarded, 'https://login.example.com/', LIMITS)).text()).toBe('from the proxy')
  })
})
