/** Whole answers on a response that nobody has touched, and on one that somebody has: the same bytes reach the client. */
import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Reply } from '../../src/http/gate.ts'
import { addHeadersOnSend, writeReply } from '../../src/http/writer.ts'

/** What a client gets that asks a server which answers so. */
async function answerOf(respond: (response: ServerResponse) => void, method = 'GET'): Promise<IncomingMessage> {
  const server = createServer((_request, response) => respond(response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const request = get({ port: (server.address() as AddressInfo).port, method, agent: false })
  if (method !== 'GET') request.end()
  const [answer] = (await once(request, 'response')) as [IncomingMessage]
  return answer
}

async function send(reply: Reply, before: (response: ServerResponse) => void, method = 'GET') {
  const answer = await answerOf((response) => {
    before(response)
    writeReply(response, reply)
  }, method)
  const lines: string[] = []
  for (let index = 0; index < answer.rawHeaders.length; index += 2) {
    const name = answer.rawHeaders[index]?.toLowerCase() ?? ''
    if (!['date', 'connection', 'keep-alive', 'x-app'].includes(name))
      lines.push(`${name}: ${answer.rawHeaders[index + 1]}`)
  }
  return { status: answer.statusCode, lines: lines.sort(), body: await text(answer) }
}

const replies: readonly (readonly [string, Reply])[] = [
  ['a text', { status: 200, headers: { 'content-type': 'text/plain' }, body: 'grüße' }],
  ['bytes', { status: 403, headers: { vary: 'origin', 'x-a': 'b' }, body: Buffer.from('no') }],
  ['nothing', { status: 405, headers: { allow: 'POST' } }],
  ['a status without a body', { status: 204, headers: { vary: 'origin' }, body: 'never sent' }],
  ['not modified', { status: 304, headers: { etag: '"1"' }, body: 'never sent' }],
  [
    'several lines of a field',
    { status: 401, headers: { 'www-authenticate': ['Basic realm="a"', 'Bearer'] }, body: '' },
  ],
  ['a length of its own, which is wrong', { status: 200, headers: { 'content-length': '99' }, body: 'four' }],
  ['names that differ in case', { status: 200, headers: { Vary: 'a', vary: 'b', 'X-A': '1', 'x-a': '2' }, body: 'x' }],
  ['names in capitals', { status: 200, headers: { 'Content-Type': 'text/plain', 'Content-Length': '99' }, body: 'x' }],
]

describe.each(replies)('%s', (_what, reply) => {
  it.each(['GET', 'HEAD'])('is the same on an untouched response as on one with a header, to %s', async (method) => {
    const untouched = await send(reply, () => {}, method)
    const touched = await send(reply, (response) => response.setHeader('x-app', 'was here'), method)
    expect(untouched).toEqual(touched)
    expect(untouched.status).toBe(reply.status)
    if (method === 'HEAD') expect(untouched.body).toBe('')
  })
})

it('a wrong length is put right', async () => {
  const { lines, body } = await send({ status: 200, headers: { 'content-length': '99' }, body: 'four' }, () => {})
  expect(body).toBe('four')
  expect(lines.filter((line) => line.startsWith('content-length'))).toEqual(['content-length: 4'])
})

it('has the reason phrase of its own status, whatever a framework had in mind before', async () => {
  const phrases = replies.map(async ([, reply]) => {
    const answer = await answerOf((response) => {
      response.statusMessage = 'OK'
      writeReply(response, reply)
    })
    answer.resume()
    return answer.statusMessage
  })
  expect(await Promise.all(phrases)).toEqual(replies.map(([, { status }]) => STATUS_CODES[status]))
})

describe('headers that are added to what the application sends', () => {
  it.each<[string, (response: ServerResponse) => unknown]>([
    ['as an object', (response) => response.writeHead(200, { 'x-own': 'yes' })],
    ['as a list', (response) => response.writeHead(200, ['x-own', 'yes'])],
    ['behind a reason', (response) => response.writeHead(200, 'Fine', { 'x-own': 'yes' })],
    // As middleware hands on what it was given: `(status, reason, headers) => writeHead.call(response, status, reason, headers)`.
    [
      'in the place of a reason that is none',
      (response) => response.writeHead(200, { 'x-own': 'yes' } as never, undefined),
    ],
    ['behind a reason that is undefined', (response) => response.writeHead(200, undefined, { 'x-own': 'yes' })],
  ])('leave those that it gives %s', async (_how, writeHead) => {
    const answer = await answerOf((response) => {
      addHeadersOnSend(response, { 'cache-control': 'private' })
      writeHead(response)
      response.end()
    })
    answer.resume()
    expect(answer.headers).toMatchObject({ 'x-own': 'yes', 'cache-control': 'private' })
  })
})
