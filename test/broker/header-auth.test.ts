/** G7: the same header fields for all callers, with other values for some. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createHeaderAuth } from '../../src/broker/header-auth.ts'
import { parseTemplate, templateProblem } from '../../src/broker/header-template.ts'
import type { HeaderUpstreamAuth } from '../../src/broker/upstream-auth.ts'
import type { Clock } from '../../src/core/clock.ts'
import { ConfigError, SecretError } from '../../src/core/errors.ts'
import type { SecretResolver } from '../../src/core/secrets.ts'
import { members } from '../access/callers.ts'

const ann = members('engineering')
const NOTHING: ReadonlySet<string> = new Set()

interface Parts {
  readonly secrets?: SecretResolver
  readonly clock?: Clock
}

function make(auth: Omit<HeaderUpstreamAuth, 'type'>, { secrets, clock = { now: () => 0 } }: Parts = {}) {
  return createHeaderAuth({ type: 'header', ...auth }, { secrets, clock })
}

/** A resolver that answers from `values`, and knows how often it was asked. */
function vault(values: Record<string, string | Error | undefined>) {
  const asked: string[] = []
  const secrets: SecretResolver = async (name) => {
    asked.push(name)
    const value = values[name]
    if (value instanceof Error) throw value
    return value
  }
  return { values, asked, secrets }
}

async function failure(promise: Promise<unknown>): Promise<SecretError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(SecretError)
  return error as SecretError
}

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

describe('templates', () => {
  it.each([
    ['Bearer {{token}}', [{ text: 'Bearer ' }, { placeholder: 'token' }]],
    ['{{a}}:{{ b-2 }}{{a}}', [{ placeholder: 'a' }, { text: ':' }, { placeholder: 'b-2' }, { placeholder: 'a' }]],
    ['plain', [{ text: 'plain' }]],
    ['{"a":{"b":1}}', [{ text: '{"a":{"b":1}}' }]],
    ['', []],
  ])('%j', (template, parts) => {
    expect(parseTemplate(template)).toEqual(parts)
  })

  it.each(['{{}}', '{{ }}', '{{2}}', '{{a b}}', '{{a}', '{{{a}}}', '{{a}}}}', '{{{{', '{{constructor', '}}'])(
    'braces that are no placeholder are not let through: %j',
    (template) => {
      expect(templateProblem(template)).toBe(
        'has braces that are no placeholder such as {{token}}; braces that are meant as such go into values',
      )
    },
  )

  it.each(['{{a}}', 'x{y}z', '{"a":1}', '{{a}} }'])('others are: %j', (template) => {
    expect(templateProblem(template)).toBeUndefined()
  })
})

describe('fields', () => {
  it('G7 are texts, secrets, and templates filled with either', async () => {
    vi.stubEnv('HUB_TOKEN', 'hub-token')
    const auth = make({
      headers: { Authorization: 'Bearer {{token}}', 'X-Org': 'acme', 'X-Key': { secret: 'env:HUB_TOKEN' } },
      values: { token: { secret: 'env:HUB_TOKEN' } },
    })
    expect(await auth.fieldsFor(ann, NOTHING)).toEqual({
      authorization: 'Bearer hub-token',
      'x-org': 'acme',
      'x-key': 'hub-token',
    })
    expect(auth.names).toEqual(new Set(['authorization', 'x-org', 'x-key']))
  })

  it('what is put in is not looked at for placeholders, nor is a secret in place of a template', async () => {
    const { secrets } = vault({ braces: '{{b}}' })
    const auth = make(
      { headers: { 'x-a': '{{a}}', 'x-b': { secret: 'braces' } }, values: { a: '{{b}}', b: '$&' } },
      { secrets },
    )
    expect(await auth.fieldsFor(ann, NOTHING)).toEqual({ 'x-a': '{{b}}', 'x-b': '{{b}}' })
  })

  it('leaves out what the caller replaces, and looks up nothing for it', async () => {
    const { asked, secrets } = vault({ one: undefined, two: 'b' })
    const auth = make({ headers: { 'X-A': { secret: 'one' }, X_B: { secret: 'two' } } }, { secrets })
    expect(await auth.fieldsFor(ann, new Set(['x-a']))).toEqual({ x_b: 'b' })
    expect(await auth.fieldsFor(ann, new Set(['x-a', 'x-b']))).toEqual({})
    expect(asked).toEqual(['two'])
  })

  it('refuses a template whose placeholder has no value', () => {
    const make_ = () => make({ headers: { 'x-a': '{{a}}' }, overrides: [{ to: 'anonymous', values: { a: 'b' } }] })
    expect(make_).toThrow(ConfigError)
    expect(() => make({ headers: { 'x-a': '{{constructor}}' }, values: {} })).toThrow(ConfigError)
  })
})

describe('overrides', () => {
  const auth = make({
    headers: { authorization: 'Basic {{user}}:{{password}}' },
    values: { user: 'shared', password: 'p0' },
    overrides: [
      { to: 'group:corp/data-*', values: { password: 'p1' } },
      { to: ['group:corp/engineering', 'virtual-account:ci'], values: { user: 'eng', password: 'p2' } },
      { to: 'anonymous', values: { user: 'all' } },
    ],
  })
  const valueFor = async (principals: readonly string[]) => (await auth.fieldsFor(principals, NOTHING)).authorization

  it('the first that is to a caller counts, value by value', async () => {
    expect(await valueFor(members('data-science'))).toBe('Basic all:p1')
    expect(await valueFor(members('engineering'))).toBe('Basic eng:p2')
    expect(await valueFor(members('engineering', 'data-science'))).toBe('Basic eng:p1')
    expect(await valueFor(['virtual-account:ci'])).toBe('Basic eng:p2')
    expect(await valueFor(members('sales'))).toBe('Basic all:p0')
    expect(await valueFor([])).toBe('Basic shared:p0')
  })

  it('nobody gets those of somebody with a similar name', async () => {
    for (const principal of [
      'group:other/engineering',
      'group:corp/Engineering',
      'virtual-account:ci2',
      'user:corp/ci',
    ]) {
      expect(await valueFor([principal])).toBe('Basic shared:p0')
    }
    // Principals are data: a group that is called like a pattern is not everything that the pattern stands for.
    expect(await valueFor(['group:corp/*'])).toBe('Basic shared:p0')
  })

  it('a list of principals that has changed is looked at again', async () => {
    const principals = ['group:corp/engineering']
    expect(await valueFor(principals)).toBe('Basic eng:p2')
    principals[0] = 'group:corp/sales'
    expect(await valueFor(principals)).toBe('Basic shared:p0')
  })

  it('a secret of some callers that is missing does not stand in the way of others', async () => {
    const { secrets } = vault({ good: 'g' })
    const own = make(
      {
        headers: { 'x-key': '{{key}}' },
        values: { key: { secret: 'good' } },
        overrides: [{ to: 'group:corp/data', values: { key: { secret: 'bad' } } }],
      },
      { secrets },
    )
    expect((await failure(own.fieldsFor(members('data'), NOTHING))).message).toBe('the secret "bad" is not set')
    expect(await own.fieldsFor(ann, NOTHING)).toEqual({ 'x-key': 'g' })
    expect(await own.missing()).toEqual(['the secret "bad" is not set'])
  })
})

describe('secrets', () => {
  it('are looked up once, wherever they are used, and however many ask at the same time', async () => {
    const { asked, secrets } = vault({ one: 'a', two: 'b' })
    const auth = make(
      {
        headers: { 'x-a': { secret: 'one' }, 'x-b': '{{b}}{{c}}' },
        values: { b: { secret: 'one' }, c: { secret: 'two' } },
      },
      { secrets },
    )
    const all = await Promise.all(Array.from({ length: 5 }, () => auth.fieldsFor(ann, NOTHING)))
    for (const fields of all) expect(fields).toEqual({ 'x-a': 'a', 'x-b': 'ab' })
    expect(await auth.missing()).toEqual([])
    await auth.fieldsFor(ann, NOTHING)
    expect(asked.toSorted()).toEqual(['one', 'two'])
  })

  it('that cannot be had are tried again a little later, not with every request', async () => {
    let now = 0
    const store = vault({ one: new Error('the vault is sealed') })
    const auth = make({ headers: { 'x-a': { secret: 'one' } } }, { secrets: store.secrets, clock: { now: () => now } })
    const fields = () => auth.fieldsFor(ann, NOTHING)
    const message = 'the secret "one" cannot be read: the vault is sealed'
    expect((await failure(fields())).message).toBe(message)
    store.values.one = 'a'
    now = 999
    expect((await failure(fields())).message).toBe(message)
    expect(store.asked).toHaveLength(1)
    now = 1_000
    expect(await fields()).toEqual({ 'x-a': 'a' })
    expect(store.asked).toHaveLength(2)
  })

  it('are tried again at once where the clock was set back, and by whoever asks what is missing', async () => {
    let now = 10_000
    const store = vault({})
    const auth = make({ headers: { 'x-a': { secret: 'one' } } }, { secrets: store.secrets, clock: { now: () => now } })
    await failure(auth.fieldsFor(ann, NOTHING))
    now = 5_000
    await failure(auth.fieldsFor(ann, NOTHING))
    expect(store.asked).toHaveLength(2)
    expect(await auth.missing()).toEqual(['the secret "one" is not set'])
    store.values.one = 'a'
    expect(await auth.missing()).toEqual([])
    expect(await auth.fieldsFor(ann, NOTHING)).toEqual({ 'x-a': 'a' })
  })

  it.each([
    ['a\nhost: evil', 'has a line break or NUL in it, which no header can have'],
    ['a\n', 'has a line break or NUL in it, which no header can have'],
    ['caf\u00e9', 'has characters in it that are neither visible ASCII nor spaces'],
    [' a', 'begins or ends with a space'],
  ])('that cannot be in a header are not sent, nor repeated: %j', async (value, problem) => {
    const { secrets } = vault({ one: value })
    const auth = make({ headers: { 'x-a': 'Bearer {{a}}' }, values: { a: { secret: 'one' } } }, { secrets })
    const { message } = await failure(auth.fieldsFor(ann, NOTHING))
    expect(message).toBe(`the secret "one" cannot be in a header: it ${problem}`)
    expect(await auth.missing()).toEqual([message])
    const direct = make({ headers: { 'x-a': 'Bearer {{a}}' }, values: { a: value } })
    expect((await failure(direct.fieldsFor(ann, NOTHING))).message).toBe(
      `a secret cannot be in a header: it ${problem}`,
    )
    // What the check of the configuration finds is not relied upon.
    const text = make({ headers: { 'x-a': value } })
    expect((await failure(text.fieldsFor(ann, NOTHING))).message).toBe(`the value of the header "x-a" ${problem}`)
  })

  it('a file may end in a line break, as editors leave it', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'header-auth-'))
    try {
      await writeFile(join(folder, 'token'), 'from-file\n')
      const auth = make({ headers: { 'x-a': { secret: `file:${join(folder, 'token')}` } } })
      expect(await auth.fieldsFor(ann, NOTHING)).toEqual({ 'x-a': 'from-file' })
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('that never come keep nobody waiting for ever, and are good when they come after all', async () => {
    vi.useFakeTimers()
    let now = 0
    let answer = (_: string): void => {}
    const asked = vi.fn(
      () =>
        new Promise<string>((resolve) => {
          answer = resolve
        }),
    )
    const auth = make({ headers: { 'x-a': { secret: 'slow' } } }, { secrets: asked, clock: { now: () => now } })
    const late = failure(auth.fieldsFor(ann, NOTHING))
    await vi.advanceTimersByTimeAsync(10_000)
    expect((await late).message).toBe('the secret "slow" could not be looked up in 10000 ms')
    // The same question is still open: it is not asked again.
    now = 60_000
    const next = auth.fieldsFor(ann, NOTHING)
    answer('a')
    expect(await next).toEqual({ 'x-a': 'a' })
    expect(await auth.fieldsFor(ann, NOTHING)).toEqual({ 'x-a': 'a' })
    expect(asked).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })
})
