/** Answers that are streams: those of the application behind the gates, and those that a gate makes itself. */
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { createGuard, type Reply } from 'sallyport'
import { afterEach, describe, expect, test } from 'vitest'
import { askRaw, ConnectionEnded, connectRaw, type RawConnection } from '../support/raw-client.ts'
import { type AppOptions, type RunningApp, SERVERS } from '../support/servers.ts'
import { closeOf, expectReached, gateOf, passing } from './helpers.ts'

const EVENTS = { 'content-type': 'text/event-stream' }
const MIB = 1024 * 1024

describe.each(SERVERS)('$name', ({ start }) => {
  let app: RunningApp
  const connections: RawConnection[] = []
  async function connect(): Promise<RawConnection> {
    const connection = await connectRaw(app.port)
    connections.push(connection)
    return connection
  }
  const startApp = async (options: AppOptions) => {
    app = await start(options)
  }
  /** An application behind a gate that answers everything but `whoami` with `reply`. */
  const startReplying = (reply: () => Reply | Promise<Reply>) =>
    startApp({
      gates: [
        gateOf((request) => {
          if (request.target.endsWith('whoami')) return passing.handle(request)
          const made = reply()
          return made instanceof Promise
            ? made.then((later) => ({ kind: 'reply', reply: later }))
            : { kind: 'reply', reply: made }
        }),
      ],
    })

  afterEach(async () => {
    for (const connection of connections.splice(0)) await connection.close()
    await app.close()
  })

  describe('an event stream of the application', () => {
    test.each([
      ['at once', passing],
      ['later', gateOf(async (request) => passing.handle(request))],
      [
        'at once, with a cookie',
        gateOf(() => ({ kind: 'pass', auth: { type: 'none', route: '' }, headers: { 'set-cookie': 'a=b' } })),
      ],
    ])('that stays silent has sent its headers, behind a gate that decides %s', async (_when, gate) => {
      await startApp({ gates: [gate] })
      const connection = await connect()
      connection.send({ target: '/events' })
      const head = await connection.head()
      expect([head.status, head.headers['content-type']]).toEqual([200, expect.stringMatching(/^text\/event-stream/)])
      // Only now does the application say something for the first time.
      app.feed.emit('message', 'hello')
      expect(String(await connection.chunk())).toBe('data: hello\n\n')
      app.feed.emit('message', 'again')
      expect(String(await connection.chunk())).toBe('data: again\n\n')
      app.feed.emit('end')
      expect(await connection.chunk()).toBeUndefined()
      expectReached(await connection.ask({ target: '/whoami' }))
    })

    test('ends when the client goes away', async () => {
      await startApp({ gates: [createGuard({ routes: [{ auth: { type: 'none' } }] })] })
      const connection = await connect()
      connection.send({ target: '/events' })
      await connection.head()
      const gone = once(app.feed, 'gone')
      await connection.close()
      await gone
    })
  })

  describe('a whole reply', () => {
    test.each([
      ['a text', 'one two'],
      ['bytes', Buffer.from('one two')],
      ['nothing', undefined],
    ])('of %s with a transfer-encoding of its own has a length and nothing else', async (_what, body) => {
      for (const name of ['transfer-encoding', 'Transfer-Encoding']) {
        await startReplying(() => ({ status: 200, headers: { [name]: 'chunked' }, ...(body && { body }) }))
        const connection = await connect()
        for (let round = 0; round < 2; round++) {
          const answer = await connection.ask({ target: '/' })
          expect(answer.headers['transfer-encoding']).toBeUndefined()
          expect([answer.headers['content-length'], answer.text()]).toEqual(body ? ['7', 'one two'] : ['0', ''])
        }
        expectReached(await connection.ask({ target: '/whoami' }))
        await connection.close()
        await app.close()
      }
      await startReplying(() => ({ status: 204 }))
    })
  })

  describe('a reply that is a stream', () => {
    test.each([
      ['at once', (reply: Reply) => reply],
      ['later', async (reply: Reply) => reply],
    ])('and stays silent has sent its headers, where the gate decides %s', async (_when, given) => {
      const source = new PassThrough()
      await startReplying(() => given({ status: 200, headers: EVENTS, body: source }))
      const connection = await connect()
      connection.send({ target: '/' })
      const head = await connection.head()
      expect(head.status).toBe(200)
      expect(head.headers).toMatchObject({
        ...EVENTS,
        'transfer-encoding': 'chunked',
        'x-accel-buffering': 'no',
        'cache-control': 'no-cache, no-transform',
      })
      source.write('data: 1\n\n')
      expect(String(await connection.chunk())).toBe('data: 1\n\n')
      source.end('data: 2\n\n')
      expect(String(await connection.chunk())).toBe('data: 2\n\n')
      expect(await connection.chunk()).toBeUndefined()
      expectReached(await connection.ask({ target: '/whoami' }))
    })

    test('keeps a cache-control that says what it should', async () => {
      const headers = { ...EVENTS, 'cache-control': 'no-store, no-transform' }
      await startReplying(() => ({ status: 200, headers, body: Readable.from(['data: 1\n\n']) }))
      const answer = await askRaw(app.port, { target: '/' })
      expect(answer.headers['cache-control']).toBe('no-store, no-transform')
    })

    test('leaves the connection usable, and ends where it ends', async () => {
      await startReplying(() => ({ status: 200, body: Readable.from(['one ', 'two ', 'three']) }))
      const connection = await connect()
      for (let round = 0; round < 3; round++)
        expect((await connection.ask({ target: '/' })).text()).toBe('one two three')
      expectReached(await connection.ask({ target: '/whoami' }))
    })

    test('of known length is sent with that length', async () => {
      const headers = { 'content-length': '7' }
      await startReplying(() => ({ status: 200, headers, body: Readable.from(['one', ' two']) }))
      const connection = await connect()
      const answer = await connection.ask({ target: '/' })
      expect([answer.text(), answer.headers['transfer-encoding']]).toEqual(['one two', undefined])
      expectReached(await connection.ask({ target: '/whoami' }))
    })

    test.each(['transfer-encoding', 'Transfer-Encoding'])(
      'with a %s of its own is sent in chunks, and breaks off visibly',
      async (name) => {
        const source = new PassThrough()
        await startReplying(() => ({ status: 200, headers: { [name]: 'gzip, chunked' }, body: source }))
        const connection = await connect()
        connection.send({ target: '/' })
        const head = await connection.head()
        expect([head.headers['transfer-encoding'], head.headers['content-length']]).toEqual(['chunked', undefined])
        source.write('one')
        expect(String(await connection.chunk())).toBe('one')
        source.destroy(new Error('the upstream broke'))
        await expect(connection.chunk()).rejects.toThrow(ConnectionEnded)
      },
    )

    test('is read no faster than the client reads', async () => {
      const total = 32 * MIB
      let produced = 0
      const source = new Readable({
        read() {
          produced += MIB / 4
          this.push(produced > total ? null : Buffer.alloc(MIB / 4))
        },
      })
      await startReplying(() => ({ status: 200, body: source }))
      const connection = await connect()
      connection.send({ target: '/' })
      await connection.head()
      connection.socket.pause()
      // Whatever the source could do without the client, it can do while others are served.
      for (let round = 0; round < 30; round++) await askRaw(app.port, { target: '/whoami' })
      expect(produced).toBeLessThan(total / 2)
      connection.socket.resume()
      let received = 0
      for (let chunk = await connection.chunk(); chunk !== undefined; chunk = await connection.chunk()) {
        received += chunk.length
      }
      expect(received).toBe(total)
    })

    test.each([
      ['before its first byte', ''],
      ['in the middle', 'data: 1\n\n'],
    ])('and fails %s breaks the connection, so that nobody takes it for complete', async (_when, sent) => {
      const source = new PassThrough()
      await startReplying(() => ({ status: 200, body: source }))
      const connection = await connect()
      connection.send({ target: '/' })
      const head = await connection.head()
      expect(head.headers['transfer-encoding']).toBe('chunked')
      if (sent !== '') {
        source.write(sent)
        expect(String(await connection.chunk())).toBe(sent)
      }
      source.destroy(new Error('the upstream broke'))
      await expect(connection.chunk()).rejects.toThrow(ConnectionEnded)
      expectReached(await askRaw(app.port, { target: '/whoami' }))
    })

    test('and has failed already breaks the connection', async () => {
      const source = new PassThrough()
      source.on('error', () => {}).destroy(new Error('the upstream broke'))
      await closeOf(source)
      await startReplying(() => ({ status: 200, body: source }))
      const connection = await connect()
      await expect(connection.ask({ target: '/' })).rejects.toThrow(ConnectionEnded)
      expectReached(await askRaw(app.port, { target: '/whoami' }))
    })

    test('is destroyed when the client goes away', async () => {
      const source = new PassThrough()
      await startReplying(() => ({ status: 200, headers: EVENTS, body: source }))
      const connection = await connect()
      connection.send({ target: '/' })
      await connection.head()
      const closed = closeOf(source)
      await connection.close()
      await closed
      expect(source.destroyed).toBe(true)
      expectReached(await askRaw(app.port, { target: '/whoami' }))
    })

    test('is not sent for HEAD, and destroyed', async () => {
      const source = new PassThrough()
      await startReplying(() => ({ status: 200, headers: EVENTS, body: source }))
      const connection = await connect()
      const answer = await connection.ask({ method: 'HEAD', target: '/' })
      expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/event-stream'])
      expect(source.destroyed).toBe(true)
      expectReached(await connection.ask({ target: '/whoami' }))
    })

    test.each([204, 304])('is not sent with %i, and destroyed', async (status) => {
      const source = new PassThrough()
      await startReplying(() => ({ status, body: source }))
      const connection = await connect()
      expect((await connection.ask({ target: '/' })).status).toBe(status)
      expect(source.destroyed).toBe(true)
      expectReached(await connection.ask({ target: '/whoami' }))
    })
  })
})
