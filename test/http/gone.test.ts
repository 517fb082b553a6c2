/** Whether a client has gone, for code that needs no `AbortSignal`. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { headOf, NodeRequest } from '../../src/http/node-request.ts'

async function ask(): Promise<{ client: Socket; request: NodeRequest; response: ServerResponse }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  // The server may reset it.
  client.on('error', () => {})
  onTestFinished(() => {
    client.destroy()
    server.close()
  })
  client.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
  const [message, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
  return { client, request: new NodeRequest(message, response, headOf(message), undefined), response }
}

describe('a client that goes away', () => {
  it('is told of once to whoever listens then, and the signal says the same', async () => {
    const { client, request, response } = await ask()
    const { gone, signal } = request
    const told: string[] = []
    const taken = () => told.push('taken off')
    const first = () => {
      told.push('first')
      gone.removeEventListener('abort', first)
    }
    gone.addEventListener('abort', taken)
    gone.addEventListener('abort', first)
    gone.addEventListener('abort', () => told.push('second'))
    gone.removeEventListener('abort', taken)
    expect([gone.aborted, signal.aborted]).toEqual([false, false])
    const closed = once(response, 'close')
    client.destroy()
    await closed
    expect(told).toEqual(['first', 'second'])
    expect([gone.aborted, signal.aborted]).toEqual([true, true])
  })

  it('is seen by whoever asks later, without having listened', async () => {
    const { client, request, response } = await ask()
    const closed = once(response, 'close')
    client.destroy()
    await closed
    expect(request.gone.aborted).toBe(true)
    expect(request.signal.aborted).toBe(true)
  })

  it('has not gone away when it has its answer, whatever it does then', async () => {
    const { client, request, response } = await ask()
    let told = 0
    request.gone.addEventListener('abort', () => told++)
    const closed = once(response, 'close')
    client.resume()
    response.end('all of it')
    await closed
    const end = new Promise((resolve) => {
      response.req.socket.on('error', () => {}).once('close', resolve)
    })
    client.destroy()
    await end
    expect(told).toBe(0)
    expect(request.gone.aborted).toBe(false)
    expect(request.signal.aborted).toBe(false)
  })
})
