/** What clients answer to what the gateway itself has asked them: waited for here, kept for another replica, and nothing else kept. */
import { memoryStore } from 'sallyport/stores/memory'
import { expect, test } from 'vitest'
import { createSealer, generateKey } from '../../src/core/sealing.ts'
import { type ClientAnswers, createClientAnswers } from '../../src/gateway/virtual/answers-of-clients.ts'
import { askClient } from '../../src/gateway/virtual/ask-client.ts'
import type { VirtualContext, VirtualSession } from '../../src/gateway/virtual/context.ts'
import { Abort } from '../../src/http/abort.ts'
import type { UpstreamMessage } from '../../src/mcp/upstream-messages.ts'

const key = generateKey()
const store = memoryStore()
const make = () => createClientAnswers(store, createSealer([key], 'client-answer'))
const session = { key: 'one' } as VirtualSession
const said = (text: string) => Buffer.from(JSON.stringify({ jsonrpc: '2.0', id: 'x', result: { text } }))

async function kept(): Promise<number> {
  const { records } = await store.list('virtual-answers', session.key)
  return records.length
}

test('B7 an answer that comes to another replica is kept for the one that waits', async () => {
  const [here, elsewhere] = [make(), make()]
  const id = await here.newId(session)
  const waiting = here.wait(session, id, new Abort())
  await elsewhere.deliver(session, id, said('yes'))
  expect(Buffer.from((await waiting) ?? []).toString()).toContain('yes')
  expect(await kept()).toBe(0)
})

test.each<[string, (answers: ClientAnswers) => Promise<string>]>([
  ['made up', async () => 'ask:6b3f1f3a-9d5e-4a57-8a55-8f8b7d1f0c11'],
  [
    'sealed by somebody else',
    async () => `ask:${await createSealer([generateKey()], 'client-answer').sealText('', 'one')}`,
  ],
  ['sealed for something else', async () => `ask:${await createSealer([key], 'session-id').sealText('', 'one')}`],
  ['asked in another session', async (answers) => answers.newId({ key: 'two' } as VirtualSession)],
])('an answer to what is %s is not kept', async (_, idOf) => {
  const answers = make()
  const id = await idOf(answers)
  expect(answers.isOurs(id)).toBe(true)
  await answers.deliver(session, id, said('no'))
  expect(await kept()).toBe(0)
})

test('an answer that comes twice is kept once', async () => {
  const answers = make()
  const id = await answers.newId(session)
  for (const text of ['first', 'second']) await answers.deliver(session, id, said(text))
  const found = await store.take({ space: 'virtual-answers', owner: session.key, id })
  expect(Buffer.from(found?.value ?? []).toString()).toContain('first')
  expect(await kept()).toBe(0)
})

test('once one of several questions is refused, the others are waited for no longer', async () => {
  const answers = make()
  const signals: Abort[] = []
  const watching: ClientAnswers = {
    ...answers,
    wait(of, id, signal) {
      signals.push(signal as Abort)
      return answers.wait(of, id, signal)
    },
  }
  const inputs = { a: { method: 'roots/list' }, b: { method: 'roots/list' } }
  const value = { result: { resultType: 'input_required', inputRequests: inputs } }
  const message = { kind: 'response', value, bytes: Buffer.from(JSON.stringify(value)) } as unknown as Asking
  const client = { info: undefined, capabilities: { roots: {} } }
  const context = { session, client } as unknown as VirtualContext
  const asking = askClient(watching, { context, abort: new Abort() }, message)
  const ids = [await asking.next(), await asking.next()].map(({ value: bytes }) => {
    return JSON.parse(Buffer.from(bytes as Uint8Array).toString()).id as string
  })
  const end = asking.next()
  const [first = '', second = ''] = ids
  await answers.deliver(session, first, Buffer.from('{"jsonrpc":"2.0","id":"x","error":{"code":-1,"message":"no"}}'))
  expect(await end).toEqual({ done: true, value: 'asked for something that was not answered' })
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true])
  // Nobody here takes it any more: it is left for whoever may.
  await answers.deliver(session, second, said('late'))
  expect(await kept()).toBe(1)
})

test('nothing more is made ready for a client once it has gone', async () => {
  const abort = new Abort()
  let ids = 0
  const leaving: ClientAnswers = {
    ...make(),
    async newId() {
      abort.abort()
      return `ask:${ids++}`
    },
  }
  const inputs = { a: { method: 'roots/list' }, b: { method: 'roots/list' } }
  const value = { result: { resultType: 'input_required', inputRequests: inputs } }
  const message = { kind: 'response', value, bytes: Buffer.from(JSON.stringify(value)) } as unknown as Asking
  const client = { info: undefined, capabilities: { roots: {} } }
  const context = { session, client } as unknown as VirtualContext
  expect((await askClient(leaving, { context, abort }, message).next()).done).toBe(true)
  expect(ids).toBe(1)
})

type Asking = Extract<UpstreamMessage, { kind: 'response' }>
