/**
 * Browser login as people meet it: `npm run test:browser`. Debian's Chromium walks through real pages on every server,
 * against a real identity provider. A line for each journey and server; exits 0 or 1.
 *
 * `--only express,koa` takes some servers, `--journey "two tabs"` the journeys with that in their title,
 * `--at-once 4` walks more of them side by side.
 */
import { parseArgs } from 'node:util'
import { type Browser, launch } from '../support/browser.ts'
import { part } from '../support/parts.ts'
import { ACCESSIBILITY } from './accessibility.ts'
import { walk } from './journey.ts'
import { ORIGINS } from './origins.ts'
import { PORTAL, walkPortal } from './portal.ts'
import { createReporter, type Reporter } from './report.ts'
import { SERVERS, type TestServer } from './servers.ts'
import { SESSIONS } from './sessions.ts'
import { SIGN_IN } from './sign-in.ts'
import { SIGN_OUT } from './sign-out.ts'
import { TROUBLE } from './trouble.ts'

const { values } = parseArgs({
  options: { only: { type: 'string' }, journey: { type: 'string' }, 'at-once': { type: 'string', default: '2' } },
})
const wanted = values.only?.split(',')
const unknown = wanted?.filter((name) => !SERVERS.some((server) => server.name === name)) ?? []
if (unknown.length > 0) {
  throw new Error(`no such server: ${unknown.join(', ')}. There are ${SERVERS.map(({ name }) => name).join(', ')}`)
}

/** A journey on one server. */
interface Walk {
  readonly title: string
  readonly server: TestServer
  /** Whether pages that are left stay alive for the back button. */
  readonly keeping: boolean
  go(browser: Browser): Promise<void>
}

const logins = [...SIGN_IN, ...SESSIONS, ...SIGN_OUT, ...TROUBLE, ...ORIGINS, ...ACCESSIBILITY].map((journey) => ({
  ...journey,
  go: (server: TestServer, browser: Browser) => walk(journey, server, browser),
}))
const portals = PORTAL.map((journey) => ({
  ...journey,
  backForwardCache: false,
  go: (server: TestServer, browser: Browser) => walkPortal(journey, server, browser),
}))
const walks: readonly Walk[] = [...logins, ...portals]
  .filter(({ title }) => values.journey === undefined || title.includes(values.journey))
  .flatMap(({ title, only, backForwardCache = false, go }) =>
    SERVERS.filter(({ name }) => (wanted?.includes(name) ?? true) && (only?.includes(name) ?? true)).map((server) => ({
      title,
      server,
      keeping: backForwardCache,
      go: (browser: Browser) => go(server, browser),
    })),
  )

const chromium = part('chromium')
if (chromium !== undefined) {
  const args = ['--host-resolver-rules=MAP partner.test 127.0.0.1']
  const browsers = {
    usual: await launch(chromium, { args }),
    keeping: await launch(chromium, { args, ignoreDefaultArgs: ['--disable-back-forward-cache'] }),
  }
  try {
    process.exitCode = (await walkAll(browsers)) ? 0 : 1
  } finally {
    await Promise.all(Object.values(browsers).map((browser) => browser.close()))
  }
} else if (process.env.SALLYPORT_REQUIRE_PARTS === '1') {
  console.log('SALLYPORT_REQUIRE_PARTS=1, and missing: chromium')
  process.exitCode = 1
} else console.log('skipped [missing: chromium]')

/** Several at once, told in order. */
async function walkAll({ usual, keeping }: Record<'usual' | 'keeping', Browser>): Promise<boolean> {
  const reporter = createReporter(console.log)
  const queue = walks.entries()
  const results: (() => void)[] = []
  let told = 0

  async function work(): Promise<void> {
    for (const [index, each] of queue) {
      results[index] = await result(each, each.keeping ? keeping : usual, reporter)
      for (let tell = results[told]; tell !== undefined; tell = results[told]) {
        tell()
        told++
      }
    }
  }

  await Promise.all(Array.from({ length: Number(values['at-once']) }, work))
  return reporter.finish()
}

/** Walks one; what to call to tell how it went. */
async function result({ title, server, go }: Walk, browser: Browser, reporter: Reporter): Promise<() => void> {
  const began = performance.now()
  try {
    await go(browser)
    const ms = performance.now() - began
    return () => reporter.passed(server.name, title, ms)
  } catch (error) {
    const ms = performance.now() - began
    return () => reporter.failed(server.name, title, ms, error)
  }
}
