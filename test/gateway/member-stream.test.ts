/** G5: listening to a member anew while somebody goes away. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { type MemberStream, whileItChanges } from '../../src/gateway/virtual/member-stream.ts'
import { Abort } from '../../src/http/abort.ts'
import type { AbortSource } from '../../src/http/gate.ts'
import { type UpstreamMessage, UpstreamReadError } from '../../src/mcp/upstream-messages.ts'

/** Acknowledges, and breaks off when it is given up, as undici's bodies do. */
async function* acknowledgedUntil(signal: AbortSource): MemberStream {
  const method = 'notifications/subscriptions/acknowledged'
  const said = { kind: 'notification', method, value: { method }, bytes: Buffer.from('{}') } as const
  yield said satisfies UpstreamMessage
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
  throw new UpstreamReadError('broken', 'the stream broke off')
}

test('a client that goes just when its member is listened to anew does not end the process', async () => {
  const unheard: unknown[] = []
  const note = (reason: unknown) => unheard.push(reason)
  process.on('unhandledRejection', note)
  onTestFinished(() => void process.off('unhandledRejection', note))
  const gone = new Abort()
  let change = (): Promise<void> => Promise.reject(new Error('nobody watches'))
  const watch = (changed: () => Promise<void>) => {
    change = changed
    return () => {}
  }
  const stream = whileItChanges(async (signal) => acknowledgedUntil(signal), watch, gone)
  await stream.next()
  const changed = change()
  // The acknowledgement of the new stream: nobody has asked for what comes behind it.
  expect((await stream.next()).value).toMatchObject({ kind: 'notification' })
  await changed
  gone.abort()
  await turn()
  await stream.return(undefined)
  await turn()
  expect(unheard).toEqual([])
})

test('a member that cannot be listened to is not watched any longer', async () => {
  let watched = 0
  const watch = () => {
    watched++
    return () => void watched--
  }
  const stream = whileItChanges(() => Promise.reject(new Error('the store is down')), watch, new Abort())
  await expect(stream.next()).rejects.toThrow('the store is down')
  expect(watched).toBe(0)
})
