/** What kind of network an address belongs to: where server-side request forgery leads, and where it does not. */
import { isIP } from 'node:net'
import { parseNetworks, plainAddress } from '../core/networks.ts'

/** `special` are addresses that nothing should be fetched from: documentation, multicast, translation, reserved (RFC 6890). */
export type AddressClass = 'public' | 'loopback' | 'private' | 'link-local' | 'special'

const LOOPBACK = parseNetworks(['loopback'])
/** Carrier-grade NAT (RFC 6598) holds the metadata services of some clouds. */
const PRIVATE = parseNetworks(['private', '100.64.0.0/10'])
const LINK_LOCAL = parseNetworks(['link-local'])
const SPECIAL = parseNetworks([
  '0.0.0.0/8',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/96',
  // Addresses of IPv4 inside those of IPv6: translation (RFC 6052, RFC 8215), 6to4, Teredo.
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2001::/32',
  '2002::/16',
  '100::/64',
  '2001:db8::/32',
  'fec0::/10',
  'ff00::/8',
])

/** The class of an IP address; `special` for what is none. */
export function addressClass(address: string): AddressClass {
  const plain = plainAddress(address)
  if (isIP(plain) === 0) return 'special'
  if (LOOPBACK.has(plain)) return 'loopback'
  if (LINK_LOCAL.has(plain)) return 'link-local'
  if (PRIVATE.has(plain)) return 'private'
  return SPECIAL.has(plain) ? 'special' : 'public'
}
