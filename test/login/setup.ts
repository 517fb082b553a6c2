/** What the tests of browser login share: a real provider, an application behind a guard, a browser without a window. */
import { createServer } from 'node:http'
import { onTestFinished } from 'vitest'
import { authOf, sallyport } from '../../adapters/node.ts'
import {
  createGuard,
  type Decision,
  type Guard,
  type GuardConfig,
  generateKey,
  type Integration,
  type LoginConfig,
  type LoginEvent,
  type OAuth2,
  type Route,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { FormBrowser, type LoadedPage } from '../support/form-browser.ts'
import { createTestClock, type TestClock } from '../support/keys.ts'
import {
  API,
  type LoginClient,
  type LoginProvider,
  type LoginProviderOptions,
  PASSWORD,
  startLoginProvider,
} from '../support/login-provider.ts'

export const CLIENT_ID = 'shop'
export const CLIENT_SECRET = 'a-secret-of-the-shop-0123456789-0123456789'

/** An application behind a guard, with everything around it. */
export interface Shop {
  /** Its origin, `http://127.0.0.1:PORT`. */
  readonly origin: string
  readonly port: number
  readonly guard: Guard
  readonly provider: LoginProvider
  readonly clock: TestClock
  readonly browser: FormBrowser
  readonly logins: LoginEvent[]
  readonly decisions: Decision[]
  /** Another browser. */
  newBrowser(): FormBrowser
  /** Everything that the login has told, as text. */
  told(): string
}

/** How a {@link Shop} differs from the usual one. */
export interface ShopOptions {
  readonly login?: Partial<LoginConfig>
  readonly integration?: Partial<Integration>
  /** More of them. */
  readonly integrations?: Readonly<Record<string, Integration>>
  /** A free one by default. */
  readonly port?: number
  readonly oauth2?: Partial<OAuth2>
  readonly client?: Partial<LoginClient>
  readonly provider?: Partial<LoginProviderOptions>
  readonly routes?: (origin: string) => readonly Route[]
  readonly config?: Partial<GuardConfig>
  /** Names that lead to the same server, `partner.test`. */
  readonly hosts?: readonly string[]
}

/** Starts provider, application and guard; they end with the test. */
export async function openShop(options: ShopOptions = {}): Promise<Shop> {
  let guard: Guard | undefined
  const server = createServer((request, response) => {
    const handler = sallyport(guard as Guard)((req, res) => {
      res.setHeader('content-type', 'application/json')
      res.end(JSON.stringify({ url: req.url, method: req.method, auth: authOf(req) ?? null }))
    })
    handler(request, response)
  })
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const origin = `http://127.0.0.1:${port}`
  const callback = `${origin}/.sallyport/callback/corp`

  const provider = await startLoginProvider({
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        redirect_uris: [callback],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        post_logout_redirect_uris: [`${origin}/.sallyport/signed-out`],
        backchannel_logout_uri: `${origin}/.sallyport/back-channel/corp`,
        backchannel_logout_session_required: true,
        ...options.client,
      },
    ],
    ...options.provider,
  })
  const clock = createTestClock(Date.now())
  const logins: LoginEvent[] = []
  const decisions: Decision[] = []
  const session = options.login?.session ?? 'store'
  const guardOptions: GuardConfig = {
    clock,
    login: {
      url: origin,
      keys: [generateKey()],
      ...(session === 'store' ? { store: memoryStore() } : {}),
      ...options.login,
    },
    integrations: {
      corp: {
        issuer: provider.issuer,
        audience: API,
        ...options.integration,
        oauth2: {
          clientId: CLIENT_ID,
          clientSecret: CLIENT_SECRET,
          scopes: ['openid', 'orders:read'],
          resource: API,
          ...options.oauth2,
        },
      },
      ...options.integrations,
    },
    routes: options.routes?.(origin) ?? [
      { path: '/open', auth: { type: 'none' } },
      { path: '/admin', auth: { type: 'jwt', integration: 'corp', login: true, claims: { groups: 'admin' } } },
      { path: '/', auth: { type: 'jwt', integration: 'corp', login: true } },
    ],
    ...options.config,
  }
  guard = createGuard(guardOptions)
  guard.on('login', (event) => logins.push(event))
  guard.on('decision', (event) => decisions.push(event))
  const opened = guard
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await opened.close()
    await provider.close()
  })
  const ports = new Map((options.hosts ?? []).map((host) => [`http://${host}:${port}`, port]))
  const newBrowser = () => new FormBrowser(ports)
  return {
    origin,
    port,
    guard,
    provider,
    clock,
    browser: newBrowser(),
    logins,
    decisions,
    newBrowser,
    told: () => JSON.stringify([logins, decisions]),
  }
}

/** Goes to `url`, and signs in at the provider's form if one comes up. */
export async function visit(browser: FormBrowser, url: string, person = 'alice'): Promise<LoadedPage> {
  const page = await browser.load(url)
  return page.body.includes('<h1>Provider</h1>') ? browser.submit(page, { name: person, password: PASSWORD }) : page
}

/** What the application answered with. */
export function seen(page: LoadedPage): { url: string; method: string; auth: Record<string, unknown> | null } {
  if (page.status !== 200) throw new Error(`${page.url}: ${page.status}\n${page.body}\n${page.way.join('\n')}`)
  return JSON.parse(page.body)
}
