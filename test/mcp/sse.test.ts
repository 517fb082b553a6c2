/** Event streams, cut into chunks anywhere. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSseReader, replaceData, type SsePiece, writeSseEvent } from '../../src/mcp/sse.ts'

interface Seen {
  readonly type: string
  readonly data: string
}

/** What a browser dispatches (HTML standard, Interpreting an event stream), on the whole text at once. */
function interpret(stream: Uint8Array): Seen[] {
  const lines = new TextDecoder().decode(stream).split(/\r\n|\r|\n/)
  // What is behind the last line end is no line yet.
  lines.pop()
  const seen: Seen[] = []
  let [type, data] = ['', '']
  let hasData = false
  for (const line of lines) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (line === '') {
      if (hasData) seen.push({ type: type || 'message', data: data.slice(0, -1) })
      type = data = ''
      hasData = false
    } else if (field === 'event') type = value
    else if (field === 'data') {
      data += `${value}\n`
      hasData = true
    }
  }
  return seen
}

function readAll(stream: Uint8Array, cuts: readonly number[] = [], limit = 1_000_000): SsePiece[] {
  const reader = createSseReader(limit)
  const places = [0, ...[...cuts].sort((one, other) => one - other), stream.length]
  const pieces = places.slice(1).flatMap((to, index) => reader.push(stream.subarray(places[index], to)))
  return [...pieces, ...reader.end()]
}
const bytesOf = (pieces: readonly SsePiece[]) =>
  Buffer.concat(
    pieces.map((piece) =>
      piece.kind === 'bytes' ? piece.bytes : piece.kind === 'event' ? piece.raw : Buffer.alloc(0),
    ),
  )
const eventsOf = (pieces: readonly SsePiece[]): Seen[] =>
  pieces.flatMap((piece) =>
    piece.kind === 'event' && piece.complete ? [{ type: piece.type, data: Buffer.from(piece.data).toString() }] : [],
  )
const text = (...parts: string[]) => Buffer.from(parts.join(''))

describe('reading', () => {
  it.each<[string, string, Seen[]]>([
    ['one event', 'data: a\n\n', [{ type: 'message', data: 'a' }]],
    ['no space', 'data:a\n\n', [{ type: 'message', data: 'a' }]],
    ['two spaces', 'data:  a\n\n', [{ type: 'message', data: ' a' }]],
    ['CRLF', 'event: x\r\ndata: a\r\n\r\n', [{ type: 'x', data: 'a' }]],
    ['CR', 'event: x\rdata: a\r\r', [{ type: 'x', data: 'a' }]],
    ['mixed line ends', 'data: a\r\ndata: b\rdata: c\n\r\n', [{ type: 'message', data: 'a\nb\nc' }]],
    ['several lines', 'data: a\ndata:\ndata: b\n\n', [{ type: 'message', data: 'a\n\nb' }]],
    ['data without a colon', 'data\n\n', [{ type: 'message', data: '' }]],
    ['empty data', 'id: 1\ndata: \n\n', [{ type: 'message', data: '' }]],
    ['comments', ': a\ndata: b\n:c\n\n', [{ type: 'message', data: 'b' }]],
    ['an event without data', 'event: x\n\ndata: a\n\n', [{ type: 'message', data: 'a' }]],
    ['an empty type', 'event: x\nevent:\ndata: a\n\n', [{ type: 'message', data: 'a' }]],
    ['a type behind the data', 'data: a\nevent: x\n\n', [{ type: 'x', data: 'a' }]],
    ['other fields', 'database: a\ndat: b\nDATA: c\n data: d\nretry: 5\nid: 1\n\n', []],
    ['many empty lines', '\n\n\ndata: a\n\n\n\n', [{ type: 'message', data: 'a' }]],
    ['a byte order mark', '\ufeffdata: a\n\n', [{ type: 'message', data: 'a' }]],
    ['a byte order mark later', 'data: a\n\n\ufeffdata: b\n\n', [{ type: 'message', data: 'a' }]],
    ['an event that is not ended', 'data: a\n\ndata: b\n', [{ type: 'message', data: 'a' }]],
    ['a line that is not ended', 'data: a\n\ndata: b', [{ type: 'message', data: 'a' }]],
    ['nothing', '', []],
  ])('%s', (_, stream, expected) => {
    const bytes = Buffer.from(stream)
    expect(interpret(bytes)).toEqual(expected)
    const everywhere = Array.from({ length: bytes.length }, (_, at) => at)
    for (const cuts of [[], everywhere, ...everywhere.map((at) => [at])]) {
      const pieces = readAll(bytes, cuts)
      expect(eventsOf(pieces)).toEqual(expected)
      expect(bytesOf(pieces)).toEqual(bytes)
    }
  })

  it('sees of any stream what a browser sees, and loses no byte, wherever it is cut', () => {
    const part = fc.constantFrom(
      ...[
        'data: ',
        'data:',
        'data',
        'event: ',
        'event: x',
        'id: 1',
        'retry: 5',
        ':',
        ': ping',
        ' ',
        'a',
        '{"a":1}',
        'é',
        '日本',
        '🔑',
      ],
      ...['\n', '\r', '\r\n', '\n\n', '\r\n\r\n', '\r\r', '\ufeff', '\0'],
    )
    const stream = fc.array(part, { maxLength: 30 }).map((parts) => Buffer.from(parts.join('')))
    fc.assert(
      fc.property(stream, fc.array(fc.nat(200)), (bytes, cuts) => {
        const pieces = readAll(
          bytes,
          cuts.filter((at) => at < bytes.length),
        )
        expect(bytesOf(pieces)).toEqual(bytes)
        expect(eventsOf(pieces)).toEqual(interpret(bytes))
      }),
      { numRuns: 3000 },
    )
  })

  it('passes at once what is no data, and holds back data only', () => {
    const reader = createSseReader(1000)
    const pushed = (part: string) => bytesOf(reader.push(Buffer.from(part))).toString()
    expect(pushed(': ping\r\n')).toBe(': ping\r\n')
    expect(pushed('id: 5\nevent: message\n')).toBe('id: 5\nevent: message\n')
    expect(pushed('data: a\n')).toBe('')
    expect(pushed(': still here\nid: 6\n')).toBe('')
    expect(pushed('\n: x\n')).toBe('data: a\n: still here\nid: 6\n\n: x\n')
    // A CR ends a line; whether a LF comes too is not waited for.
    expect(pushed('data: b\r\n\r')).toBe('data: b\r\n\r')
    expect(pushed('\n')).toBe('\n')
  })

  it('does not hold on to buffers that are used again', () => {
    const reader = createSseReader(1000)
    const buffer = Buffer.from('data: first\ndata: sec')
    reader.push(buffer)
    buffer.fill('x')
    expect(eventsOf(reader.push(Buffer.from('ond\n\n')))).toEqual([{ type: 'message', data: 'first\nsecond' }])
  })

  it('tells of an event that breaks off', () => {
    const pieces = readAll(Buffer.from('id: 1\ndata: a\ndata: b'))
    expect(pieces.at(-1)).toMatchObject({ kind: 'event', complete: false })
    expect(bytesOf(pieces).toString()).toBe('id: 1\ndata: a\ndata: b')
  })
})

describe('a limit', () => {
  const long = 'x'.repeat(60)

  it.each([
    ['a line of data', `data: ${long}${long}\n\n`],
    ['a line of data that does not end', `data: ${long}${long}`],
    ['many lines of data', `data: ${long}\ndata: ${long}\n\n`],
    ['many small lines', `${'data: x\n'.repeat(20)}\n`],
    ['comments behind data', `data: x\n${': ping\n'.repeat(20)}\n`],
    ['a comment', `: ${long}${long}\n\n`],
    ['a line without a field', `${long}${long}`],
  ])('%s is too long, in one chunk or in many', (_, stream) => {
    const bytes = Buffer.from(`data: a\n\n${stream}`)
    for (const cuts of [[], Array.from({ length: bytes.length }, (_, at) => at), [20, 90]]) {
      const pieces = readAll(bytes, cuts, 100)
      expect(pieces.at(-1)).toEqual({ kind: 'too_long' })
      expect(pieces.filter(({ kind }) => kind === 'too_long')).toHaveLength(1)
      expect(eventsOf(pieces)).toEqual([{ type: 'message', data: 'a' }])
    }
  })

  it('is for one event, not for the stream', () => {
    const stream = text(...Array.from({ length: 50 }, () => `id: 1\ndata: ${long}\n\n: ${long}\n`))
    expect(eventsOf(readAll(stream, [], 100))).toHaveLength(50)
  })

  it('ends the reading', () => {
    const reader = createSseReader(10)
    expect(reader.push(Buffer.from('data: 12345678'))).toEqual([{ kind: 'too_long' }])
    expect(reader.push(Buffer.from('\n\ndata: a\n\n'))).toEqual([])
    expect(reader.end()).toEqual([])
  })
})

const LINE_END = fc.constantFrom('\n', '\r', '\r\n')

describe('writing', () => {
  it('an event', () => {
    expect(Buffer.from(writeSseEvent({ data: 'a' })).toString()).toBe('data: a\n\n')
    const whole = writeSseEvent({ data: 'a\nb\r\nc', type: 'x', id: '1', retry: 5 })
    expect(Buffer.from(whole).toString()).toBe('event: x\nid: 1\nretry: 5\ndata: a\ndata: b\ndata: c\n\n')
    expect(Buffer.from(writeSseEvent({ data: '' })).toString()).toBe('data: \n\n')
  })

  it('comes back when it is read', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (data) => {
        expect(interpret(writeSseEvent({ data }))).toEqual([{ type: 'message', data: data.replace(/\r\n|\r/g, '\n') }])
      }),
    )
  })

  it.each([{ type: 'a\ndata: b' }, { type: 'a\rb' }, { id: '1\n\n' }, { id: '1\r' }, { id: '\0' }])(
    'no other lines by %j',
    (fields) => {
      expect(() => writeSseEvent({ data: '', ...fields })).toThrow(TypeError)
    },
  )

  it.each([
    ['data: a\rdata: b\n\n', 'data: {}\n\n'],
    ['data: a\r\n\n', 'data: {}\r\n\n'],
    ['data: a\nid: 1\rdata: b\n\n', 'data: {}\nid: 1\r\n\n'],
  ])('other data in an event of mixed line ends, which ends all the same: %j', (text, written) => {
    const bytes = Buffer.from(text)
    for (const cuts of [[], [8]]) {
      const [event] = readAll(bytes, cuts)
      if (event?.kind !== 'event') throw new Error('it should be one event')
      const replaced = replaceData(event, Buffer.from('{}'))
      expect(interpret(replaced)).toEqual([{ type: 'message', data: '{}' }])
      if (cuts.length === 0) expect(Buffer.from(replaced).toString()).toBe(written)
    }
  })

  it('other data in an event, and the rest as it was, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('data: a', 'data: b', 'id: 7', 'event: x', ': c'), { minLength: 1, maxLength: 6 }),
        // Of one kind, or mixed.
        fc.oneof(
          LINE_END.map((end) => [end]),
          fc.array(LINE_END, { minLength: 2, maxLength: 10 }),
        ),
        fc.array(fc.nat(60)),
        fc.constantFrom('{}', '{\n}', ''),
        (lines, ends, cuts, data) => {
          const all = [...lines, '', 'data: next', '']
          const bytes = Buffer.from(all.map((line, index) => `${line}${ends[index % ends.length]}`).join(''))
          const pieces = readAll(
            bytes,
            cuts.filter((at) => at < bytes.length),
          )
          const replaced = pieces.map((piece) =>
            piece.kind === 'event'
              ? replaceData(piece, Buffer.from(data))
              : piece.kind === 'bytes'
                ? piece.bytes
                : Buffer.alloc(0),
          )
          const written = Buffer.concat(replaced)
          expect(interpret(written)).toEqual(interpret(bytes).map(({ type }) => ({ type, data })))
          const others = (stream: Uint8Array) =>
            Buffer.from(stream)
              .toString()
              .split(/\r\n|\r|\n/)
              .filter((line) => /^(id|event|:)/.test(line))
          expect(others(written)).toEqual(others(bytes))
        },
      ),
      { numRuns: 2000 },
    )
  })
})
