/** What only the operator can mend is told also where nobody listens: one process warning for each cause. */
import { type GuardConfig, generateKey, type JwtAuth } from 'sallyport'
import { memoryStore } from 'sallyport/stores/memory'
import { expect, onTestFinished, test } from 'vitest'
import { createTestClock } from '../support/keys.ts'
import { ask, guardFor, replyTo, request, withPassword } from './harness.ts'

/** The guard's warnings from now on. */
function collect(): () => Promise<string[]> {
  const warnings: (Error & { code?: string })[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => {
    process.off('warning', note)
  })
  return async () => {
    // Warnings are emitted on the next tick.
    await new Promise(setImmediate)
    return warnings.filter(({ code }) => code === 'SALLYPORT_GUARD').map(({ message }) => message)
  }
}

const PAGE = { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document', accept: 'text/html' }
const page = (target = '/') => request({ target, headers: PAGE, encrypted: true, port: 443 })
const people: JwtAuth = { type: 'jwt', integration: 'corp', login: true }

function withLogin(login: Partial<GuardConfig['login'] & object>): GuardConfig {
  return {
    login: {
      url: 'https://app.example.com',
      keys: [generateKey()],
      session: 'cookie',
      ...login,
    },
    integrations: {
      corp: {
        issuer: 'https://login.example.com',
        audience: 'web',
        jwtSource: 'id_token',
        oauth2: { clientId: 'web', clientSecret: 'a secret' },
      },
    },
    routes: [
      { path: '/', auth: people },
      { path: '/admin', auth: people },
    ],
    fetch: async () => {
      throw new Error('nobody is there')
    },
  } as GuardConfig
}

test('a secret of a basic route that is not set, once; again when it has worked meanwhile', async () => {
  const told = collect()
  const clock = createTestClock()
  let password: string | undefined
  const guard = guardFor({
    clock,
    secrets: () => password,
    routes: [
      { path: '/metrics', auth: { type: 'basic', username: 'ann', password: { secret: 'vault:metrics' } } },
      { path: '/open', auth: { type: 'none' } },
    ],
  })
  for (let time = 0; time < 3; time++) {
    expect(await ask(guard, withPassword('ann', 'one', { target: '/metrics' }))).toBe(503)
    clock.advance(2)
  }
  expect(await told()).toEqual(['route "/metrics" does not work (check_failed: the secret "vault:metrics" is not set)'])
  password = 'one'
  expect(await ask(guard, withPassword('ann', 'one', { target: '/metrics' }))).toBe('pass')
  expect(await ask(guard, withPassword('ann', 'two', { target: '/metrics' }))).toBe(401)
  expect(await told()).toHaveLength(1)
})

test('a function of the user’s own that fails for some and works for others is told once a minute at most, without its words', async () => {
  const told = collect()
  const clock = createTestClock()
  const verify = (username: string) => {
    if (username === 'ann') return true
    throw new TypeError(`no row for ${username}`)
  }
  const guard = guardFor({ clock, routes: [{ path: '/', auth: { type: 'basic', verify } }] })
  for (let time = 0; time < 5; time++) {
    expect(await ask(guard, withPassword('mallory', 'x'))).toBe(503)
    expect(await ask(guard, withPassword('ann', 'x'))).toBe('pass')
  }
  expect(await told()).toEqual([
    `route "/" does not work (check_failed: TypeError); guard.on('decision', …) has the rest`,
  ])
  clock.advance(61)
  expect(await ask(guard, withPassword('mallory', 'x'))).toBe(503)
  expect(await told()).toHaveLength(2)
})

test('a session key that is not set, once for all routes and pages', async () => {
  const told = collect()
  const guard = guardFor(withLogin({ keys: [{ secret: 'env:SALLYPORT_TEST_MISSING' }] }))
  for (const target of ['/', '/admin', '/.sallyport/sign-in']) {
    expect(await ask(guard, page(target))).toBe(503)
  }
  expect(await told()).toEqual([
    'browser login does not work (session_unavailable: the secret "env:SALLYPORT_TEST_MISSING" is not set)',
  ])
})

test('a session key that is none, and not what it is', async () => {
  const told = collect()
  const guard = guardFor({ ...withLogin({ keys: [{ secret: 'vault:key' }] }), secrets: () => 'hunter2' })
  for (const target of ['/', '/admin']) expect(await ask(guard, page(target))).toBe(500)
  const [message = '', ...more] = await told()
  expect(more).toEqual([])
  expect(message).toMatch(/^browser login does not work \(error: keys\[0\]: not a key/)
  expect(message).not.toContain('hunter2')
})

test('a provider that cannot be reached, with the reference of the page', async () => {
  const told = collect()
  const guard = guardFor(withLogin({}))
  const outcome = await guard.handle(page())
  if (outcome.kind !== 'reply') throw new Error('expected a page')
  expect(outcome.reply.status).toBe(503)
  const [, reference] = /reference: <code>(\w+)</.exec(String(outcome.reply.body)) ?? []
  await ask(guard, page())
  const [message = '', ...more] = await told()
  expect(more).toEqual([])
  expect(message).toMatch(/^sign-in with "corp" does not work \(unavailable: .*login\.example\.com/)
  expect(message).toContain(`the page says ${reference})`)
})

test('nothing where it is heard of otherwise, and nothing of callers’ mistakes', async () => {
  const told = collect()
  const heard = guardFor(withLogin({ keys: [{ secret: 'env:SALLYPORT_TEST_MISSING' }] }))
  heard.on('decision', () => {})
  expect(await ask(heard, page())).toBe(503)
  const other = guardFor(withLogin({}))
  other.on('login', () => {})
  expect(await ask(other, page())).toBe(503)
  const silent = guardFor({
    ...withLogin({ store: memoryStore(), session: 'store' }),
    routes: [{ path: '/', auth: people }],
  })
  expect(await ask(silent, request({ target: '/.sallyport/callback/corp?error=x&state=y' }))).toBe(400)
  expect(await ask(silent, request({ target: '/%' }))).toBe(400)
  expect(await ask(silent, request({ headers: { Authorization: 'Bearer x' } }))).toBe(401)
  expect(await told()).toEqual([])
})

test('an answer that anybody can write is told without its words', async () => {
  const told = collect()
  const issuer = 'https://login.example.com'
  const metadata = {
    issuer,
    authorization_endpoint: `${issuer}/a`,
    token_endpoint: `${issuer}/t`,
    jwks_uri: `${issuer}/k`,
  }
  const guard = guardFor({ ...withLogin({}), fetch: async () => Response.json(metadata) })
  const began = await replyTo(guard, page())
  const state = new URL(String(began.headers?.location)).searchParams.get('state') ?? ''
  const cookie = [began.headers?.['set-cookie'] ?? []]
    .flat()
    .map((line) => line.split(';')[0])
    .join('; ')
  const target = `/.sallyport/callback/corp?${new URLSearchParams({ state, error: 'invalid_scope', error_description: 'buy gold' })}`
  expect(await ask(guard, request({ target, headers: { ...PAGE, Cookie: cookie }, encrypted: true, port: 443 }))).toBe(
    502,
  )
  expect(await told()).toEqual([
    expect.stringMatching(
      /^sign-in with "corp" does not work \(rejected: the browser came back with the error invalid_scope; the page says \w+\)$/,
    ),
  ])
})
