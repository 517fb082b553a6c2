/** Values that are too long for one cookie. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CookieChunk, chunkCookie, joinChunks, staleChunks } from '../../src/http/cookie-chunks.ts'
import { setCookie } from '../../src/http/set-cookie.ts'

const NAME = '__Host-session'
const jarOf = (chunks: readonly CookieChunk[]) => new Map(chunks.map((chunk) => [chunk.name, chunk.value]))
const join = (jar: ReadonlyMap<string, string>, name = NAME) => joinChunks(name, (chunk) => jar.get(chunk))
const namesOf = (chunks: readonly CookieChunk[]) => chunks.map((chunk) => chunk.name)

/** Cookie octets that differ from place to place, as those of a sealed value do. */
const octets = (length: number, seed = 1) => {
  let state = seed
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647
    return 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[state % 64]
  }).join('')
}
const BYTES = 100
const value = fc
  .tuple(fc.nat(380), fc.integer({ min: 1, max: 1_000_000 }))
  .map(([length, seed]) => octets(length, seed))
const chunked = fc
  .tuple(fc.integer({ min: 90, max: 380 }), fc.integer({ min: 1, max: 1_000_000 }))
  .map(([length, seed]) => octets(length, seed))

describe('A8 a long value in several cookies', () => {
  it('is one cookie while it fits', () => {
    const longest = octets(3800 - NAME.length)
    expect(chunkCookie(NAME, 'x')).toEqual([{ name: NAME, value: 'x' }])
    expect(chunkCookie(NAME, '')).toEqual([{ name: NAME, value: '' }])
    expect(chunkCookie(NAME, longest)).toEqual([{ name: NAME, value: longest }])
    expect(namesOf(chunkCookie(NAME, `${longest}x`))).toEqual([`${NAME}.0`, `${NAME}.1`])
  })

  it('is two to five cookies of at most 3,800 bytes, the first of which says how many', () => {
    for (const [length, count] of [
      [4000, 2],
      [7500, 2],
      [7600, 3],
      [11_000, 3],
      [15_000, 4],
      [18_800, 5],
    ] as const) {
      const chunks = chunkCookie(NAME, octets(length))
      expect(namesOf(chunks)).toEqual(Array.from({ length: count }, (_, index) => `${NAME}.${index}`))
      expect(chunks[0]?.value).toMatch(new RegExp(`^${count}~`))
      for (const chunk of chunks) {
        expect(chunk.name.length + chunk.value.length).toBeLessThanOrEqual(3800)
        const line = setCookie(chunk.name, chunk.value, { secure: true, sameSite: 'None', maxAgeSeconds: 34_560_000 })
        expect(line.length).toBeLessThanOrEqual(4096)
      }
      expect(join(jarOf(chunks))).toBe(octets(length))
    }
  })

  it('is too long for more: the error says what is too long, and why', () => {
    expect(() => chunkCookie(NAME, octets(18_950))).toThrow(RangeError)
    expect(() => chunkCookie(NAME, octets(20_000))).toThrow(
      'the cookie "__Host-session" has 20000 bytes, which are 6 cookies of 3800 bytes; 5 at most may be',
    )
    expect(() => chunkCookie(NAME, octets(4000), 3800, 1)).toThrow(RangeError)
    expect(chunkCookie(NAME, octets(30_000), 3800, 9)).toHaveLength(8)
  })

  it.each([0, -1, 1.5, 10, Number.NaN])('maxChunks cannot be %d', (maxChunks) => {
    expect(() => chunkCookie(NAME, 'x', 3800, maxChunks)).toThrow('maxChunks must be 1 to 9')
  })

  it.each([0, -1, NAME.length + 33, 3800.5, Number.NaN])('chunkBytes cannot be %d', (chunkBytes) => {
    expect(() => chunkCookie(NAME, 'x', chunkBytes)).toThrow('chunkBytes must be at least')
  })

  it('comes back whole, whatever its length and the limits are', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[\w.-]{1,20}$/),
        fc.nat(600),
        fc.integer({ min: 54, max: 300 }),
        (name, length, bytes) => {
          fc.pre(bytes - name.length >= 34)
          const text = octets(length, bytes)
          let chunks: CookieChunk[]
          try {
            chunks = chunkCookie(name, text, bytes, 9)
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError)
            expect((bytes - name.length - 2) * 9).toBeLessThan(length + 19)
            return
          }
          expect(join(jarOf(chunks), name)).toBe(text)
          for (const chunk of chunks) {
            if (chunks.length > 1) expect(chunk.value).not.toBe('')
            expect(chunk.name.length + chunk.value.length).toBeLessThanOrEqual(bytes)
          }
        },
      ),
    )
  })
})

describe('A8 chunks that are not a whole', () => {
  const chunks = chunkCookie(NAME, octets(330), BYTES)
  const [first = { name: '', value: '' }] = chunks

  it('there is nothing in nothing', () => {
    expect(join(new Map())).toBeUndefined()
  })

  it('a value in one piece is not looked into', () => {
    for (const text of ['', 'x', '3~x', first.value]) expect(join(new Map([[NAME, text]]))).toBe(text)
  })

  it('a value in one piece and a first chunk contradict each other', () => {
    expect(join(jarOf([...chunks, { name: NAME, value: 'x' }]))).toBeUndefined()
    expect(join(jarOf([first, { name: NAME, value: 'x' }]))).toBeUndefined()
  })

  it.each([
    '',
    '5',
    '5~',
    '~',
    '1~AAAAAAAAAAAAAAAA~x',
    '0~AAAAAAAAAAAAAAAA~x',
    '99~AAAAAAAAAAAAAAAA~x',
    '5~AAAAAAAAAAAAAAA~x',
    'x',
  ])('a first chunk cannot be %j', (text) => {
    expect(join(jarOf([...chunks, { name: `${NAME}.0`, value: text }]))).toBeUndefined()
  })

  it('reads at most nine cookies, whatever the first chunk says', () => {
    const read: string[] = []
    joinChunks(NAME, (name) => {
      read.push(name)
      return name === NAME ? undefined : `9~${'A'.repeat(16)}~x`
    })
    expect(read).toHaveLength(10)
  })

  it('one is missing', () => {
    fc.assert(
      fc.property(chunked, fc.nat(), (text, which) => {
        const jar = jarOf(chunkCookie(NAME, text, BYTES))
        jar.delete(`${NAME}.${which % jar.size}`)
        expect(join(jar)).toBeUndefined()
      }),
    )
  })

  it('one comes twice, in the place of another', () => {
    fc.assert(
      fc.property(chunked, fc.nat(), fc.nat(), (text, from, to) => {
        const parts = chunkCookie(NAME, text, BYTES)
        const source = parts[from % parts.length]
        const target = parts[to % parts.length]
        fc.pre(source !== undefined && target !== undefined && source !== target)
        expect(join(jarOf([...parts, { name: target.name, value: source.value }]))).toBeUndefined()
      }),
    )
  })

  it('two are swapped', () => {
    fc.assert(
      fc.property(chunked, fc.nat(), fc.nat(), (text, one, other) => {
        const parts = chunkCookie(NAME, text, BYTES)
        const a = parts[one % parts.length]
        const b = parts[other % parts.length]
        fc.pre(a !== undefined && b !== undefined && a !== b)
        const swapped = [...parts, { name: a.name, value: b.value }, { name: b.name, value: a.value }]
        expect(join(jarOf(swapped))).toBeUndefined()
      }),
    )
  })

  it('one is shorter or longer, or of another value', () => {
    fc.assert(
      fc.property(chunked, chunked, fc.nat(), (text, other, which) => {
        fc.pre(text !== other)
        const parts = chunkCookie(NAME, text, BYTES)
        const part = parts[which % parts.length]
        if (part === undefined) throw new Error('no chunk')
        expect(join(jarOf([...parts, { ...part, value: part.value.slice(0, -1) }]))).toBeUndefined()
        expect(join(jarOf([...parts, { ...part, value: `${part.value}x` }]))).toBeUndefined()
        const foreign = jarOf(chunkCookie(NAME, other, BYTES)).get(part.name)
        const mixed = join(jarOf([...parts, { ...part, value: foreign ?? part.value }]))
        // Where the values differ in this chunk only, it is whole again.
        expect([undefined, text, other]).toContain(mixed)
      }),
    )
  })
})

describe('A8 chunks that are left over', () => {
  it.each<[string, string[], string[], string[]]>([
    ['the session shrank', ['s.0', 's.1', 's.2'], ['s.0', 's.1'], ['s.2']],
    ['it fits in one piece now', ['s.0', 's.1'], ['s'], ['s.0', 's.1']],
    ['it no longer fits in one piece', ['s'], ['s.0', 's.1'], ['s']],
    ['it has ended', ['s.1', 's', 's.0', 's.17'], [], ['s.1', 's', 's.0', 's.17']],
    ['it grew', ['s.0', 's.1'], ['s.0', 's.1', 's.2'], []],
    ['there was none', [], ['s'], []],
  ])('%s', (_, present, used, stale) => {
    expect(staleChunks('s', present, used)).toEqual(stale)
  })

  it.each([
    'sx',
    'x.s',
    's.',
    's.x',
    's.0x',
    's.00',
    's.01',
    's.-1',
    's.+1',
    's.1.0',
    's.0.',
    's. 0',
    's.0 ',
    's..0',
    's0',
    'S',
    'S.0',
    'sx0',
    's.\u0661',
    's.1e1',
    'ss.0',
  ])('%j is not ours to clear', (name) => {
    expect(staleChunks('s', [name], [])).toEqual([])
  })

  it('takes no character of the name for a pattern', () => {
    expect(staleChunks('a.c', ['abc', 'abc.0', 'a.c.0'], [])).toEqual(['a.c.0'])
    expect(staleChunks('a*', ['a.0', 'a*.0'], [])).toEqual(['a*.0'])
  })

  it('once cleared, leave the new value whole, however often it changes', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), (values) => {
        const jar = new Map([['other', 'x']])
        for (const text of values) {
          const chunks = chunkCookie(NAME, text, BYTES)
          const stale = staleChunks(NAME, [...jar.keys()], namesOf(chunks))
          for (const chunk of chunks) jar.set(chunk.name, chunk.value)
          for (const name of stale) jar.delete(name)
          expect(join(jar)).toBe(text)
          expect([...jar.keys()].sort()).toEqual([...namesOf(chunks), 'other'].sort())
        }
        for (const name of staleChunks(NAME, [...jar.keys()], [])) jar.delete(name)
        expect([...jar.keys()]).toEqual(['other'])
      }),
    )
  })

  it('of answers that cross: clearing the other kind in any case leaves one of the values', () => {
    fc.assert(
      fc.property(value, value, value, (before, one, other) => {
        const jar = jarOf(chunkCookie(NAME, before, BYTES))
        const seen = [...jar.keys(), NAME, `${NAME}.0`]
        for (const text of [one, other]) {
          const chunks = chunkCookie(NAME, text, BYTES)
          for (const chunk of chunks) jar.set(chunk.name, chunk.value)
          for (const name of staleChunks(NAME, seen, namesOf(chunks))) jar.delete(name)
        }
        expect(join(jar)).toBe(other)
      }),
    )
  })
})
