/** A4: public URLs, and configurations that are refused. */
import { ConfigError, createGuard, type GuardConfig, publicUrls } from 'sallyport'
import type { Chapter } from './stage.ts'

export const domains: Chapter = async ({ walk }) => {
  walk.chapter('A4  Domains: public URLs; a route elsewhere is a configuration error')
  const domains = ['*.apps.example.com', 'example.com']
  await walk.once(
    'A4',
    `publicUrls(${JSON.stringify(domains)}, "orders-8080")`,
    'https://orders-8080.apps.example.com/ https://example.com/orders-8080/',
    () => publicUrls(domains, 'orders-8080').join(' '),
  )
  const integrations = { corp: { issuer: 'https://login.example.com/', audience: 'orders' } }
  const refused: [string, GuardConfig, string][] = [
    [
      'a route on shop.example.org',
      { domains, routes: [{ host: 'shop.example.org', auth: { type: 'none' } }] },
      'routes[0].host: "shop.example.org" is on none of the domains: *.apps.example.com, example.com',
    ],
    [
      'a route with the integration "crop"',
      { integrations, routes: [{ auth: { type: 'jwt', integration: 'crop' } }] },
      'routes[0].auth.integration: no integration named "crop"; did you mean "corp"?',
    ],
  ]
  for (const [tried, config, message] of refused) await walk.once('A4', tried, message, () => problemsOf(config))
}

function problemsOf(config: GuardConfig): string {
  try {
    createGuard(config)
    return 'no problem'
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}
