/** Lists that come in an event stream. */
import { describe, expect, it } from 'vitest'
import { ALL_LISTS, type ListFilter } from '../../src/mcp/list-filter.ts'
import { createListStream, type ListStreamStep } from '../../src/mcp/list-stream.ts'

const filter: ListFilter = { lists: ALL_LISTS, allows: (_, name) => name === 'ok', era: 'legacy' }
const list = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok","n":18446744073709551615},{"name":"no"}]}}'
const kept = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok","n":18446744073709551615}]}}'

/** A judge that answers at once makes a filter that does. */
function now(step: ListStreamStep | Promise<ListStreamStep>): ListStreamStep {
  if (step instanceof Promise) throw new Error('it should not have to wait')
  return step
}

function run(stream: string | Uint8Array, size: number, maxEventBytes?: number, how = filter) {
  const bytes = Buffer.from(stream)
  const listStream = createListStream(how, maxEventBytes)
  const out: Uint8Array[] = []
  let problem: string | undefined
  for (let at = 0; at < bytes.length; at += size) {
    const step = now(listStream.push(bytes.subarray(at, at + size)))
    out.push(step.bytes)
    problem = step.problem
  }
  const last = now(listStream.end())
  return { text: Buffer.concat([...out, last.bytes]).toString(), problem: last.problem ?? problem }
}
const SIZES = [1, 2, 3, 7, 100_000]

describe('G15 lists in a stream', () => {
  it('are filtered, and everything around them passes byte for byte', () => {
    const progress = '{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":9007199254740993}}'
    const stream = (data: string) =>
      [
        ': ping\r\n\r\nid: 0\r\ndata: \r\n\r\nretry: 500\r\n\r\n',
        `event: message\nid: 1\ndata: ${progress}\n\n`,
        `event: message\nid: é\ndata: ${data}\nretry: 7\n\n`,
        `data:${progress}\ndata:\n\n`,
        'event: other\ndata: not JSON\n\n',
        ': bye\n',
      ].join('')
    for (const size of SIZES) expect(run(stream(list), size)).toEqual({ text: stream(kept), problem: undefined })
  })

  it('in several lines of data', () => {
    const stream = `data: ${list.replace('[{', '[\ndata: {')}\n\n`
    for (const size of SIZES) expect(run(stream, size).text).toBe(`data: ${kept}\n\n`)
    const outside = `data: ${list.replace('"id"', '\ndata:   "id"')}\n\n`
    for (const size of SIZES)
      expect(run(outside, size).text).toBe(`data: ${kept.replace('"id"', '\ndata:   "id"')}\n\n`)
  })

  it('and so is the news of resources: of an event without data only the id is left', () => {
    const news = (uri: string) => `data: {"method":"notifications/resources/updated","params":{"uri":"${uri}"}}\n`
    const stream = `event: message\nid: 1\n${news('no')}\nid: 2\n${news('ok')}\n`
    for (const size of SIZES) expect(run(stream, size).text).toBe(`event: message\nid: 1\n\nid: 2\n${news('ok')}\n`)
  })

  it('with the line ends of the stream', () => {
    for (const end of ['\n', '\r', '\r\n']) {
      for (const size of SIZES) {
        const { text } = run(`id: 1${end}data: ${list}${end}${end}`, size)
        // A CRLF that two chunks share may come out as CR and CRLF, which is the same to a reader.
        expect(text.replaceAll('\r\n', '\n').replaceAll('\r', '\n')).toBe(`id: 1\ndata: ${kept}\n\n`)
      }
    }
  })

  it('in batches', () => {
    expect(run(`data: [${list},${list}]\n\n`, 5).text).toBe(`data: [${kept},${kept}]\n\n`)
  })

  it('whatever type the event has', () => {
    expect(run(`event: other\ndata: ${list}\n\n`, 9).text).toBe(`event: other\ndata: ${kept}\n\n`)
  })

  it('are private in the modern era', () => {
    const modern: ListFilter = { ...filter, era: 'modern' }
    expect(run('data: {"result":{"tools":[],"cacheScope":"public"}}\n\n', 4, undefined, modern).text).toBe(
      'data: {"result":{"tools":[],"cacheScope":"private"}}\n\n',
    )
  })

  it('at the end of a stream that breaks off: filtered where whole, else gone', () => {
    for (const size of SIZES) {
      expect(run(`id: 1\ndata: ${list}`, size)).toEqual({ text: `id: 1\ndata: ${kept}\n`, problem: undefined })
      expect(run(`id: 1\ndata: ${list.slice(0, -1)}`, size)).toEqual({ text: 'id: 1\n', problem: undefined })
    }
  })
})

describe('what cannot be read ends the stream', () => {
  it.each([
    ['no JSON', 'data: hello\n\n', /cannot be read/],
    ['NaN', 'data: {"result":{"tools":[{"name":"no","x":NaN}]}}\n\n', /cannot be read/],
    ['two messages', `data: ${list}\ndata: ${list}\n\n`, /cannot be read/],
    [
      'bytes that are no UTF-8',
      Buffer.concat([Buffer.from('data: "'), Buffer.of(0xff), Buffer.from('"\n\n')]),
      /UTF-8/,
    ],
  ])('%s', (_, event, problem) => {
    const stream = Buffer.concat([
      Buffer.from('id: 1\ndata: {}\n\n'),
      Buffer.from(event),
      Buffer.from('data: {"a":1}\n\n'),
    ])
    for (const size of SIZES) {
      const found = run(stream, size)
      expect(found.text).toBe('id: 1\ndata: {}\n\n')
      expect(found.problem).toMatch(problem)
    }
  })

  it('a line of 200 MB is not waited for', () => {
    const stream = createListStream(filter)
    const chunk = Buffer.alloc(1024 * 1024, 'x')
    let taken = 0
    for (; taken < 200; taken++)
      if (now(stream.push(taken === 0 ? Buffer.from('data: "') : chunk)).problem !== undefined) break
    expect(taken).toBe(16)
    expect(stream.push(Buffer.from('"\n\ndata: {}\n\n'))).toEqual({
      bytes: Buffer.alloc(0),
      problem: 'an event of more than 16777216 bytes',
    })
    expect(now(stream.end()).bytes).toHaveLength(0)
  })
})
