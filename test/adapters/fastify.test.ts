/** What is Fastify's own: encapsulation, the order of registration, 404 handlers, `inject`, hooks. */
import dns from 'node:dns'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import type { FastifyInstance, FastifyPluginAsync, FastifyPluginCallback } from 'fastify'
import { createGuard, type Gate } from 'sallyport'
import { authOf, guardUpgrade, sallyport } from 'sallyport/fastify'
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { askRaw, connectRaw } from '../support/raw-client.ts'
import { frameworks } from '../support/servers.ts'
import { gateOf, passing, refusing } from './helpers.ts'

const versions = frameworks.fastify.map((fastify, index) => ({ name: `Fastify ${5 - index}`, fastify }))
const credentials = { authorization: `Basic ${Buffer.from('hello:world').toString('base64')}` }
const guard = createGuard({
  routes: [
    { path: '/basic', auth: { type: 'basic', username: 'hello', password: 'world', realm: 'orders' } },
    { path: '/open', auth: { type: 'none' } },
  ],
})

describe.each(versions)('$name', ({ fastify }) => {
  let app: FastifyInstance
  const answering = async () => 'reached'

  afterEach(() => app.close())

  test.each([
    ['before', true],
    ['after', false],
  ])(
    'B12 a refused upgrade reaches no listener on any address of localhost, one put on %s the guarded',
    async (_when, before) => {
      // Two IPv4 addresses, since not every machine has `::1`.
      const addresses = [1, 2].map((last) => ({ address: `127.0.0.${last}`, family: 4 }))
      const ask = dns.lookup as unknown as (...args: unknown[]) => void
      const lookup = vi.spyOn(dns, 'lookup').mockImplementation(((...args: unknown[]) => {
        const [host, options, answer] = args as [string, { all?: boolean }, (error: null, found: unknown) => void]
        if (host === 'localhost' && options.all) process.nextTick(answer, null, addresses)
        else ask(...args)
      }) as never)
      onTestFinished(() => lookup.mockRestore())
      const heard: unknown[] = []
      const other = () => heard.push('other')
      app = fastify()
      await app.register(sallyport(passing))
      if (before) app.server.on('upgrade', other)
      app.server.on(
        'upgrade',
        guardUpgrade(refusing(403), () => heard.push('handler')),
      )
      if (!before) app.server.on('upgrade', other)
      await app.listen({ port: 0 })
      const { port } = app.server.address() as AddressInfo
      for (const { address } of addresses) {
        const [, answer] = await once(new WebSocket(`ws://${address}:${port}/`), 'unexpected-response')
        answer.resume()
        expect(answer.statusCode).toBe(403)
      }
      expect(heard).toEqual([])
    },
  )

  describe('everything in the instance is guarded', () => {
    const targets = [
      '/early',
      '/child',
      '/child/grand/child',
      '/late',
      '/late-child',
      '/nowhere',
      '/child/nowhere',
      '/child/grand/nowhere',
    ]

    /** Routes, children and 404 handlers around the guard; `add` registers. */
    async function build(add: (plugin: FastifyPluginAsync | FastifyPluginCallback, prefix?: string) => unknown) {
      app.get('/early', answering)
      await add(async (child: FastifyInstance) => {
        child.get('/', answering)
        child.register(
          async (grandchild) => {
            grandchild.get('/child', answering)
            grandchild.setNotFoundHandler((_request, reply) => reply.send('reached'))
          },
          { prefix: '/grand' },
        )
        child.setNotFoundHandler((_request, reply) => reply.send('reached'))
      }, '/child')
      app.setNotFoundHandler((_request, reply) => reply.send('reached'))
      await add(sallyport(refusing(403)))
      app.get('/late', answering)
      await add(async (child: FastifyInstance) => {
        child.get('/late-child', answering)
      })
    }

    test.each([
      ['when all is loaded at the end', false],
      ['when each registration is awaited', true],
    ])('also what was registered before the guard, %s', async (_how, awaited) => {
      app = fastify()
      await build((plugin, prefix) => {
        const registered = app.register(plugin as FastifyPluginAsync, prefix === undefined ? {} : { prefix })
        return awaited ? registered : undefined
      })
      for (const url of targets) {
        for (const method of ['GET', 'HEAD', 'PROPFIND'] as const) {
          const { statusCode, body } = await app.inject({ method: method as 'GET', url })
          expect([method, url, statusCode, body]).toEqual([method, url, 403, method === 'HEAD' ? '' : 'refused'])
        }
      }
    })

    test('without the guard they are reached, so the test above can tell', async () => {
      app = fastify()
      app.get('/early', answering)
      expect((await app.inject('/early')).body).toBe('reached')
    })
  })

  test('in a child it guards that child and its children, and nobody else', async () => {
    app = fastify()
    app.get('/', answering)
    await app.register(async (sibling) => {
      sibling.get('/sibling', answering)
    })
    await app.register(
      async (child) => {
        await child.register(sallyport(refusing(403)))
        child.get('/', answering)
        child.setNotFoundHandler((_request, reply) => reply.send('reached'))
        child.register(async (grandchild) => {
          grandchild.get('/grandchild', answering)
        })
      },
      { prefix: '/child' },
    )
    const status = async (url: string) => (await app.inject(url)).statusCode
    expect(await Promise.all(['/', '/sibling'].map(status))).toEqual([200, 200])
    expect(await Promise.all(['/child', '/child/grandchild', '/child/nowhere'].map(status))).toEqual([403, 403, 403])
  })

  test("in a child without a 404 handler of its own, what matches no route there is the parent's 404", async () => {
    app = fastify()
    await app.register(
      async (child) => {
        await child.register(sallyport(refusing(403)))
        child.get('/', answering)
      },
      { prefix: '/child' },
    )
    expect((await app.inject('/child')).statusCode).toBe(403)
    const answer = await app.inject('/child/nowhere')
    expect([answer.statusCode, answer.json().message]).toEqual([404, 'Route GET:/child/nowhere not found'])
  })

  test("where nothing matches and no 404 handler is set, the guard's answer comes first", async () => {
    app = fastify()
    app.register(sallyport(guard))
    const answer = await app.inject('/nowhere')
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([404, 'application/problem+json'])
    const open = await app.inject('/open/nowhere')
    expect(open.json()).toMatchObject({ error: 'Not Found', message: 'Route GET:/open/nowhere not found' })
  })

  test.each([
    [
      'twice on one instance',
      async (first: Gate, second: Gate) => {
        await app.register(sallyport(first))
        await app.register(sallyport(second))
        app.get('/', async (request) => authOf(request)?.route)
      },
    ],
    [
      'on an instance and its child',
      async (first: Gate, second: Gate) => {
        await app.register(sallyport(first))
        await app.register(async (child) => {
          await child.register(sallyport(second))
          child.get('/', async (request) => authOf(request)?.route)
        })
      },
    ],
    [
      'on a child, then on the instance',
      async (first: Gate, second: Gate) => {
        await app.register(async (child) => {
          await child.register(sallyport(second))
          child.get('/', async (request) => authOf(request)?.route)
        })
        await app.register(sallyport(first))
      },
    ],
  ])('registered %s, every one must let the request pass', async (_how, register) => {
    for (const [first, second, expected] of [
      [passing, refusing(403), 403],
      [refusing(401), passing, 401],
      [passing, passing, 200],
    ] as const) {
      app = fastify()
      await register(first, second)
      expect((await app.inject('/')).statusCode).toBe(expected)
      await app.close()
    }
  })

  test('after the server listens, registering it is an error and not a guard that does nothing', async () => {
    app = fastify()
    app.get('/', answering)
    await app.listen({ port: 0, host: '127.0.0.1' })
    await expect((async () => app.register(sallyport(guard)))()).rejects.toThrow(/already/)
  })

  describe('inject', () => {
    const start = async () => {
      app = fastify()
      await app.register(sallyport(guard))
      app.all('/basic', async (request) => ({ subject: authOf(request)?.subject, body: request.body }))
    }

    test('refuses and lets pass as a socket does', async () => {
      await start()
      const refused = await app.inject('/basic')
      expect(refused.statusCode).toBe(401)
      expect(refused.headers).toMatchObject({
        'www-authenticate': 'Basic realm="orders", charset="UTF-8"',
        'content-type': 'application/problem+json',
        'cache-control': 'no-store',
      })
      expect(refused.json()).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401 })
      const passed = await app.inject({ url: '/basic', headers: credentials })
      expect([passed.statusCode, passed.json()]).toEqual([200, { subject: 'hello' }])
    })

    test('with a body', async () => {
      await start()
      const post = { method: 'POST', url: '/basic', payload: { a: 1 } } as const
      expect((await app.inject(post)).statusCode).toBe(401)
      expect((await app.inject({ ...post, headers: credentials })).json()).toEqual({ subject: 'hello', body: { a: 1 } })
    })

    test('with HEAD and OPTIONS', async () => {
      await start()
      const head = await app.inject({ method: 'HEAD', url: '/basic' })
      expect([head.statusCode, head.body]).toEqual([401, ''])
      expect((await app.inject({ method: 'OPTIONS', url: '/basic' })).statusCode).toBe(401)
    })

    test('with an ambiguous target', async () => {
      await start()
      expect((await app.inject('/open/..%2fbasic')).statusCode).toBe(400)
    })
  })

  test('hooks of the application run on a refusal: those before the guard, and onResponse', async () => {
    const ran: string[] = []
    app = fastify()
    app.addHook('onRequest', async (_request, reply) => {
      ran.push('before')
      reply.header('x-before', 'yes')
    })
    await app.register(sallyport(guard))
    app.addHook('onRequest', async () => void ran.push('after'))
    app.addHook('preHandler', async () => void ran.push('preHandler'))
    app.addHook('onSend', async () => void ran.push('onSend'))
    app.addHook('onError', async () => void ran.push('onError'))
    const responded = new Promise<number>((resolve) => {
      app.addHook('onResponse', async (_request, reply) => resolve(reply.raw.statusCode))
    })
    app.get('/basic', answering)
    const answer = await app.inject('/basic')
    expect([answer.statusCode, answer.headers['x-before']]).toEqual([401, 'yes'])
    expect(await responded).toBe(401)
    expect(ran).toEqual(['before'])
  })

  test('a stream that a gate is still sending counts as sent, so that nothing of Fastify touches it', async () => {
    const source = new PassThrough()
    let sent: (() => boolean) | undefined
    app = fastify()
    app.addHook('onRequest', async (_request, reply) => {
      sent = () => reply.sent
    })
    await app.register(sallyport(gateOf(() => ({ kind: 'reply', reply: { status: 200, body: source } }))))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const connection = await connectRaw((app.server.address() as AddressInfo).port)
    connection.send({ target: '/' })
    await connection.head()
    expect(sent?.()).toBe(true)
    source.end()
    expect(await connection.chunk()).toBeUndefined()
    await connection.close()
  })

  test('the log tells of a refusal as of any answer, and has no complaints', async () => {
    const lines: { level: number; msg: string; res?: { statusCode: number } }[] = []
    const stream = new Writable({
      write(chunk, _encoding, done) {
        for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line))
        done()
      },
    })
    app = fastify({ logger: { stream } })
    await app.register(sallyport(gateOf(async (request) => guard.handle(request))))
    app.get('/basic', answering)
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    expect((await askRaw(port, { target: '/basic' })).status).toBe(401)
    expect((await askRaw(port, { target: '/basic', headers: credentials })).status).toBe(200)
    await app.close()
    expect(lines.filter(({ level }) => level > 30)).toEqual([])
    const completed = lines.filter(({ msg }) => msg === 'request completed').map(({ res }) => res?.statusCode)
    expect(completed).toEqual([401, 200])
  })

  test('with rewriteUrl the guard sees the original URL', async () => {
    app = fastify({ rewriteUrl: (request) => request.url?.replace('/basic', '/open') ?? '' })
    await app.register(sallyport(guard))
    app.get('/open', answering)
    expect((await app.inject('/basic')).statusCode).toBe(401)
    expect((await app.inject({ url: '/basic', headers: credentials })).body).toBe('reached')
  })

  test('what Fastify turns away itself never reaches the application', async () => {
    app = fastify()
    await app.register(sallyport(passing))
    app.get('/:name', answering)
    expect((await app.inject('/%zz')).statusCode).toBe(400)
    // Longer than maxParamLength, which is 100.
    expect((await app.inject(`/${'a'.repeat(200)}`)).statusCode).toBeGreaterThanOrEqual(404)
  })

  test('a request that has been refused is done: closing does not wait for it', async () => {
    app = fastify()
    await app.register(sallyport(guard))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const connection = await connectRaw((app.server.address() as AddressInfo).port)
    expect((await connection.ask({ target: '/basic' })).status).toBe(401)
    const closed = once(app.server, 'close')
    await connection.close()
    await app.close()
    await closed
  })
})
