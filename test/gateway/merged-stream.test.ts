/** What several members tell at the same time, for a client that reads slowly. */
import { expect, test } from 'vitest'
import type { VirtualContext } from '../../src/gateway/virtual/context.ts'
import { mergedStream } from '../../src/gateway/virtual/merged-stream.ts'

const COUNT = 100
const leaving = new AbortController()
const members = ['one', 'two', 'three'].map((name) => ({ server: { name } }))
const context = {
  exchange: { request: { signal: leaving.signal } },
  virtual: { members },
} as unknown as VirtualContext

test('all of it comes, each in its order, and nobody is waited for without end', async () => {
  const stream = mergedStream(context, async function* ({ server }, _signal, listening) {
    for (let index = 0; index < COUNT; index++) yield Buffer.from(`${server.name} ${index}`)
    listening.over = true
  })
  const told = new Map<string, number[]>(members.map(({ server }) => [server.name, []]))
  let left = COUNT * members.length
  for await (const data of stream) {
    await new Promise((resolve) => setImmediate(resolve))
    const [name = '', index] = Buffer.from(data).toString().split(' ')
    told.get(name)?.push(Number(index))
    left--
    if (left === 0) break
  }
  const all = Array.from({ length: COUNT }, (_, index) => index)
  expect([...told]).toEqual(members.map(({ server }) => [server.name, all]))
})
