/** A6, A8: what happens when the identity provider rotates its keys, falls over, and comes back; to tokens that expire, and to sessions. */
import { describeAnswer, type Token } from '../ask.ts'
import { APP_CLIENT, ORDERS_API } from '../provider-clients.ts'
import { SHORT_SECONDS } from '../servers.ts'
import { signIn } from '../sign-in.ts'
import { expiryOf, getShortToken } from '../tokens.ts'
import { describePage, goTo, oneEach } from './people.ts'
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

export const sessionOutage: Chapter = async ({ demo: { branch }, walk, newBrowser, logins }) => {
  walk.chapter(`A8  Sessions while the provider of /me/, whose tokens last ${SHORT_SECONDS} seconds, is down`)
  const browsers = oneEach(newBrowser)
  const signedIn = '200 "Hello, Alice Ames" /me/'
  await walk.onEach('A8', 'alice signs in', signedIn, async (target) =>
    describePage(target, await goTo(browsers(target), target, '/me/', 'alice')),
  )
  const expired = Date.now() + SHORT_SECONDS * 1000
  await branch.stop()
  await walk.onEach('A8', 'it falls over; her token is good', signedIn, async (target) =>
    describePage(target, await browsers(target).open(`${target.url}/me/`)),
  )
  await walk.waitUntil(expired)
  await walk.onEach('A8', 'her token has expired', '503 "Sign-in is not available right now" /me/', async (target) =>
    describePage(target, await browsers(target).open(`${target.url}/me/`)),
  )
  let retryAt = 0
  await walk.onEach('A8', '… and a script of hers is told when to try again', '503 Retry-After', async (target) => {
    const answer = await browsers(target).script(`${target.url}/me/`)
    retryAt = Math.max(retryAt, Date.now() + Number(answer.headers['retry-after']) * 1000)
    return describeAnswer(target, answer)
  })
  await branch.start()
  await walk.waitUntil(retryAt)
  const before = refreshes()
  await walk.onEach('A8', 'it is back: ten scripts of hers at once', '10 × 200 me alice /me/', async (target) => {
    const script = async () => describeAnswer(target, await browsers(target).script(`${target.url}/me/`))
    const answers = await Promise.all(Array.from({ length: 10 }, script))
    return [...new Set(answers)]
      .map((answer) => `${answers.filter((each) => each === answer).length} × ${answer}`)
      .join(', ')
  })
  await walk.once('A8', 'refreshes that this took, for four servers', '4', () => String(refreshes() - before))

  function refreshes(): number {
    return logins.filter(({ kind }) => kind === 'refreshed').length
  }
}
