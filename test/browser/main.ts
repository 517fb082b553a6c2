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
import { type Journey, walk } from './journey.ts'
import { ORIGINS } from './origins.ts'
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

const walks = [...SIGN_IN, ...SESSIONS, ...SIGN_OUT, ...TROUBLE, ...ORIGINS, ...ACCESSIBILITY]
  .filter(({ title }) => values.journey === undefined || title.includes(values.journey))
  .flatMap((journey) =>
    SERVERS.filter(({ name }) => (wanted?.includes(name) ?? true) && (journey.only?.includes(name) ?? true)).map(
      (server) => ({ journey, server }),
    ),
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
    for (const [index, { journey, server }] of queue) {
      const browser = journey.backForwardCache === true ? keeping : usual
      results[index] = await result(journey, server, browser, reporter)
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
async function result(journey: Journey, server: TestServer, browser: Browser, reporter: Reporter): Promise<() => void> {
  const began = performance.now()
  try {
    await walk(journey, server, browser)
    const ms = performance.now() - began
    return () => reporter.passed(server.name, journey.title, ms)
  } catch (error) {
    const ms = performance.now() - began
    return () => reporter.failed(server.name, journey.title, ms, error)
  }
}
