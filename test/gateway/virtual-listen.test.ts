/** G5: `subscriptions/listen` of many resources of a virtual server. */
import { expect, test } from 'vitest'
import type { VirtualContext } from '../../src/gateway/virtual/context.ts'
import { createVirtualStreams, type VirtualStreamParts } from '../../src/gateway/virtual/streams.ts'
import type { RequestMessage } from '../../src/mcp/messages.ts'

const COUNT = 1_000

/** A stream of a client that wants to hear of many resources which any of two members could have. */
function startListening(onLook = (_leave: () => void) => {}) {
  const leaving = new AbortController()
  const looks: string[] = []
  let asked = 0
  const names = {
    resource: {
      expose: () => undefined,
      originalOf: (original: string) => ({ original, explicit: false, asked: asked++ }),
      explicit: new Map(),
    },
  }
  const both = ['dev/one', 'dev/two'].map((name) => ({ server: { name }, names }))
  const lists = {
    async list(_context: unknown, list: string, { known = false } = {}) {
      looks.push(`${list} ${known}`)
      onLook(() => leaving.abort())
      return { entries: [], byName: new Map(), unknown: new Set(), problems: [], needs: [], ttlMs: 0 }
    },
  }
  const context = {
    exchange: { request: { signal: leaving.signal } },
    virtual: { members: [], having: { resource: both }, byName: new Map() },
  } as unknown as VirtualContext
  const uris = Array.from({ length: COUNT }, (_, index) => `notes://${index}`)
  const params = { notifications: { resourceSubscriptions: uris } }
  const request: RequestMessage = { kind: 'request', id: 1, method: 'subscriptions/listen', params, raw: Buffer.of() }
  const stream = createVirtualStreams({ lists } as unknown as VirtualStreamParts).listen(context, request)
  return { stream, looks, leave: () => leaving.abort(), asked: () => asked }
}

test('looks at each list once, and lets others have their turn', async () => {
  const { stream, looks, leave, asked } = startListening()
  await stream.next()
  const next = stream.next()
  let turns = 0
  while (asked() < 2 * COUNT) {
    await new Promise((resolve) => setImmediate(resolve))
    turns++
  }
  expect(looks).toEqual(['resources true', 'resources false', 'resourceTemplates true'])
  expect(turns).toBeGreaterThan(10)
  leave()
  expect((await next).done).toBe(true)
})

test('is over when the client has gone', async () => {
  const { stream, asked } = startListening((leave) => leave())
  await stream.next()
  expect((await stream.next()).done).toBe(true)
  expect(asked()).toBeLessThan(COUNT)
})
