/** A6, A7, A11: tokens that are good, bad, absent, or of the wrong kind. */
import type { Chapter } from './stage.ts'

const invalid = '401 Bearer error="invalid_token"'

export const accessTokens: Chapter = async ({ demo, walk, tokens }) => {
  walk.chapter('A6  JWTs of an integration')
  const host = 'chat.example.com'
  await walk.everywhere('A6', { host, token: tokens.alice }, '200 chat alice /')
  await walk.everywhere('A6', { host, token: tokens.job }, '200 chat nightly-job /')
  await walk.everywhere('A6', { host, token: tokens.otherAudience }, invalid)
  await walk.everywhere('A6', { host, token: tokens.tampered }, invalid)
  await walk.everywhere('A6', { host, token: tokens.unsigned }, invalid)
  await walk.everywhere('A6', { host, token: tokens.garbage }, invalid)
  await walk.once(
    'A6',
    'key fetches of the identity provider for all of that, one a guard and one a gateway',
    '8',
    () => String(demo.corp.keyFetches),
  )
}

export const jwtSource: Chapter = async ({ walk, tokens }) => {
  walk.chapter('A7  Access token or ID token')
  await walk.everywhere('A7', { host: 'chat.example.com', token: tokens.aliceId }, invalid)
  await walk.everywhere('A7', { host: 'profile.example.com', token: tokens.aliceId }, '200 profile alice /')
  await walk.everywhere('A7', { host: 'profile.example.com', token: tokens.alice }, invalid)
}

export const noCredentials: Chapter = async ({ walk, tokens }) => {
  walk.chapter('A11 Authorization: Bearer; without it 403, or 401 where that is asked for')
  const host = 'chat.example.com'
  await walk.everywhere('A11', { host }, '403 Bearer')
  await walk.everywhere('A11', { host, token: tokens.alice, scheme: 'bearer' }, '200 chat alice /')
  await walk.everywhere('A11', { host, user: 'hello:pass' }, '403 Bearer')
  await walk.everywhere('A11', { host, headers: { authorization: 'Bearer' } }, invalid)
  await walk.everywhere('A11', { host: 'orders.example.com' }, '401 Bearer')
}
