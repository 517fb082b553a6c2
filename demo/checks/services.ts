/** A13, A14, B12: many services in one configuration, the list of them, and WebSockets. */
import { table } from '../print.ts'
import type { Target } from '../servers.ts'
import type { Chapter } from './stage.ts'

export const manyServices: Chapter = async ({ demo, walk }) => {
  walk.chapter('A13 Many services and ports in one configuration; open health checks')
  await walk.everywhere('A13', { host: 'anything.example.net', path: '/healthz' }, '200 health - /healthz')
  await walk.everywhere('A13', { host: 's1.example.com', path: '/healthz' }, '401 Basic realm="s1", charset="UTF-8"')
  const metrics = (user: string) => ({ host: 'any.example.net', path: '/metrics', user: `${user}:ops-password` })
  await walk.everywhere(
    'A13',
    ({ name }) => metrics(name),
    ({ name }) => `200 metrics ${name} ${name} /metrics`,
  )
  const nextTo = (name: string) => {
    const names = demo.targets.map((target) => target.name)
    return names[(names.indexOf(name) + 1) % names.length] ?? ''
  }
  await walk.everywhere(
    'A13',
    ({ name }) => metrics(name === '<server>' ? '<another server>' : nextTo(name)),
    ({ name }) => `401 Basic realm="metrics ${name}", charset="UTF-8"`,
  )
}

export const endpoints: Chapter = async ({ demo: { targets }, walk }) => {
  const [first] = targets
  walk.chapter(`A14 guard.endpoints() of ${first?.name}, and guard.redirectUrls()`)
  const all = first?.guard.endpoints() ?? []
  table(
    ['route', 'public URL', 'path', 'methods', 'port', 'exposed', 'auth', 'redirect URL'],
    all.map(({ route, url, path, methods, port, exposed, auth, integrations, redirectUrls }) => [
      route,
      url ?? 'any host',
      path,
      methods?.join(' ') ?? 'all',
      String(port ?? 'any'),
      exposed ? 'yes' : 'no',
      [auth, ...integrations].join(' '),
      redirectUrls.join(' '),
    ]),
  )
  const urlOf = (name: string) => String(all.find(({ route }) => route === name)?.url)
  await walk.once('A14', 'the URL of path-s2', 'https://example.com/s2/', () => urlOf('path-s2'))
  await walk.once('A14', 'the URL of notebooks', 'https://*.apps.example.com/', () => urlOf('notebooks'))
  const internal = `internal ${first?.name}`
  const address = `http://orders-ml.svc.cluster.local:${first?.port}/`
  await walk.once('A14', `the URL of ${internal}`, address, () => urlOf(internal))
  const onServer = (target: Target, urls: readonly (string | null)[]) =>
    urls.map((url) => url?.replace(target.url, '<server>')).join(' ')
  await walk.onEach('A14', 'the redirect URL of app admin', '<server>/.sallyport/callback/corp', async (target) =>
    onServer(target, target.guard.endpoints().find(({ route }) => route === 'app admin')?.redirectUrls ?? []),
  )
  await walk.onEach(
    'A14',
    'what else is to be registered at its provider',
    '<server>/.sallyport/signed-out <server>/.sallyport/back-channel/corp',
    async (target) =>
      onServer(
        target,
        target.guard
          .redirectUrls()
          .filter(({ integration }) => integration === 'corp')
          .flatMap(({ signedOut, backChannelSignOut }) => [signedOut, backChannelSignOut]),
      ),
  )
}

export const webSockets: Chapter = async ({ demo, walk, tokens }) => {
  walk.chapter('B12 WebSocket upgrades go through the same guard')
  const overheard = () => demo.targets.reduce((sum, target) => sum + target.overheardUpgrades, 0)
  const host = 'chat.example.com'
  const before = overheard()
  await walk.upgrades('B12', { host, path: '/room/1' }, '403 Bearer')
  await walk.upgrades('B12', { host, token: tokens.otherAudience }, '401 Bearer error="invalid_token"')
  await walk.upgrades('B12', { host: 'admin.example.com', token: tokens.bob }, '403')
  await walk.upgrades('B12', { host: 's1.example.com' }, '401 Basic realm="s1", charset="UTF-8"')
  await walk.once('B12', 'refused upgrades that other upgrade listeners were told of', '0', () =>
    String(overheard() - before),
  )
  await walk.upgrades('B12', { host, path: '/room/1', token: tokens.alice }, '101 chat alice /room/1')
  await walk.once('B12', 'accepted upgrades that they were told of', String(demo.targets.length), () =>
    String(overheard() - before),
  )
}
