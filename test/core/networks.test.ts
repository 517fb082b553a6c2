/** Networks by CIDR, compared with arithmetic. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { networkProblem, parseNetworks, plainAddress } from '../../src/core/networks.ts'

describe('A3 networks', () => {
  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['192.0.2.7/32', '192.0.2.7', true],
    ['192.0.2.6/31', '192.0.2.7', true],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['fd00::/8', 'fdff::1', true],
    ['fd00::/8', 'fc00::1', false],
    ['FD00::/8', 'fd00::A', true],
    ['2001:db8::1', '2001:0db8:0:0:0:0:0:1', true],
    ['2001:db8::4/127', '2001:db8::5', true],
    ['2001:db8::4/127', '2001:db8::6', false],
  ])('%s has %s: %s', (network, address, has) => {
    expect(networkProblem(network)).toBeUndefined()
    expect(parseNetworks([network]).has(address)).toBe(has)
  })

  it.each([
    ['loopback', ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1'], ['128.0.0.1', '::2', '10.0.0.1']],
    [
      'private',
      ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', 'fd12::1', 'fc00::1'],
      ['172.15.0.1', '172.32.0.1', '192.169.0.1', '11.0.0.1', 'fe80::1', '127.0.0.1'],
    ],
    ['link-local', ['169.254.169.254', 'fe80::1', 'fe80::1%eth0', 'febf::1'], ['169.253.0.1', 'fec0::1', '10.0.0.1']],
  ])('%s is a name', (name, inside, outside) => {
    expect(networkProblem(name)).toBeUndefined()
    const { has } = parseNetworks([name])
    for (const address of inside) expect([address, has(address)]).toEqual([address, true])
    for (const address of outside) expect([address, has(address)]).toEqual([address, false])
  })

  it('several are one set', () => {
    const { has } = parseNetworks(['loopback', '10.0.0.0/8', '2001:db8::/32', '192.0.2.1'])
    expect(['127.0.0.1', '10.1.1.1', '2001:db8::1', '192.0.2.1'].every(has)).toBe(true)
    expect(['192.0.2.2', '2001:db9::1', '11.0.0.1'].some(has)).toBe(false)
    expect(parseNetworks([]).has('127.0.0.1')).toBe(false)
  })

  it.each(['::ffff:10.0.0.1', '::FFFF:10.0.0.1', '::ffff:a00:1', '0:0:0:0:0:ffff:a00:1', '0:0:0:0:0:FFFF:10.0.0.1'])(
    '%s is the IPv4 address in it',
    (address) => {
      expect(parseNetworks(['10.0.0.0/8']).has(address)).toBe(true)
      expect(parseNetworks(['::/96', '2000::/3', '11.0.0.0/8']).has(address)).toBe(false)
    },
  )

  it.each([
    '',
    'x',
    'localhost',
    '10.0.0',
    '10.0.0.1.2',
    '010.0.0.1',
    '10.0.0.256',
    '10.0.0.1 ',
    '10.0.0.1/8',
    '0xa000001',
    '167772161',
    '[::1]',
    '::1::',
    '::10.0.0.1',
    '64:ff9b::a00:1',
    '%',
    '10.0.0.1\0',
  ])('%j, which is no IPv4 address, is not in 10.0.0.0/8', (address) => {
    expect(parseNetworks(['10.0.0.0/8']).has(address)).toBe(false)
  })

  it.each([
    ...[
      '',
      'x',
      'Loopback',
      'public',
      'constructor',
      '__proto__',
      'toString',
      '10',
      '10.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/8/8',
      '10.0.0.0/255.0.0.0',
    ],
    ...[
      '10.0.0.0-10.0.0.9',
      '10.*',
      '*',
      '010.0.0.1',
      '10.0.0.256/8',
      ' 10.0.0.0/8',
      '10.0.0.0/8\n',
      '10.0.0.0/ 8',
      '10.0.0.0/0x8',
      '::/129',
      ':::',
      'fe80::1%eth0',
      'fe80::%eth0/10',
      '[::1]',
      '[::1]/128',
      'fd00::/1000',
    ],
  ])('%j is no network', (text) => {
    expect(networkProblem(text)).toContain(`"${text}" is not a network`)
    expect(networkProblem(text)).toContain('loopback, private, link-local')
  })
})

describe('plainAddress', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::1', '::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::ffff:192.0.2.1%eth0', '192.0.2.1'],
    ['', ''],
  ])('%s is %s', (address, plain) => {
    expect(plainAddress(address)).toBe(plain)
  })
})

describe('A3 properties of networks', () => {
  const toNumber = (address: string): bigint => {
    if (address.includes('.')) return address.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n)
    const [front = '', back] = address.split('::')
    const words = (text: string | undefined) => (text ? text.split(':') : [])
    const zeros = back === undefined ? 0 : 8 - words(front).length - words(back).length
    const all = [...words(front), ...Array<string>(zeros).fill('0'), ...words(back)]
    return all.reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n)
  }
  const ipv4 = fc
    .tuple(...Array.from({ length: 4 }, () => fc.constantFrom(0, 1, 10, 127, 128, 172, 255)))
    .map((parts) => parts.join('.'))
  const ipv6 = fc.ipV6().filter((text) => !text.includes('.'))

  it.each([
    ['IPv4', ipv4, 32],
    ['IPv6', ipv6, 128],
  ] as const)('an %s address is in a network when its first bits are', (_, address, bits) => {
    fc.assert(
      fc.property(address, address, fc.nat(bits), fc.nat(bits), (base, far, prefix, flipped) => {
        const near = toNumber(base) ^ (1n << BigInt(Math.min(flipped, bits - 1)))
        const { has } = parseNetworks([`${base}/${prefix}`])
        for (const number of [toNumber(far), near, toNumber(base)]) {
          const same = number >> BigInt(bits - prefix) === toNumber(base) >> BigInt(bits - prefix)
          expect(has(toText(number, bits))).toBe(same)
        }
      }),
      { numRuns: 1000 },
    )
  })

  function toText(number: bigint, bits: number): string {
    const [size, count] = bits === 32 ? [8n, 4] : [16n, 8]
    const parts = Array.from(
      { length: count },
      (_, index) => (number >> (BigInt(count - 1 - index) * size)) & ((1n << size) - 1n),
    )
    return bits === 32 ? parts.join('.') : parts.map((part) => part.toString(16)).join(':')
  }

  it('never throws', () => {
    const text = fc.oneof(fc.string(), ipv4, ipv6, fc.ipV6(), fc.stringMatching(/^[0-9a-f:.%/]{0,20}$/))
    fc.assert(
      fc.property(text, text, (network, address) => {
        if (networkProblem(network) === undefined) expect(typeof parseNetworks([network]).has(address)).toBe('boolean')
      }),
      { numRuns: 2000 },
    )
  })
})
