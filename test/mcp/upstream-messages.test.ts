/** What is read of an upstream's event stream beside its messages: from which event on it can be gone on with. */
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventMessages, type StreamMark, UpstreamReadError } from '../../src/mcp/upstream-messages.ts'

const LIMITS = { maxAnswerBytes: 10_000, answerMs: 0 }
const NOTE = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}'

/** Reads a stream that comes in these pieces; the mark that is left. */
async function markOf(pieces: readonly string[], breaksOff = false, from?: string): Promise<StreamMark> {
  const mark: StreamMark = { lastEventId: from, retryMs: undefined }
  async function* chunks() {
    for (const piece of pieces) yield Buffer.from(piece)
    if (breaksOff) throw new Error('gone')
  }
  try {
    for await (const _ of eventMessages(Readable.from(chunks(), { objectMode: false }), LIMITS, mark));
  } catch (error) {
    if (!(error instanceof UpstreamReadError)) throw error
  }
  return mark
}

test.each([
  ['data behind it', `id: e2\ndata: ${NOTE}\n`],
  ['data in front of it', `data: ${NOTE}\nid: e2\n`],
  ['no data', 'id: e2\n'],
  ['no line end', 'id: e2'],
])('the id of an event that is not whole does not count: %s', async (_, rest) => {
  for (const lineEnd of ['\n', '\r\n', '\r']) {
    const text = `id: e1\nretry: 10\ndata: ${NOTE}\n\n${rest}`.replaceAll('\n', lineEnd)
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length), fc.boolean(), async (cut, breaksOff) => {
        const mark = await markOf([text.slice(0, cut), text.slice(cut)], breaksOff)
        expect(mark).toEqual({ lastEventId: 'e1', retryMs: 10 })
      }),
    )
  }
})

test.each([
  ['data behind it', `id: e2\ndata: ${NOTE}\n\n`],
  ['data in front of it', `data: ${NOTE}\nid: e2\n\n`],
  ['no data', 'id: e2\n\n'],
  ['another type', `event: other\nid: e2\ndata: x\n\n`],
])('the id of a whole event counts, wherever its chunks end: %s', async (_, rest) => {
  for (const lineEnd of ['\n', '\r\n', '\r']) {
    const text = `id: e1\n\n${rest}`.replaceAll('\n', lineEnd)
    for (let cut = 0; cut <= text.length; cut++) {
      expect((await markOf([text.slice(0, cut), text.slice(cut)])).lastEventId).toBe('e2')
    }
  }
})

test('an empty id takes the last one back, and a stream without ids leaves what was known', async () => {
  expect((await markOf(['id: e1\n\nid\n\n'])).lastEventId).toBeUndefined()
  expect((await markOf([`data: ${NOTE}\n\n: here\n\n`], true, 'e7')).lastEventId).toBe('e7')
})
