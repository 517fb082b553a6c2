/** The checker by what it answers and by how often it computes a hash; no test looks at how long anything takes. */
import { describe, expect, it } from 'vitest'
import { parseBasicCredentials } from '../../src/basic/credentials.ts'
import type { PasswordHash } from '../../src/basic/hash-format.ts'
import { parseHtpasswd } from '../../src/basic/htpasswd.ts'
import { createPasswordChecker, createVerifyChecker } from '../../src/basic/password-checker.ts'
import { createWorkLimiter } from '../../src/basic/work-limiter.ts'
import { ConfigError, DependencyError } from '../../src/core/errors.ts'

/** A hash that keeps a list of what it is asked. */
function spyHash(right: string): PasswordHash & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    load: async () => {},
    async verify(password) {
      asked.push(password)
      return password === right
    },
  }
}

/** A hash whose checks end when told to. */
function manualHash(): PasswordHash & { pending: { end: (matches: boolean) => void; fail: (error: Error) => void }[] } {
  const pending: { end: (matches: boolean) => void; fail: (error: Error) => void }[] = []
  return {
    pending,
    load: async () => {},
    verify: () => new Promise<boolean>((end, fail) => pending.push({ end, fail })),
  }
}

describe('A5 plain passwords', () => {
  const checker = createPasswordChecker({
    users: [
      { username: 'hello', password: 'world' },
      { username: 'rene\u0301', password: 'cafe\u0301' },
      { username: '', password: 'token' },
    ],
  })

  it.each([
    ['right', 'hello', 'world', true],
    ['wrong password', 'hello', 'World', false],
    ['prefix of the password', 'hello', 'worl', false],
    ['no password', 'hello', '', false],
    ['wrong user', 'hallo', 'world', false],
    ["another user's password", 'hello', 'token', false],
    ['neither', '', '', false],
    ['a user name that objects have', '__proto__', 'world', false],
    ['a user without a name', '', 'token', true],
    ['a name and a password configured in normal form D', 'ren\u00e9', 'caf\u00e9', true],
    ['a password of 12 KB', 'hello', 'x'.repeat(12_000), false],
  ])('%s: answered at once', (_, username, password, expected) => {
    expect(checker.check(username, password)).toBe(expected)
  })

  it('work with what curl sends', () => {
    const credentials = parseBasicCredentials('Basic aGVsbG86d29ybGQ=')
    expect(credentials && checker.check(credentials.username, credentials.password)).toBe(true)
  })

  it('have nothing to load', async () => {
    await expect(checker.load()).resolves.toBeUndefined()
  })
})

describe('A5 hashed passwords', () => {
  it('of an htpasswd file let their users in', async () => {
    const bcrypt = '$2y$04$BNEWI.X5iJ2hPL.QT1ke4eVr24hCvQXFTBNXlM26vpJYMziY5Cvhi'
    const checker = createPasswordChecker({ users: parseHtpasswd(`alice:${bcrypt}`) })
    await checker.load()
    expect(await checker.check('alice', 'pässwörd')).toBe(true)
    expect(await checker.check('alice', 'password')).toBe(false)
    expect(await checker.check('bob', 'pässwörd')).toBe(false)
  })

  it('an unknown user is checked against one of the hashes, always the same for one name, and is never let in', async () => {
    const hashes = [spyHash('one'), spyHash('one'), spyHash('one')]
    const users = hashes.map((hash, index) => ({ username: `user${index}`, hash }))
    const checker = createPasswordChecker({ users })
    const asked = () => hashes.map((hash) => hash.asked.length)
    const standIns = new Set<number>()
    for (let name = 0; name < 60; name++) {
      const before = asked()
      expect(await checker.check(`unknown${name}`, 'one')).toBe(false)
      expect(await checker.check(`unknown${name}`, 'two')).toBe(false)
      const difference = asked().map((count, index) => count - (before[index] ?? 0))
      expect([...difference].sort()).toEqual([0, 0, 2])
      standIns.add(difference.indexOf(2))
    }
    expect(standIns.size).toBe(3)
  })

  it("an unknown user's right guess of the stand-in's password is neither remembered nor let in later", async () => {
    const hash = spyHash('right')
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }] })
    expect(await checker.check('mallory', 'right')).toBe(false)
    expect(await checker.check('mallory', 'right')).toBe(false)
    expect(hash.asked).toHaveLength(2)
    expect(await checker.check('alice', 'right')).toBe(true)
    expect(await checker.check('mallory', 'right')).toBe(false)
  })

  it('beside plain ones: a plain user is answered at once, an unknown one like some user', async () => {
    const hash = spyHash('right')
    const users = [
      { username: 'plain', password: 'world' },
      { username: 'hashed', hash },
    ]
    const checker = createPasswordChecker({ users })
    expect(checker.check('plain', 'world')).toBe(true)
    expect(checker.check('plain', 'wrong')).toBe(false)
    expect(await checker.check('hashed', 'right')).toBe(true)
    const answers = Array.from({ length: 50 }, (_, index) => checker.check(`unknown${index}`, 'world'))
    expect(new Set(answers.map((answer) => typeof answer))).toEqual(new Set(['boolean', 'object']))
    expect(new Set(await Promise.all(answers))).toEqual(new Set([false]))
  })

  it('load() fails when a package is missing', async () => {
    const load = async () => {
      throw new DependencyError('needs a package')
    }
    const checker = createPasswordChecker({ users: [{ username: 'a', hash: { ...spyHash('x'), load } }] })
    await expect(checker.load()).rejects.toThrow(DependencyError)
  })
})

describe('A5 a hash is not computed for every request', () => {
  it('a success is remembered and then answered at once, until its time is over', async () => {
    const clock = { time: 0, now: () => clock.time }
    const hash = spyHash('right')
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }], clock })
    expect(await checker.check('alice', 'right')).toBe(true)
    clock.time = 59_999
    expect(checker.check('alice', 'right')).toBe(true)
    expect(hash.asked).toHaveLength(1)
    clock.time = 60_000
    expect(await checker.check('alice', 'right')).toBe(true)
    expect(hash.asked).toHaveLength(2)
  })

  it('a success is good for its own user and password only', async () => {
    const alice = spyHash('right')
    const bob = spyHash('other')
    const users = [
      { username: 'alice', hash: alice },
      { username: 'bob', hash: bob },
    ]
    const checker = createPasswordChecker({ users })
    expect(await checker.check('alice', 'right')).toBe(true)
    expect(await checker.check('bob', 'right')).toBe(false)
    expect(await checker.check('alice', 'right ')).toBe(false)
    expect(await checker.check('alic', 'eright')).toBe(false)
  })

  it('a failure is never remembered', async () => {
    const hash = spyHash('right')
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }] })
    expect(await checker.check('alice', 'wrong')).toBe(false)
    expect(await checker.check('alice', 'wrong')).toBe(false)
    expect(hash.asked).toEqual(['wrong', 'wrong'])
  })

  it('nothing is remembered with cacheSeconds 0', async () => {
    const hash = spyHash('right')
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }], cacheSeconds: 0 })
    await checker.check('alice', 'right')
    await checker.check('alice', 'right')
    expect(hash.asked).toHaveLength(2)
  })

  it('equal credentials at the same time are computed once', async () => {
    const hash = manualHash()
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }] })
    const answers = Array.from({ length: 500 }, () => checker.check('alice', 'right'))
    expect(hash.pending).toHaveLength(1)
    hash.pending[0]?.end(true)
    expect(new Set(await Promise.all(answers))).toEqual(new Set([true]))
    expect(hash.pending).toHaveLength(1)
  })

  it('a check that fails to run rejects for everybody who waits, and the next one starts anew', async () => {
    const hash = manualHash()
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }] })
    const waiting = [checker.check('alice', 'right'), checker.check('alice', 'right')]
    hash.pending[0]?.fail(new Error('out of memory'))
    for (const answer of waiting) await expect(answer).rejects.toThrow('out of memory')
    const next = checker.check('alice', 'right')
    hash.pending[1]?.end(true)
    expect(await next).toBe(true)
    expect(checker.check('alice', 'right')).toBe(true)
  })
})

describe('A5 a flood of wrong passwords', () => {
  it('two hashes are computed at once and 100 wait unless said otherwise; then the answer is busy', async () => {
    const hash = manualHash()
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }] })
    const known = checker.check('alice', 'right')
    hash.pending[0]?.end(true)
    await known

    const answers = Array.from({ length: 103 }, (_, index) => checker.check('alice', `guess${index}`))
    expect(hash.pending).toHaveLength(3)
    expect(answers.filter((answer) => answer === 'busy')).toHaveLength(1)
    expect(checker.check('mallory', 'guess'), 'an unknown user too').toBe('busy')
    expect(checker.check('alice', 'right'), 'a remembered success gets through').toBe(true)
    const joining = checker.check('alice', 'guess0')
    expect(joining, 'a check that runs already can be joined').toBe(answers[0])

    for (let done = 1; done < 103; done++) {
      hash.pending[done]?.end(false)
      await answers[done - 1]
    }
    expect(hash.pending).toHaveLength(103)
    expect(checker.check('alice', 'after')).toBeInstanceOf(Promise)
  })

  it('has the limits that are given', () => {
    const hash = manualHash()
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }], maxConcurrent: 1, maxQueued: 1 })
    const answers = ['a', 'b', 'c'].map((password) => checker.check('alice', password))
    expect(hash.pending).toHaveLength(1)
    expect(answers[2]).toBe('busy')
  })

  it('no hash is computed for askers who have all gone while they waited', async () => {
    const hash = manualHash()
    const checker = createPasswordChecker({ users: [{ username: 'alice', hash }], maxConcurrent: 1 })
    const [first, second] = [{ gone: { aborted: false } }, { gone: { aborted: false } }]
    const running = checker.check('alice', 'running', first)
    const left = checker.check('alice', 'left', first)
    const joined = [checker.check('alice', 'joined', first), checker.check('alice', 'joined', second)]
    first.gone.aborted = true
    hash.pending[0]?.end(false)
    expect(await running).toBe(false)
    expect(await left).toBe('busy')
    expect(hash.pending).toHaveLength(2)
    hash.pending[1]?.end(true)
    expect(await Promise.all(joined)).toEqual([true, true])
    // It can be asked again.
    const again = checker.check('alice', 'left', second)
    hash.pending[2]?.end(true)
    expect(await again).toBe(true)
  })

  it('shares a limiter between checkers', () => {
    const hash = manualHash()
    const limiter = createWorkLimiter({ maxConcurrent: 1, maxQueued: 0 })
    const [one, two] = ['one', 'two'].map((username) => createPasswordChecker({ users: [{ username, hash }], limiter }))
    expect(one?.check('one', 'x')).toBeInstanceOf(Promise)
    expect(two?.check('two', 'x')).toBe('busy')
  })
})

describe('A5 users that cannot be', () => {
  it('are listed all at once', () => {
    const making = () =>
      createPasswordChecker({
        users: [
          { username: 'alice', password: 'ok' },
          { username: 'a:b', password: '' },
          { username: 'alice', hash: spyHash('x') },
          { username: 'bob', password: 'tab\there' },
        ],
        cacheSeconds: Number.NaN,
        maxConcurrent: 0,
        maxQueued: -1,
      })
    expect(making).toThrow(ConfigError)
    expect(making).toThrow(
      expect.objectContaining({
        problems: [
          { path: 'users[1].username', message: expect.stringContaining('colon') },
          { path: 'users[1].password', message: 'is empty' },
          { path: 'users[2].username', message: 'is the same as users[0].username' },
          { path: 'users[3].password', message: expect.stringContaining('control character') },
          { path: 'cacheSeconds', message: expect.any(String) },
          { path: 'maxConcurrent', message: expect.any(String) },
          { path: 'maxQueued', message: expect.any(String) },
        ],
      }),
    )
  })

  it('nobody at all is a mistake', () => {
    expect(() => createPasswordChecker({ users: [] })).toThrow('users: has nobody in it')
  })
})

describe("A5 a verify function of the user's own", () => {
  it('is asked with name and password, and may answer at once or later', async () => {
    const seen: string[][] = []
    const now = createVerifyChecker((...given) => seen.push(given) > 0)
    expect(now.check('alice', 'secret')).toBe(true)
    expect(seen).toEqual([['alice', 'secret']])
    const later = createVerifyChecker(async (username) => username === 'alice')
    await later.load()
    expect(await later.check('alice', 'x')).toBe(true)
    expect(await later.check('bob', 'x')).toBe(false)
  })

  it('lets in for true only, whatever else JavaScript returns', async () => {
    for (const value of [undefined, null, 1, 'yes', {}, Promise.resolve({ id: 1 })]) {
      const checker = createVerifyChecker(() => value as boolean)
      expect(await checker.check('alice', 'secret')).toBe(false)
    }
  })

  it('that throws or rejects makes check() reject, never throw', async () => {
    const error = new Error('database is down')
    const throwing = createVerifyChecker(() => {
      throw error
    })
    await expect(throwing.check('alice', 'secret')).rejects.toBe(error)
    const rejecting = createVerifyChecker(() => Promise.reject(error))
    await expect(rejecting.check('alice', 'secret')).rejects.toBe(error)
  })
})
