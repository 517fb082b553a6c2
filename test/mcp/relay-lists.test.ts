/** G15 lists through the relay: in JSON, in event streams, on streams that are resumed, in batches, by slow judges, without an end. */
import { afterEach, describe, expect, it } from 'vitest'
import type { ListJudge } from '../../src/mcp/relay-call.ts'
import { askRaw, ConnectionEnded, connectRaw } from '../support/raw-client.ts'
import { type FrontOptions, startFront } from './relay-front.ts'
import { eventually, httpUpstream, message, modernPost, post } from './relay-wire.ts'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const now: ListJudge = { allows: (_, name) => name.startsWith('ok') }
const later: ListJudge = {
  allows: async (_, name) => {
    await new Promise((resolve) => setImmediate(resolve))
    return name.startsWith('ok')
  },
}
const TOOLS =
  '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok","n":18446744073709551615},{"name":"no"},{"name":"ok2"}]}}'
const KEPT = '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok","n":18446744073709551615},{"name":"ok2"}]}}'
const LIST = post(message('tools/list'))

type Answer = Parameters<typeof httpUpstream>[0]
async function setUp(answer: Answer, lists: ListJudge = now, limits: FrontOptions['limits'] = {}) {
  const upstream = await httpUpstream(answer)
  const front = await startFront({ url: upstream.url, lists, limits })
  closers.push(upstream.close, front.close)
  return { upstream, front }
}
const whole: (type: string, text: string) => Answer = (type, text) => (_, response) =>
  response.writeHead(200, { 'content-type': type }).end(text)
/** In pieces that end anywhere. */
const pieces: (type: string, text: string) => Answer = (type, text) => (_, response) => {
  response.writeHead(200, { 'content-type': type })
  const bytes = Buffer.from(text)
  let at = 0
  const next = () => {
    if (at >= bytes.length) return void response.end()
    response.write(bytes.subarray(at, at + 11), () => setImmediate(next))
    at += 11
  }
  next()
}

describe.each([
  ['a judge that answers at once', now],
  ['a judge that takes its time', later],
])('G15 lists, by %s', (_, judge) => {
  it('in JSON', async () => {
    for (const answer of [whole, pieces]) {
      const { front } = await setUp(answer('application/json', TOOLS), judge)
      const got = await askRaw(front.port, LIST)
      expect(got.text()).toBe(KEPT)
      expect(got.headers['content-length']).toBe(String(KEPT.length))
    }
  })

  it('in events, with all else as it was', async () => {
    const text = (list: string) =>
      `: hi\n\nid: 1\ndata: \n\ndata: {"jsonrpc":"2.0","method":"x"}\n\nid: 2\ndata: ${list}\n\ndata: ${list}\n\n: bye\n\n`
    for (const answer of [whole, pieces]) {
      const { front } = await setUp(answer('text/event-stream', text(TOOLS)), judge)
      expect((await askRaw(front.port, LIST)).text()).toBe(text(KEPT))
    }
  })

  it('on a stream that may bring the answer to something earlier', async () => {
    const { front } = await setUp(pieces('text/event-stream', `id: 9\ndata: ${TOOLS}\n\n`), judge)
    const got = await askRaw(front.port, { method: 'GET', headers: { 'last-event-id': '8' } })
    expect(got.text()).toBe(`id: 9\ndata: ${KEPT}\n\n`)
  })

  it('in batches', async () => {
    const prompts = TOOLS.replace('tools', 'prompts')
    const { front } = await setUp(whole('application/json', `[${TOOLS},${prompts}]`), judge)
    const batch = `[${message('tools/list', undefined, 1)},${message('prompts/list', undefined, 2)}]`
    const got = await askRaw(front.port, post(batch, { 'mcp-protocol-version': '2025-03-26' }))
    expect(got.text()).toBe(`[${KEPT},${KEPT.replace('tools', 'prompts')}]`)
  })

  it('of 2026-07-28, which are then private', async () => {
    const modern = TOOLS.replace('"result":{', '"result":{"resultType":"complete","ttlMs":1,"cacheScope":"public",')
    const { front } = await setUp(whole('application/json', modern), judge)
    const got = (await askRaw(front.port, modernPost('tools/list'))).json()
    expect(got).toMatchObject({ result: { cacheScope: 'private', tools: [{ name: 'ok' }, { name: 'ok2' }] } })
  })
})

describe('what cannot be filtered does not go on', () => {
  it('JSON that is events, events that are JSON, and what is no JSON', async () => {
    for (const [type, text] of [
      ['application/json', `data: ${TOOLS}\n\n`],
      ['application/json', TOOLS.slice(0, -1)],
      ['application/json', '\xff'],
      ['application/json', ''],
    ]) {
      const { front } = await setUp(whole(String(type), String(text)))
      const got = await askRaw(front.port, LIST)
      expect([got.status, got.text().includes('"no"')]).toEqual([502, false])
    }
    for (const text of [TOOLS, ` ${TOOLS}\n\n`, `data: ${TOOLS.slice(0, -1)}\n\n`, `data: [[\n\n`]) {
      const { front } = await setUp(pieces('text/event-stream', `: a\n\n${text}`))
      const client = await connectRaw(front.port)
      client.send(LIST)
      await client.head()
      const rest = String(await client.rest())
      expect(rest).not.toContain('"no"')
      expect(rest.endsWith('0\r\n\r\n'), 'it ends as if it were whole').toBe(false)
      expect(front.broken).toHaveLength(1)
    }
  })

  it('a list in an answer with the status of an error', async () => {
    const { front } = await setUp((_, response) =>
      response.writeHead(404, { 'content-type': 'application/json' }).end(TOOLS),
    )
    const got = await askRaw(front.port, LIST)
    expect([got.status, got.text().includes('"no"')]).toEqual([502, false])
  })

  it('a list, where the judge fails', async () => {
    const judge: ListJudge = { allows: () => Promise.reject(new Error('no store')) }
    const events = await setUp(pieces('text/event-stream', `data: ${TOOLS}\n\n`), judge)
    const client = await connectRaw(events.front.port)
    client.send(LIST)
    await client.head()
    await expect(client.chunk()).rejects.toThrow(ConnectionEnded)
  })

  it('a list in events, where the judge throws: the stream breaks off, and nothing else does', async () => {
    const broken: ListJudge = {
      allows: () => {
        throw new TypeError('a fault')
      },
    }
    for (const answer of [whole, pieces]) {
      const { front } = await setUp(answer('text/event-stream', `data: ${TOOLS}\n\n`), broken)
      await expect(askRaw(front.port, LIST)).rejects.toThrow(ConnectionEnded)
    }
  })

  it('more than is read: 200 MB in one line, in JSON and in events, without ever being held', async () => {
    for (const [type, start] of [
      ['application/json', '{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"ok","x":"'],
      ['text/event-stream', 'data: {"x":"'],
    ]) {
      let written = 0
      let ended = false
      const { front } = await setUp(
        (_, response) => {
          response.writeHead(200, { 'content-type': type })
          response.write(start)
          response.on('close', () => {
            ended = true
          })
          const chunk = Buffer.alloc(256 * 1024, 'x')
          const more = () => {
            if (ended) return
            written += chunk.length
            if (written > 200 * 1024 * 1024) response.end()
            else response.write(chunk, more)
          }
          more()
        },
        now,
        { maxAnswerBytes: 1024 * 1024 },
      )
      const client = await connectRaw(front.port)
      client.send(LIST)
      const head = await client.head()
      if (type === 'application/json') {
        expect(head.status).toBe(502)
        expect(front.results[0]).toMatchObject({ kind: 'failed', reason: 'too_large' })
      } else {
        await expect(client.chunk()).rejects.toThrow(ConnectionEnded)
        expect(front.broken).toEqual(['an event of more than 1048576 bytes'])
      }
      await eventually(() => ended, 'the upstream is cut off')
      expect(written).toBeLessThan(32 * 1024 * 1024)
      await client.close()
    }
  })

  it('a list that drips for ever: 504', async () => {
    const { front } = await setUp(
      (_, response) => {
        response.writeHead(200, { 'content-type': 'application/json' })
        const timer = setInterval(() => response.write(' '), 10)
        response.on('close', () => clearInterval(timer))
      },
      now,
      { answerMs: 150 },
    )
    expect((await askRaw(front.port, LIST)).status).toBe(504)
  })
})

describe('streams that are filtered', () => {
  it('go on at once, event by event, and hold their upstream back for a client that does not read', async () => {
    let say: (text: string) => boolean = () => true
    let gone = false
    const { front } = await setUp((_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      response.on('close', () => {
        gone = true
      })
      say = (text) => response.write(text)
    })
    const client = await connectRaw(front.port)
    client.send({ method: 'GET' })
    await client.head()
    say(`data: ${TOOLS}\n\n`)
    expect(String(await client.chunk())).toContain(KEPT)
    client.socket.pause()
    const event = `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'x', params: 'y'.repeat(64 * 1024) })}\n\n`
    let held = false
    for (let count = 0; count < 1000 && !held; count++) {
      if (!say(event)) held = await new Promise((resolve) => setTimeout(() => resolve(count > 100), 2))
    }
    expect(held).toBe(true)
    await client.close()
    await eventually(() => gone, 'the upstream is let go')
  })
})
