import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { GateRequest, RequestBody } from '../../src/http/gate.ts'
import { readForm, readQuery } from '../../src/http/parameters.ts'

function withBody(body: RequestBody, type: string | undefined = 'application/x-www-form-urlencoded'): GateRequest {
  return { headers: { 'content-type': type }, body } as unknown as GateRequest
}

const streamOf = (...chunks: string[]): RequestBody => ({
  kind: 'stream',
  stream: Readable.from(chunks.map((chunk) => Buffer.from(chunk))),
})

describe('the query of a target', () => {
  it.each([
    ['/callback', []],
    ['/callback?', []],
    [
      '/callback?a=1&b=%C3%A9+x',
      [
        ['a', '1'],
        ['b', 'é x'],
      ],
    ],
    [
      '/callback?a=1&a=2',
      [
        ['a', '1'],
        ['a', '2'],
      ],
    ],
    ['/callback?a=b?c=d', [['a', 'b?c=d']]],
    ['http://host/callback?a=1', [['a', '1']]],
    ['/callback?a=1#b', [['a', '1']]],
  ])('%s', (target, expected) => {
    expect([...readQuery(target)]).toEqual(expected)
  })
})

describe('the form in a body', () => {
  it('is read from the stream, in whatever pieces it comes', async () => {
    expect([...((await readForm(withBody(streamOf('a=1', '&b=', '%C3%A9&a=2')))) ?? [])]).toEqual([
      ['a', '1'],
      ['b', 'é'],
      ['a', '2'],
    ])
  })

  it.each([
    ['an object', { a: '1', b: 'é' }],
    ['a list for what comes twice', { a: ['1', '2'] }],
    ['values of other kinds are left out', { a: '1', b: { c: 1 }, d: 4 }],
    ['a text', 'a=1'],
  ])('is taken from a body parser: %s', async (_what, value) => {
    expect((await readForm(withBody({ kind: 'parsed', value })))?.get('a')).toBe('1')
  })

  it('keeps what comes twice apart, also after a body parser', async () => {
    const form = await readForm(withBody({ kind: 'parsed', value: { a: ['1', '2'] } }))
    expect(form?.getAll('a')).toEqual(['1', '2'])
  })

  it('the bytes win over what a parser made of them', async () => {
    const raw = Buffer.from('a=1&a=2')
    expect((await readForm(withBody({ kind: 'parsed', value: { a: 'x' }, raw })))?.getAll('a')).toEqual(['1', '2'])
  })

  it('none is an empty one', async () => {
    expect([...((await readForm(withBody({ kind: 'none' }))) ?? ['?'])]).toEqual([])
  })

  it.each([['application/json'], ['multipart/form-data; boundary=x'], ['application/x-www-form-urlencodedx'], ['']])(
    'other kinds are refused: %s',
    async (type) => {
      expect(await readForm(withBody(streamOf('a=1'), type))).toBeUndefined()
    },
  )

  it('so are more than 64 KiB, and a body that breaks off', async () => {
    expect(await readForm(withBody(streamOf(`a=${'x'.repeat(65_536)}`)))).toBeUndefined()
    const broken = new Readable({ read() {} })
    const reading = readForm(withBody({ kind: 'stream', stream: broken }))
    broken.push('a=1')
    broken.destroy(new Error('gone'))
    expect(await reading).toBeUndefined()
  })
})
