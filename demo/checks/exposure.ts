/** A3: a route that is not exposed. The demo's servers trust a proxy on this machine, so `X-Forwarded-For` plays the caller. */
import type { Chapter } from './stage.ts'

export const exposure: Chapter = async ({ walk }) => {
  walk.chapter('A3  A route that is not exposed: its internal name, from internal networks')
  const from = (addresses: string) => ({
    host: 'orders-ml.svc.cluster.local',
    headers: { 'x-forwarded-for': addresses },
  })
  const inside = (server: { name: string }) => `200 internal ${server.name} - /`
  await walk.everywhere('A3', { host: 'orders-ml.svc.cluster.local' }, inside)
  await walk.everywhere('A3', from('10.1.2.3'), inside)
  await walk.everywhere('A3', from('203.0.113.7'), '404')
  await walk.everywhere('A3', from('10.1.2.3, 203.0.113.7'), '404')
  await walk.everywhere('A3', from('nonsense'), '400')
}
