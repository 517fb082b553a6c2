/** Sessions at a legacy server that are opened for clients of 2026-07-28, which have none and never end one: the gateway does. */
import type { ServerResponse } from 'node:http'
import { expect, onTestFinished, test, vi } from 'vitest'
import { event, modern, startStub } from './attack-parts.ts'
import { startBridged } from './bridge-parts.ts'
import { rpc, send } from './world.ts'

/** A bridged server that counts its sessions. Calls of `wait` wait in events. */
async function start() {
  const stub = await startStub()
  const open = new Set<string>()
  const made: string[] = []
  const waiting: { readonly response: ServerResponse; readonly id: unknown }[] = []
  stub.answer = (request, response, body) => {
    if (request.method === 'DELETE') {
      open.delete(String(request.headers['mcp-session-id']))
      response.writeHead(204).end()
      return true
    }
    const { id, method, params } = JSON.parse(body || '{}')
    if (params?.name === 'wait') {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': here\n\n')
      waiting.push({ response, id })
      return true
    }
    if (method !== 'initialize') return false
    const session = `s${made.length}`
    made.push(session)
    open.add(session)
    const result = {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'x', version: '1' },
    }
    response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': session })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
    return true
  }
  const world = await startBridged(stub.url, { era: 'legacy' })
  const { url, token } = world
  const requestOf = (name: string, own?: string) => {
    const headers = own === undefined ? {} : { 'x-tfy-mcp-headers': JSON.stringify({ 'x-request': own }) }
    return { token, ...modern('tools/call', { name, arguments: {} }, { headers }) }
  }
  const call = async (own?: string) => (await rpc(url, requestOf('ok', own))).status
  const wait = async (own?: string) => (await send(url, requestOf('wait', own))).text()
  return { ...world, stub, open: () => [...open], made, waiting, call, wait }
}

/** From here on the gateway's clock goes on by what is added here, in milliseconds. */
function passingTime(): { more: number } {
  const passed = { more: 0 }
  const now = performance.now.bind(performance)
  const spy = vi.spyOn(performance, 'now').mockImplementation(() => now() + passed.more)
  onTestFinished(() => spy.mockRestore())
  return passed
}

const MINUTE = 60_000

test('are ended an hour after their last use', async () => {
  const { call, open, made } = await start()
  const passed = passingTime()
  for (let minutes = 0; minutes <= 150; minutes += 50) {
    passed.more = minutes * MINUTE
    expect(await call()).toBe(200)
  }
  expect(made).toEqual(['s0'])
  passed.more += 61 * MINUTE
  // Somebody else’s call is enough.
  expect(await call('other')).toBe(200)
  await expect.poll(open).toEqual(['s1'])
  expect([await call(), made.length]).toEqual([200, 3])
})

test('are only so many of one caller: the one that has not been used for longest is ended', async () => {
  const { call, open, made } = await start()
  for (let count = 0; count < 64; count++) await call(String(count))
  expect(open()).toHaveLength(64)
  await call('0')
  expect(await call('64')).toBe(200)
  await expect.poll(open).not.toContain('s1')
  expect(open()).toEqual(made.filter((session) => session !== 's1'))
  expect(await call('0')).toBe(200)
  expect(made).toHaveLength(65)
})

test('are not ended before the answers that come in them are over', async () => {
  const { call, open, waiting, wait } = await start()
  const passed = passingTime()
  const answer = wait()
  await expect.poll(() => waiting.length).toBe(1)
  passed.more = 61 * MINUTE
  expect(await call()).toBe(200)
  await call('another round to the server')
  expect(open()).toEqual(['s0', 's1', 's2'])
  for (const { response, id } of waiting) response.end(event({ jsonrpc: '2.0', id, result: { content: [] } }))
  expect(await answer).toContain('"content"')
  await expect.poll(open).toEqual(['s1', 's2'])
})

test('are ended when the gateway is closed, which does not wait long for that', async () => {
  const { call, open, gateway, stub } = await start()
  await call()
  await call('other')
  await gateway.close()
  expect(open()).toEqual([])
  const silent = await start()
  await silent.call()
  const { answer } = silent.stub
  silent.stub.answer = (request, response, body) => request.method === 'DELETE' || answer(request, response, body)
  await silent.gateway.close()
  expect(silent.open()).toEqual(['s0'])
  expect(stub.requests.filter(({ method }) => method === 'DELETE')).toHaveLength(2)
})
