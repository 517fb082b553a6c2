/** A10: rules on claims. */
import type { Chapter } from './stage.ts'

export const claims: Chapter = async ({ walk, tokens }) => {
  walk.chapter('A10 Claim rules: email *@example.com and groups admin or dev-*')
  const host = 'admin.example.com'
  await walk.everywhere('A10', { host, token: tokens.alice }, '200 admin alice /')
  await walk.everywhere('A10', { host, token: tokens.mallory }, '403')
  await walk.everywhere('A10', { host, token: tokens.bob }, '403')
  await walk.everywhere('A10', { host, token: tokens.job }, '403')
  await walk.everywhere('A10', { host, path: '/audit/log', token: tokens.alice }, '200 audit alice /audit/log')
  await walk.everywhere('A10', { host, path: '/audit/log', token: tokens.bob }, '403')

  walk.chapter('A10 Rules on scopes')
  const orders = { host: 'orders.example.com', token: tokens.job }
  await walk.everywhere('A10', orders, '200 orders nightly-job /')
  await walk.everywhere(
    'A10',
    { ...orders, method: 'DELETE', path: '/7' },
    '403 Bearer error="insufficient_scope", scope="orders:write"',
  )
}
