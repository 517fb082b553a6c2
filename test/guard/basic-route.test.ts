import { randomBytes, scryptSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { BasicAuth, GuardConfig } from '../../src/index.ts'
import { createTestClock } from '../support/keys.ts'
import { ask, authOf, field, guardFor, listen, replyTo, request, withPassword } from './harness.ts'

let folder: string
let scryptHash: string
let bcryptHash: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-'))
  scryptHash = cheapScrypt('world')
  bcryptHash = await bcrypt.hash('world', 4)
})

afterAll(() => rm(folder, { recursive: true }))

beforeEach(() => {
  vi.stubEnv('SALLYPORT_TEST_PASSWORD', 'world')
  vi.stubEnv('SALLYPORT_TEST_HASH', bcryptHash)
})

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

/** What `hashPassword` makes, at a cost that tests can afford. */
function cheapScrypt(password: string): string {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '')
  const salt = randomBytes(16)
  return `$scrypt$ln=4,r=8,p=1$${base64(salt)}$${base64(scryptSync(password, salt, 32, { N: 16, r: 8, p: 1 }))}`
}

/** A guard with one basic route. */
function setUp(auth: Omit<BasicAuth, 'type'>, config: Partial<GuardConfig> = {}) {
  const clock = createTestClock()
  const guard = guardFor({ clock, routes: [{ path: '/', auth: { type: 'basic', ...auth } }], ...config })
  return { guard, clock, events: listen(guard) }
}

/** An environment variable for one test. */
function setSecret(name: string, value: string | undefined): void {
  vi.stubEnv(name, value)
}

const challenge = (realm: string) => `Basic realm="${realm}", charset="UTF-8"`

describe('A5 basic auth', () => {
  const forms: [string, () => Promise<Omit<BasicAuth, 'type'>>][] = [
    ['a password', async () => ({ username: 'hello', password: 'world' })],
    [
      'a password by reference',
      async () => ({ username: 'hello', password: { secret: 'env:SALLYPORT_TEST_PASSWORD' } }),
    ],
    [
      'a password in a file',
      async () => ({ username: 'hello', password: { secret: `file:${await file('world\n')}` } }),
    ],
    ['a bcrypt hash', async () => ({ username: 'hello', passwordHash: bcryptHash })],
    ['a scrypt hash', async () => ({ username: 'hello', passwordHash: scryptHash })],
    ['a hash by reference', async () => ({ username: 'hello', passwordHash: { secret: 'env:SALLYPORT_TEST_HASH' } })],
    [
      'several users',
      async () => ({
        users: [
          { username: 'ann', password: 'x' },
          { username: 'hello', passwordHash: bcryptHash },
        ],
      }),
    ],
    ['htpasswd', async () => ({ htpasswd: `# users\nann:${bcryptHash}\nhello:${bcryptHash}\n` })],
    ['an htpasswd file', async () => ({ htpasswd: { secret: `file:${await file(`hello:${bcryptHash}\n`)}` } })],
    ['a function', async () => ({ verify: (username, password) => username === 'hello' && password === 'world' })],
    [
      'an async function',
      async () => ({ verify: async (username, password) => username === 'hello' && password === 'world' }),
    ],
  ]

  async function file(text: string): Promise<string> {
    const path = join(folder, 'secret')
    await writeFile(path, text)
    return path
  }

  it.each(forms)('%s', async (_, form) => {
    const { guard, events } = setUp(await form())
    for (const prepared of [false, true]) {
      if (prepared) await guard.ready()
      expect(await authOf(guard, withPassword('hello', 'world'))).toEqual({
        type: 'basic',
        route: '/',
        subject: 'hello',
        id: expect.stringMatching(/^[\w-]{43}$/),
      })
      for (const [username, password] of [
        ['hello', 'World'],
        ['hello', ''],
        ['hello', 'world '],
        ['Hello', 'world'],
        ['', 'world'],
        ['nobody', 'world'],
        ['__proto__', 'world'],
        ['toString', 'world'],
      ] as const) {
        const reply = await replyTo(guard, withPassword(username, password))
        expect(reply.status).toBe(401)
        expect(field(reply, 'www-authenticate')).toBe(challenge('/'))
        expect(events.decisions.at(-1)).toMatchObject({ reason: 'bad_credentials', subject: null, id: null })
      }
    }
  })

  it('nothing given: 401 with the challenge', async () => {
    const { guard, events } = setUp({ username: 'hello', password: 'world', realm: 'Überall "hier"' })
    const reply = await replyTo(guard, request())
    expect(reply.status).toBe(401)
    expect(field(reply, 'www-authenticate')).toBe(challenge('?berall \\"hier\\"'))
    expect(field(reply, 'cache-control')).toBe('no-store')
    expect(events.reason).toBe('no_credentials')
  })

  it.each([
    'Bearer abc',
    'Basic',
    'Basic ',
    'Basic !!!',
    'Basic aGVsbG8=',
    'aGVsbG86d29ybGQ=',
    'Basic aGVsbG86d29ybGQ',
    'Basic a b',
  ])('malformed: %j is 401', async (authorization) => {
    const { guard, events } = setUp({ username: 'hello', password: 'world' })
    expect(await ask(guard, request({ headers: { Authorization: authorization } }))).toBe(401)
    expect(events.reason).toBe('malformed')
  })

  it('answers at once for a plain password, and for a hash that was checked before', async () => {
    const { guard, clock } = setUp({ username: 'hello', passwordHash: scryptHash })
    await guard.ready()
    const asked = withPassword('hello', 'world')
    expect(guard.handle(asked)).toBeInstanceOf(Promise)
    expect(await ask(guard, asked)).toBe('pass')
    expect(guard.handle(asked)).not.toBeInstanceOf(Promise)
    clock.advance(59)
    expect(guard.handle(asked)).not.toBeInstanceOf(Promise)
    clock.advance(1)
    expect(guard.handle(asked)).toBeInstanceOf(Promise)
    const plain = setUp({ username: 'hello', password: 'world' })
    await plain.guard.ready()
    expect(plain.guard.handle(asked)).not.toBeInstanceOf(Promise)
  })

  it('cacheSeconds: 0 computes the hash each time', async () => {
    const { guard } = setUp({ username: 'hello', passwordHash: bcryptHash, cacheSeconds: 0 })
    for (let round = 0; round < 3; round++) {
      const outcome = guard.handle(withPassword('hello', 'world'))
      expect(outcome).toBeInstanceOf(Promise)
      expect(await outcome).toMatchObject({ kind: 'pass' })
    }
  })

  it('one user has one id on all routes of a realm, and others elsewhere', async () => {
    const auth = (realm?: string): BasicAuth => ({
      type: 'basic',
      username: 'hello',
      password: 'world',
      ...(realm === undefined ? {} : { realm }),
    })
    const guard = guardFor({
      routes: [
        { path: '/a', auth: auth('one') },
        { path: '/b', auth: auth('one') },
        { path: '/c', auth: auth('two') },
        { path: '/d', auth: auth() },
      ],
    })
    const ids = await Promise.all(
      ['/a', '/b', '/c', '/d'].map(
        async (target) => (await authOf(guard, withPassword('hello', 'world', { target }))).id,
      ),
    )
    expect(ids[0]).toBe(ids[1])
    expect(new Set(ids).size).toBe(3)
  })
})

describe('A5 a verify function of the user', () => {
  it.each([1, 'true', {}, [], undefined, null, 'yes'])('only true lets in, not %j', async (answer) => {
    for (const verify of [() => answer, async () => answer]) {
      const { guard } = setUp({ verify: verify as unknown as () => boolean })
      expect(await ask(guard, withPassword('hello', 'world'))).toBe(401)
    }
  })

  it.each<[string, () => boolean | Promise<boolean>]>([
    [
      'throws',
      () => {
        throw new Error('the directory is away')
      },
    ],
    ['rejects', () => Promise.reject(new Error('the directory is away'))],
  ])('that %s: 503 with Retry-After, and the reason is told', async (_, verify) => {
    const { guard, events } = setUp({ verify })
    for (let round = 0; round < 2; round++) {
      const reply = await replyTo(guard, withPassword('hello', 'world'))
      expect(reply.status).toBe(503)
      expect(field(reply, 'retry-after')).toMatch(/^[1-9]\d*$/)
      expect(events.decisions.at(-1)).toMatchObject({ reason: 'check_failed', detail: 'the directory is away' })
    }
  })

  it('whose error holds the password: the event does not', async () => {
    const { guard, events } = setUp({
      verify: (username, password) => {
        throw new Error(`SELECT * FROM users WHERE name = '${username}' AND password = '${password}'`)
      },
    })
    for (const password of ['hunter2-secret', 'a', '$&', 'SELECT']) {
      expect(await ask(guard, withPassword('hello', password))).toBe(503)
      expect(events.decisions.at(-1)?.detail).not.toContain(`'${password}'`)
    }
    expect(JSON.stringify(events)).not.toContain('hunter2-secret')
  })

  it('is given both parts in normal form C', async () => {
    const asked: string[][] = []
    const { guard } = setUp({ verify: (...given) => asked.push(given) > 0 })
    expect(await ask(guard, withPassword('e\u0301', 'u\u0308:x'))).toBe('pass')
    expect(asked).toEqual([['é', 'ü:x']])
  })
})

describe('A12 a secret that is missing', () => {
  it('503, and ready() names it, never a value', async () => {
    const { guard, events } = setUp({
      users: [
        { username: 'ann', password: { secret: 'env:SALLYPORT_TEST_PASSWORD' } },
        { username: 'bob', password: { secret: 'env:SALLYPORT_TEST_MISSING' } },
      ],
    })
    setSecret('SALLYPORT_TEST_PASSWORD', 'hunter2-secret')
    const error = await guard.ready().catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'ERR_NOT_READY' })
    expect((error as Error).message).toBe(
      'the guard is not ready:\n  route "/": the secret "env:SALLYPORT_TEST_MISSING" is not set',
    )
    const reply = await replyTo(guard, withPassword('ann', 'hunter2-secret'))
    expect(reply.status).toBe(503)
    expect(field(reply, 'retry-after')).toMatch(/^[1-9]\d*$/)
    expect(events.decisions.at(-1)).toMatchObject({
      reason: 'check_failed',
      detail: expect.stringContaining('TEST_MISSING'),
    })
    expect(JSON.stringify([reply, events])).not.toContain('hunter2-secret')
  })

  it('recovers once the secret is there, looked up at most once a second', async () => {
    let lookups = 0
    let value: string | undefined
    const secrets = () => {
      lookups++
      return value
    }
    const { guard, clock } = setUp({ username: 'hello', password: { secret: 'vault:pass' } }, { secrets })
    for (let round = 0; round < 10; round++) expect(await ask(guard, withPassword('hello', 'world'))).toBe(503)
    expect(lookups).toBe(1)
    value = 'world'
    expect(await ask(guard, withPassword('hello', 'world'))).toBe(503)
    clock.advance(1)
    expect(await Promise.all([1, 2, 3].map(() => ask(guard, withPassword('hello', 'world'))))).toEqual(
      Array(3).fill('pass'),
    )
    expect(lookups).toBe(2)
    value = undefined
    clock.advance(1000)
    expect(await ask(guard, withPassword('hello', 'world'))).toBe('pass')
    expect(lookups).toBe(2)
  })

  it('recovers too where the clock was set back', async () => {
    const { guard, clock } = setUp({ username: 'hello', password: { secret: 'env:SALLYPORT_TEST_LATER' } })
    expect(await ask(guard, withPassword('hello', 'world'))).toBe(503)
    setSecret('SALLYPORT_TEST_LATER', 'world')
    clock.advance(-86_400)
    expect(await ask(guard, withPassword('hello', 'world'))).toBe('pass')
  })

  it('says 401 without looking where there are no credentials', async () => {
    const { guard } = setUp({ username: 'hello', password: { secret: 'env:SALLYPORT_TEST_MISSING' } })
    expect(await ask(guard, request())).toBe(401)
    expect(await ask(guard, request({ headers: { Authorization: 'Basic x' } }))).toBe(401)
  })

  it('does not keep other routes from working', async () => {
    const guard = guardFor({
      routes: [
        { path: '/a', auth: { type: 'basic', username: 'hello', password: { secret: 'env:SALLYPORT_TEST_MISSING' } } },
        { path: '/b', auth: { type: 'basic', username: 'hello', password: 'world' } },
        { path: '/c', auth: { type: 'none' } },
      ],
    })
    await expect(guard.ready()).rejects.toThrow('route "/a"')
    expect(await ask(guard, withPassword('hello', 'world', { target: '/b' }))).toBe('pass')
    expect(await ask(guard, request({ target: '/c' }))).toBe('pass')
  })

  const secrets: [string, Omit<BasicAuth, 'type'>, RegExp, Partial<GuardConfig>?][] = [
    [
      'an empty variable',
      { username: 'a', password: { secret: 'env:SALLYPORT_TEST_EMPTY' } },
      /"env:SALLYPORT_TEST_EMPTY" is empty/,
    ],
    [
      'a file that is not there',
      { htpasswd: { secret: 'file:/no/such/file' } },
      /"file:\/no\/such\/file" cannot be read: ENOENT/,
    ],
    ['no resolver', { username: 'a', password: { secret: 'vault:x' } }, /"vault:x" is neither env: nor file:/],
    [
      'a resolver that throws',
      { username: 'a', password: { secret: 'vault:x' } },
      /"vault:x" cannot be read: vault is sealed/,
      {
        secrets: () => {
          throw new Error('vault is sealed')
        },
      },
    ],
    [
      'a resolver that does not know it',
      { username: 'a', password: { secret: 'vault:x' } },
      /"vault:x" is not set/,
      { secrets: async () => undefined },
    ],
    [
      'a password that no request can have',
      { username: 'a', password: { secret: 'env:SALLYPORT_TEST_CONTROL' } },
      /routes\[0\]\.auth: users\[0\]\.password: has a control character/,
    ],
    [
      'a hash that is none',
      { username: 'a', passwordHash: { secret: 'env:SALLYPORT_TEST_PASSWORD' } },
      /routes\[0\]\.auth: not a password hash/,
    ],
    [
      'an htpasswd with a plain password',
      { htpasswd: { secret: 'env:SALLYPORT_TEST_HTPASSWD' } },
      /routes\[0\]\.auth\.htpasswd: line 1: /,
    ],
  ]
  it.each(secrets)('ready() says what is wrong: %s', async (_, auth, expected, config = {}) => {
    setSecret('SALLYPORT_TEST_EMPTY', '')
    setSecret('SALLYPORT_TEST_CONTROL', 'hunter2\u0007')
    setSecret('SALLYPORT_TEST_PASSWORD', 'hunter2')
    setSecret('SALLYPORT_TEST_HTPASSWD', 'ann:hunter2')
    const { guard, events } = setUp(auth, config)
    const error = await guard.ready().catch((thrown: Error) => thrown)
    expect((error as Error).message).toMatch(expected)
    expect(await ask(guard, withPassword('a', 'x'))).toBe(503)
    expect(JSON.stringify([String(error), events])).not.toContain('hunter2')
  })
})

describe('A5 too many passwords to hash', () => {
  it('503 with Retry-After for those that find no room; the others are answered', async () => {
    const { guard, events } = setUp({ username: 'hello', passwordHash: bcryptHash })
    await guard.ready()
    expect(await ask(guard, withPassword('hello', 'world'))).toBe('pass')
    const flood = Array.from({ length: 150 }, (_, n) => replyTo(guard, withPassword('hello', `guess-${n}`)))
    // Whoever was here before is remembered and needs no hash.
    expect(guard.handle(withPassword('hello', 'world'))).toMatchObject({ kind: 'pass' })
    const replies = await Promise.all(flood)
    expect(replies.filter(({ status }) => status === 401)).toHaveLength(102)
    const busy = replies.filter(({ status }) => status === 503)
    expect(busy).toHaveLength(48)
    expect(busy.map((reply) => field(reply, 'retry-after'))).toEqual(Array(48).fill('1'))
    expect(events.decisions.filter(({ reason }) => reason === 'busy')).toHaveLength(48)
  })

  it('those of clients that have gone meanwhile hold nobody up', async () => {
    const { guard } = setUp({ username: 'hello', passwordHash: bcryptHash })
    await guard.ready()
    const gone = { aborted: false, addEventListener: () => {}, removeEventListener: () => {} }
    const flood = Array.from({ length: 102 }, (_, n) =>
      replyTo(guard, { ...withPassword('hello', `guess-${n}`), gone }),
    )
    expect(await ask(guard, withPassword('hello', 'world'))).toBe(503)
    gone.aborted = true
    expect(await ask(guard, withPassword('hello', 'world'))).toBe('pass')
    // Two had begun.
    expect((await Promise.all(flood)).filter(({ status }) => status === 401)).toHaveLength(2)
    expect(await ask(guard, withPassword('hello', 'other'))).toBe(401)
  })

  it('is counted over all routes together', async () => {
    const auth: BasicAuth = { type: 'basic', username: 'hello', passwordHash: bcryptHash }
    const guard = guardFor({
      routes: [
        { path: '/a', auth },
        { path: '/b', auth },
      ],
    })
    onTestFinished(() => guard.close())
    await guard.ready()
    const flood = Array.from({ length: 110 }, (_, n) =>
      ask(guard, withPassword('hello', `guess-${n}`, { target: '/a' })),
    )
    expect(await ask(guard, withPassword('hello', 'world', { target: '/b' }))).toBe(503)
    expect((await Promise.all(flood)).filter((answer) => answer === 401)).toHaveLength(102)
  })
})
