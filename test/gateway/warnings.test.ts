/** What is set up wrongly is told the operator also where nobody listens to the audit: one process warning for each server. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { generateKey } from 'sallyport'
import { createGateway } from 'sallyport/gateway'
import { sallyport } from 'sallyport/node'
import { memoryStore } from 'sallyport/stores/memory'
import { expect, onTestFinished, test } from 'vitest'
import { initialize, rpc } from './world.ts'

async function listen(server: ReturnType<typeof createServer>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A gateway whose shared key the MCP server refuses. */
async function start(audit: boolean) {
  const upstream = await listen(createServer((_, response) => response.writeHead(401).end()))
  const server = createServer()
  const url = await listen(server)
  const gateway = createGateway({
    url,
    store: memoryStore(),
    keys: [generateKey()],
    servers: {
      'data/hub': { url: upstream, auth: { type: 'header', headers: { authorization: 'Bearer wrong-key' } } },
    },
    access: [{ to: 'anonymous', on: '*' }],
    ...(audit ? { audit: () => {} } : {}),
  })
  onTestFinished(() => gateway.close())
  const handler = sallyport(gateway)((_, response) => response.end())
  server.on('request', handler)
  const warnings: (Error & { code?: string })[] = []
  const note = (warning: Error) => warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => {
    process.off('warning', note)
  })
  const ask = () => rpc(`${url}/mcp/data/hub/server`, { body: initialize() })
  const own = async () => {
    // Warnings are emitted on the next tick.
    await new Promise(setImmediate)
    return warnings.filter(({ code }) => code === 'SALLYPORT_GATEWAY')
  }
  return { ask, own }
}

test('a shared key that is refused, once', async () => {
  const { ask, own } = await start(false)
  for (let call = 0; call < 3; call++) expect((await ask()).status).toBe(502)
  const warnings = await own()
  expect(warnings).toHaveLength(1)
  expect(warnings[0]?.message).toMatch(/^the MCP server "data\/hub" cannot be used \(credential_rejected: /)
  expect(warnings[0]?.message).not.toContain('wrong-key')
})

test('not where the audit is heard', async () => {
  const { ask, own } = await start(true)
  expect((await ask()).status).toBe(502)
  expect(await own()).toEqual([])
})
