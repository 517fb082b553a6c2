/** What the tests of consent share: brokers behind a real HTTP server, people who are signed in by a cookie, browsers. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { sallyport } from '../../adapters/node.ts'
import type { Broker, ConnectionEvent, ConnectRequest, OAuth2Server } from '../../src/broker/broker.ts'
import type { ConsentQuestion } from '../../src/broker/consent/parts.ts'
import { type BrokerSettings, createBroker } from '../../src/broker/create-broker.ts'
import type { OAuth2UpstreamAuth } from '../../src/broker/upstream-auth.ts'
import { createSealer, generateKey } from '../../src/core/sealing.ts'
import { readCookie } from '../../src/http/cookies.ts'
import type { Gate } from '../../src/http/gate.ts'
import { normalise } from '../../src/http/normalise.ts'
import { redirect } from '../../src/http/redirect.ts'
import type { Identity, SignIn } from '../../src/identity/sign-in.ts'
import type { Guard } from '../../src/index.ts'
import { sealed } from '../../src/store/sealed.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { FormBrowser, type LoadedPage } from '../support/form-browser.ts'
import { createTestClock, type TestClock } from '../support/keys.ts'
import { type Habits, type KINDS, type QuirkyProvider, startQuirkyProvider } from '../support/mcp/quirky-provider.ts'

/** A gateway's broker, with everything around it. */
export interface Bureau {
  readonly origin: string
  readonly broker: Broker
  readonly events: ConnectionEvent[]
  readonly clock: TestClock
  readonly store: TokenStore
  /** What was asked of `mayConnect`, and what it says. */
  readonly questions: ConsentQuestion[]
  allowed: boolean
  /** Requests to the host application's sign-in. */
  readonly signIns: { returnTo: string; anotherAccount: boolean; integration: string | undefined }[]
  /** A browser that somebody is signed in with. */
  browserOf(person?: string): FormBrowser
  /** Everything that was told, as text. */
  told(): string
}

/** How a {@link Bureau} differs. */
export interface BureauOptions extends Partial<Omit<BrokerSettings, 'servers' | 'url'>> {
  readonly servers?: readonly OAuth2Server[]
  readonly keys?: readonly string[]
  /** Signs people in, in place of a cookie: a guard on the same origin. */
  readonly guardAt?: (origin: string) => Promise<Guard>
  /** For another process behind the same name: the origin of the first. */
  readonly url?: string
}

export const SERVER = 'dev/code'
export const MCP_URL = 'https://code.example.com/mcp'

/** A person of the tests. */
export function person(name: string): Identity {
  return { id: `id-of-${name}`, integration: 'corp', subject: name, groups: [], claims: { name } }
}

/** A server that is protected by `auth`. */
export function serverOf(auth: OAuth2UpstreamAuth, id = SERVER): OAuth2Server {
  return { id, url: MCP_URL, label: `Code of ${id}`, auth }
}

/** Starts one. It ends with the test. */
export async function openBureau(options: BureauOptions = {}): Promise<Bureau> {
  let gate: Gate | undefined
  let guard: Guard | undefined
  const server = createServer((request, response) => {
    const handler = sallyport(
      gate as Gate,
      ...(guard === undefined ? [] : [guard]),
    )((_req, res) => res.end('the application'))
    handler(request, response)
  })
  // A process that was stopped would close what a client is taking just then.
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = options.url ?? `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const reachedAt = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  guard = await options.guardAt?.(origin)
  const clock = createTestClock(Date.now())
  const keys = options.keys ?? [generateKey()]
  const store = options.store ?? sealed(memoryStore({ clock }), keys)
  const signIns: Bureau['signIns'] = []
  const signIn: SignIn = guard ?? {
    async identify(request) {
      const name = readCookie(request.headers.cookie, 'who')
      return name === undefined ? null : person(name)
    },
    start(_request, returnTo, { anotherAccount = false, integration } = {}) {
      signIns.push({ returnTo, anotherAccount, integration })
      return redirect(302, `${reachedAt}/sign-in`)
    },
  }
  const bureau = { allowed: true, questions: [] as ConsentQuestion[] }
  const { servers = [], keys: _keys, url: _url, guardAt: _guardAt, ...rest } = options
  const broker = createBroker({
    url: origin,
    store,
    sealer: (purpose) => createSealer(keys, purpose),
    signIn,
    servers,
    clock,
    mayConnect(question) {
      bureau.questions.push(question)
      return bureau.allowed
    },
    ...rest,
  })
  gate = {
    async handle(request) {
      const normalised = normalise(request)
      if (typeof normalised === 'string' || !broker.owns(normalised.path)) return { kind: 'skip' }
      return { kind: 'reply', reply: await broker.answer(request, normalised) }
    },
    ready: () => broker.ready(),
    close: () => broker.close(),
  }
  const events: ConnectionEvent[] = []
  broker.on((event) => events.push(event))
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await broker.close()
    await guard?.close()
  })
  return Object.assign(bureau, {
    origin: reachedAt,
    broker,
    events,
    clock,
    store,
    signIns,
    browserOf(name?: string) {
      const browser = new FormBrowser()
      if (name !== undefined) browser.setCookie('127.0.0.1', 'who', name)
      return browser
    },
    told: () => JSON.stringify(events),
  })
}

/** Starts a server of this kind. It ends with the test. */
export async function openProvider(kind?: keyof typeof KINDS, habits?: Partial<Habits>): Promise<QuirkyProvider> {
  const provider = await startQuirkyProvider(kind, habits)
  onTestFinished(() => provider.close())
  return provider
}

/** A bureau with one server of this kind. */
export async function openWith(
  kind?: keyof typeof KINDS,
  options: BureauOptions & { readonly habits?: Partial<Habits>; readonly auth?: Partial<OAuth2UpstreamAuth> } = {},
): Promise<Bureau & { readonly provider: QuirkyProvider; readonly server: OAuth2Server }> {
  const { habits, auth, ...rest } = options
  const provider = await openProvider(kind, habits)
  const server = serverOf({ ...provider.auth, ...auth })
  return Object.assign(await openBureau({ servers: [server], ...rest }), { provider, server })
}

/** What an agent of somebody asks for. */
export function wish(name: string, more: Partial<ConnectRequest> = {}): ConnectRequest {
  return { server: SERVER, owner: person(name).id, by: person(name), ...more }
}

/** From the link to the end, as the person it is for. */
export async function connect(bureau: Bureau, name = 'alice', more: Partial<ConnectRequest> = {}): Promise<LoadedPage> {
  const browser = bureau.browserOf(name)
  const page = await browser.load(await bureau.broker.connectUrl(wish(name, more)))
  return browser.submit(page, {})
}

/** Presses the button and stops at the authorization server's answer: the callback's URL. */
export async function untilCallback(browser: FormBrowser, url: string): Promise<string> {
  const page = await browser.load(url)
  const sent = await browser.submit(page, {}, { follow: false })
  if (sent.status !== 303) throw new Error(`the button was answered ${sent.status}\n${sent.body}`)
  const answered = await browser.load(String(sent.headers.location), { follow: false })
  return String(answered.headers.location)
}
