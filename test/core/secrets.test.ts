/** Secrets by reference: where they are looked up, and that they appear in no message. */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { SecretError } from '../../src/core/errors.ts'
import { resolveSecret, type SecretResolver } from '../../src/core/secrets.ts'

const VALUE = 'correct horse battery staple'
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-'))
})
afterAll(() => rm(folder, { recursive: true }))
afterEach(() => vi.unstubAllEnvs())

async function file(content: string | Uint8Array): Promise<{ secret: string }> {
  const path = join(folder, crypto.randomUUID())
  await writeFile(path, content)
  return { secret: `file:${path}` }
}

function rethrown(error: unknown): never {
  throw error
}

/** The error of a lookup; a value that came back would be a failure. */
async function failure(reference: { secret: string }, resolver?: SecretResolver): Promise<SecretError> {
  const error = await resolveSecret(reference, resolver).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(SecretError)
  expect(error).toMatchObject({ code: 'ERR_SECRET' })
  expect((error as Error).message).toContain(`"${reference.secret}"`)
  return error as SecretError
}

describe('A12 G18 secrets', () => {
  it('a text is the secret itself, also when it looks like a reference', async () => {
    for (const text of [VALUE, 'env:HOME', 'file:/etc/passwd', '']) expect(await resolveSecret(text)).toBe(text)
  })

  it('env: is an environment variable', async () => {
    vi.stubEnv('SALLYPORT_TEST_SECRET', `${VALUE}\n`)
    expect(await resolveSecret({ secret: 'env:SALLYPORT_TEST_SECRET' })).toBe(`${VALUE}\n`)
  })

  it.each([
    ['as it is', VALUE, VALUE],
    ['without its trailing line feed', `${VALUE}\n`, VALUE],
    ['without its trailing CRLF', `${VALUE}\r\n`, VALUE],
    ['with all but one of several', `${VALUE}\n\n`, `${VALUE}\n`],
    ['with a carriage return alone', `${VALUE}\r`, `${VALUE}\r`],
    ['with spaces at the ends and line breaks inside', ` a\nb \n`, ' a\nb '],
    ['without a byte order mark', `\ufeff${VALUE}`, VALUE],
    ['in UTF-8', 'p\u00e4ssw\u00f6rd \u{1f511}\n', 'p\u00e4ssw\u00f6rd \u{1f511}'],
  ])('file: is a file, %s', async (_, content, secret) => {
    expect(await resolveSecret(await file(content))).toBe(secret)
  })

  it('anything else is for the resolver, which may take its time', async () => {
    const asked: string[] = []
    const resolver: SecretResolver = async (name) => {
      asked.push(name)
      return VALUE
    }
    expect(await resolveSecret({ secret: 'vault:a/b#c' }, resolver)).toBe(VALUE)
    expect(await resolveSecret({ secret: 'ENV:X' }, () => VALUE)).toBe(VALUE)
    expect(asked).toEqual(['vault:a/b#c'])
  })

  it('env: and file: never reach the resolver', async () => {
    const resolver = vi.fn(() => VALUE)
    await failure({ secret: 'env:SALLYPORT_TEST_MISSING' }, resolver)
    await failure({ secret: `file:${folder}/missing` }, resolver)
    expect(resolver).not.toHaveBeenCalled()
  })
})

describe('A12 G18 a secret that cannot be had', () => {
  it('is not set', async () => {
    expect((await failure({ secret: 'env:SALLYPORT_TEST_MISSING' })).message).toContain('is not set')
    expect((await failure({ secret: 'env:' })).message).toContain('is not set')
    expect((await failure({ secret: 'vault:x' }, () => undefined)).message).toContain('is not set')
    expect((await failure({ secret: 'vault:x' }, async () => undefined)).message).toContain('is not set')
  })

  it('is empty', async () => {
    vi.stubEnv('SALLYPORT_TEST_SECRET', '')
    expect((await failure({ secret: 'env:SALLYPORT_TEST_SECRET' })).message).toContain('is empty')
    expect((await failure(await file(''))).message).toContain('is empty')
    expect((await failure(await file('\n'))).message).toContain('is empty')
    expect((await failure({ secret: 'vault:x' }, () => '')).message).toContain('is empty')
  })

  it('is a file that is not there, or a folder', async () => {
    expect((await failure({ secret: `file:${folder}/missing` })).message).toContain('ENOENT')
    expect((await failure({ secret: `file:${folder}` })).message).toContain('EISDIR')
    expect((await failure({ secret: 'file:' })).message).toContain('cannot be read')
  })

  it('is a file that is not UTF-8, of which nothing is shown', async () => {
    const { message } = await failure(await file(Buffer.concat([Buffer.from(VALUE), Uint8Array.of(0xff, 0xfe, 0x80)])))
    expect(message).toContain('cannot be read')
    expect(message).not.toContain('horse')
  })

  it('is known to a resolver that throws or rejects', async () => {
    const error = new Error('vault is sealed')
    const thrown = await failure({ secret: 'vault:x' }, () => {
      throw error
    })
    expect(thrown).toMatchObject({ cause: error, message: expect.stringContaining('vault is sealed') })
    expect((await failure({ secret: 'vault:x' }, () => Promise.reject('sealed'))).message).toContain('sealed')
    expect((await failure({ secret: 'vault:x' }, () => Promise.reject(undefined))).message).toContain('cannot be read')
    expect((await failure({ secret: 'vault:x' }, () => Promise.reject(Object.create(null)))).message).toContain(
      'cannot be read',
    )
  })

  it.each<[string, (value: string) => unknown, string]>([
    ['JSON.parse', (value) => JSON.parse(value), 'SyntaxError'],
    ['Node', (value) => Buffer.from(value, 'hex').write(value, value as never, value as never), 'TypeError'],
    ['V8', (value) => 'value' in (value as never), 'TypeError'],
    ['an assertion', (value) => assert.equal(value, ''), 'AssertionError'],
    ['another realm', (value) => runInNewContext('JSON.parse(value)', { value }), 'SyntaxError'],
    ['its own name', (value) => rethrown(Object.assign(new Error(value), { name: value })), 'an error'],
    ['no error', (value) => rethrown([value]), 'something that is no error'],
  ])('is looked at by %s, whose error quotes it: only the kind is told', async (_, look, kind) => {
    const error = await failure({ secret: 'vault:x' }, async () => String(look(VALUE)))
    expect(error.message).toContain(`cannot be read: ${kind}`)
    expect(inspect(error)).not.toMatch(/correct|horse|staple/)
  })

  it('is known to a resolver that cannot get there: the code of the failure is told', async () => {
    const cause = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
    const { message } = await failure({ secret: 'vault:x' }, () => rethrown(new TypeError('fetch failed', { cause })))
    expect(message).toBe('the secret "vault:x" cannot be read: TypeError (ECONNREFUSED)')
    const foreign = await failure({ secret: 'vault:x' }, () => runInNewContext('throw new Error("vault is sealed")'))
    expect(foreign.message).toContain('vault is sealed')
    const missing = await failure({ secret: 'vault:x' }, () => readFile(`${folder}/missing`, 'utf8'))
    expect(missing.message).toContain(`ENOENT: no such file or directory, open '${folder}/missing'`)
  })

  it.each([null, 42, true, {}, Buffer.from(VALUE), [VALUE], { value: VALUE }])(
    'is no text: %j, which is not shown',
    async (value) => {
      const { message } = await failure({ secret: 'vault:x' }, () => value as never)
      expect(message).toContain('is not a text')
      expect(message).not.toContain('horse')
    },
  )

  it('has a prefix that nobody knows', async () => {
    expect((await failure({ secret: 'vault:x' })).message).toContain('no secrets resolver is configured')
    expect((await failure({ secret: '' })).message).toContain('no secrets resolver is configured')
  })
})
