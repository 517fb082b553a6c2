/**
 * Networks by CIDR, for `internalNetworks` and `trustProxy`. Membership is
 * `net.BlockList`'s; an IPv4 address that arrives as IPv6 (`::ffff:10.0.0.1`,
 * as dual-stack sockets report it) counts as the IPv4 address it is.
 */
import { BlockList, isIP, isIPv4 } from 'node:net'

/** A set of networks. */
export interface Networks {
  has(address: string): boolean
}

/** A CIDR block (`10.0.0.0/8`, `fd00::/8`) or a single address. */
const CIDR = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

/** Names for the networks that are meant most often (RFC 1122, RFC 1918, RFC 4193, RFC 3927, RFC 4291). */
const NAMED: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
  'link-local': ['169.254.0.0/16', 'fe80::/10'],
}

/** What is wrong with a network's text, or `undefined` when nothing is. */
export function networkProblem(text: string): string | undefined {
  if (Object.hasOwn(NAMED, text)) return undefined
  const match = CIDR.exec(text)
  const version = match?.[1] === undefined ? 0 : isIP(match[1])
  const valid = version !== 0 && (match?.[2] === undefined || Number(match[2]) <= (version === 4 ? 32 : 128))
  if (valid) return undefined
  return `"${text}" is not a network; write a CIDR block such as "10.0.0.0/8", or one of ${Object.keys(NAMED).join(', ')}`
}

/** The networks that `texts` name; each must have passed {@link networkProblem}. */
export function parseNetworks(texts: readonly string[]): Networks {
  const list = new BlockList()
  for (const text of texts.flatMap((each) => NAMED[each] ?? [each])) {
    const [, address = '', prefix] = CIDR.exec(text) ?? []
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return {
    has(address) {
      const plain = plainAddress(address)
      const version = isIP(plain)
      return version !== 0 && list.check(plain, version === 4 ? 'ipv4' : 'ipv6')
    },
  }
}

/** The address without a zone (`fe80::1%eth0`), and as IPv4 where it is IPv4 in IPv6's clothes. */
export function plainAddress(address: string): string {
  if (!address.includes(':') && !address.includes('%')) return address
  const zone = address.indexOf('%')
  const bare = zone === -1 ? address : address.slice(0, zone)
  return MAPPED_IPV4.exec(bare)?.[1] ?? bare
}
