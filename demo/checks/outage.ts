/** A6: what happens when the identity provider rotates its keys, falls over, and comes back; and to tokens that expire. */
import type { Token } from '../ask.ts'
import { APP_CLIENT, ORDERS_API } from '../identity-provider.ts'
import { signIn } from '../sign-in.ts'
import { expiryOf, getShortToken } from '../tokens.ts'
import type { Chapter } from './stage.ts'

const host = 'partners.example.com'
/** What `Retry-After` says after a first failure, at most. */
const RETRY_AFTER_MS = 2_000
const invalid = '401 Bearer error="invalid_token"'

export const outage: Chapter = async ({ demo: { corp, branch }, walk, tokens }) => {
  const tokenOf = async (name: string, person: string): Promise<Token> => ({
    name,
    jwt: (await signIn(branch.issuer, APP_CLIENT, person, ORDERS_API)).access_token,
  })
  walk.chapter('A6  A second identity provider is well')
  const known = await tokenOf('alice of branch', 'alice')
  const unseen = await tokenOf('bob of branch', 'bob')
  const shortLived = await getShortToken(corp.issuer)
  await walk.everywhere('A6', { host, token: known }, '200 partners alice /')
  await walk.everywhere('A6', { host, token: tokens.alice }, '200 partners alice /')
  await walk.everywhere('A6', { host, token: shortLived }, '200 partners alice /')

  await branch.stop()
  await branch.start({ newKey: true })
  const rotated = await tokenOf('alice of branch, new key', 'alice')
  await branch.stop()
  walk.chapter('A6  It has made a new key, and has fallen over before anybody could fetch that')
  await walk.everywhere('A6', { host, token: known }, '200 partners alice /')
  await walk.everywhere('A6', { host, token: unseen }, '200 partners bob /')
  await walk.everywhere('A6', { host, token: rotated }, '503 Retry-After')
  const retryAt = Date.now() + RETRY_AFTER_MS
  await walk.everywhere('A6', { host, token: tokens.alice }, '200 partners alice /')
  await walk.everywhere('A6', { host, token: tokens.garbage }, invalid)

  await branch.start()
  await walk.waitUntil(retryAt)
  walk.chapter('A6  It is back, without the old key; and the short-lived token has expired')
  await walk.everywhere('A6', { host, token: rotated }, '200 partners alice /')
  await walk.everywhere('A6', { host, token: known }, invalid)
  // The integration has a clock tolerance of one second.
  await walk.waitUntil(expiryOf(shortLived) + 1_000)
  await walk.everywhere('A6', { host, token: shortLived }, invalid)
}
