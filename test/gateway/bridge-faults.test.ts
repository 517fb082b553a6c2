/** Answers of a legacy server that cannot be brought to a modern client: what it is told, and what the audit says. */
import type { ServerResponse } from 'node:http'
import { describe, expect, test } from 'vitest'
import { event, modern, startStub } from './attack-parts.ts'
import { startBridged } from './bridge-parts.ts'
import { rpc } from './world.ts'

/** A bridged server that answers calls as it is told. */
async function startFaulty(answer: (response: ServerResponse, id: unknown) => void) {
  const stub = await startStub()
  stub.answer = (_request, response, body) => {
    if (!body.includes('tools/call')) return false
    answer(response, JSON.parse(body).id)
    return true
  }
  const world = await startBridged(stub.url, { era: 'legacy' })
  const call = () => rpc(world.url, { token: world.token, ...modern('tools/call', { name: 'ok', arguments: {} }) })
  return { ...world, call }
}

const deep = (id: unknown, member = 'result') =>
  `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"${member}":{"code":1,"message":"x","data":${'['.repeat(600)}${']'.repeat(600)}}}`

describe('what is nested deeper than is read is told as no answer, with the id of the request', () => {
  test.each([
    ['in JSON', 502, (response: ServerResponse, id: unknown) => reply(response, 200, 'application/json', deep(id))],
    [
      'as an error',
      502,
      (response: ServerResponse, id: unknown) => reply(response, 400, 'application/json', deep(id, 'error')),
    ],
    [
      'in events',
      200,
      (response: ServerResponse, id: unknown) => reply(response, 200, 'text/event-stream', `data: ${deep(id)}\n\n`),
    ],
  ] as const)('%s', async (_, status, answer) => {
    const { call } = await startFaulty(answer)
    const told = await call()
    expect([told.status, told.json.id, told.json.error]).toEqual([
      status,
      1,
      { code: 5021, message: 'dev/one answered with something that is no answer.' },
    ])
  })
})

test.each([
  ['broken', 'broke off', (response: ServerResponse): void => void setImmediate(() => response.destroy())],
  ['broken', 'broke off', (response: ServerResponse): void => void response.end()],
  ['nonsense', 'answered with something', (response: ServerResponse): void => void response.end('data: no JSON\n\n')],
] as const)('the audit tells of a stream that fails as %s', async (reason, words, fail) => {
  const { call, told } = await startFaulty((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(
      event({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 1, progress: 1 } }),
    )
    fail(response)
  })
  expect((await call()).json).toMatchObject({ id: 1, error: { code: 5021, message: expect.stringContaining(words) } })
  const { outcome, reason: why, detail, status } = await told(({ methods }) => methods[0] === 'tools/call')
  expect([outcome, why, status]).toEqual(['failed', reason, 200])
  expect(detail).toContain('dev/one: ')
})

test('the audit tells of a call that was answered whole in events as before', async () => {
  const { call, told } = await startFaulty((response, id) =>
    reply(response, 200, 'text/event-stream', event({ jsonrpc: '2.0', id, result: { content: [] } })),
  )
  expect((await call()).json.result.content).toEqual([])
  const wanted = await told(({ methods }) => methods[0] === 'tools/call')
  expect(wanted).toMatchObject({ outcome: 'relayed', reason: null })
})

function reply(response: ServerResponse, status: number, type: string, text: string): void {
  response.writeHead(status, { 'content-type': type }).end(text)
}
