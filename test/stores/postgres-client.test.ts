/** Connections of a pool of `pg`, at moments that a server does not produce at will. */
import { EventEmitter } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openPool, type PostgresPool, runStatement } from '../../src/stores/postgres-client.ts'

class FakeClient extends EventEmitter {
  released: boolean | undefined
  readonly answer: () => Promise<{ rows: [] }>
  constructor(answer: () => Promise<{ rows: [] }>) {
    super()
    this.answer = answer
  }
  query() {
    return this.answer()
  }
  release(destroy = false) {
    this.released = destroy
  }
}

function poolOf(client: FakeClient, between = () => {}) {
  const connect: PostgresPool['connect'] = (callback) => {
    callback(undefined, client)
    between()
  }
  return Object.assign(new EventEmitter(), { connect })
}

const statement = { text: 'select 1', values: [] }
const { signal } = new AbortController()

describe('D4 connections of the PostgreSQL store', () => {
  test('a farewell of the server in the packet that makes a connection ready is no uncaught exception', async () => {
    const client = new FakeClient(() => Promise.reject(new Error('not queryable')))
    const pool = poolOf(client, () => client.emit('error', new Error('terminating connection')))
    await expect(runStatement(pool, statement, signal)).rejects.toThrow('not queryable')
    expect(client.released).toBe(true)
    expect(client.listenerCount('error')).toBe(0)
  })

  test('a connection goes back when the server has merely refused, and is closed when it is lost or of no use', async () => {
    for (const [code, closed] of [
      ['42501', false],
      ['57P01', true],
      ['08006', true],
      ['25006', true],
      ['25P02', true],
      ['EPIPE', true],
    ] as const) {
      const severity = code === 'EPIPE' ? {} : { severity: 'ERROR' }
      const client = new FakeClient(() => Promise.reject(Object.assign(new Error(code), { code }, severity)))
      await expect(runStatement(poolOf(client), statement, signal)).rejects.toThrow(code)
      expect(client.released).toBe(closed)
    }
  })

  test('one that comes when nobody waits any more goes back, and one that does not answer is closed', async () => {
    const over = new AbortController()
    const late = new FakeClient(async () => ({ rows: [] }))
    let come = () => {}
    const pool = Object.assign(new EventEmitter(), {
      connect: ((callback) => {
        come = () => callback(undefined, late)
      }) as PostgresPool['connect'],
    })
    const running = runStatement(pool, statement, over.signal)
    over.abort(new Error('too late'))
    await expect(running).rejects.toThrow('too late')
    come()
    // Not from within the pool's callback, and with a listener until then.
    expect(late.released).toBeUndefined()
    late.emit('error', new Error('terminating connection'))
    await expect.poll(() => late.released).toBe(false)
    expect(late.listenerCount('error')).toBe(0)

    const hanging = new AbortController()
    const mute = new FakeClient(() => new Promise(() => {}))
    const asking = runStatement(poolOf(mute), statement, hanging.signal)
    await Promise.resolve()
    hanging.abort(new Error('too late'))
    await expect(asking).rejects.toThrow('too late')
    expect(mute.released).toBe(true)
  })

  test('a server that has no connection just now is asked again, and one that refuses is not', async () => {
    for (const [code, asked] of [
      ['53300', 3],
      ['57P03', 3],
      ['28P01', 1],
      ['08006', 1],
    ] as const) {
      let tries = 0
      const client = new FakeClient(async () => ({ rows: [] }))
      const connect: PostgresPool['connect'] = (callback) => {
        if (++tries < 3) callback(Object.assign(new Error(code), { code, severity: 'FATAL' }), undefined)
        else callback(undefined, client)
      }
      const answer = runStatement(Object.assign(new EventEmitter(), { connect }), statement, signal)
      if (asked === 1) await expect(answer).rejects.toThrow(code)
      else expect(await answer).toEqual([])
      expect(tries).toBe(asked)
    }
  })

  test('one that has none for long is what fails', async () => {
    const now = vi.spyOn(performance, 'now')
    onTestFinished(() => now.mockRestore())
    let tries = 0
    const connect: PostgresPool['connect'] = (callback) => {
      if (++tries === 2) now.mockReturnValue(Number.MAX_SAFE_INTEGER)
      callback(Object.assign(new Error('too many clients'), { code: '53300', severity: 'FATAL' }), undefined)
    }
    const answer = runStatement(Object.assign(new EventEmitter(), { connect }), statement, signal)
    await expect(answer).rejects.toThrow('too many clients')
    expect(tries).toBe(2)
  })

  test('names the package that a URL needs', async () => {
    const missing = Object.assign(new Error('not found'), { code: 'ERR_MODULE_NOT_FOUND' })
    await expect(openPool('postgres://127.0.0.1:1/x', 5_000, () => Promise.reject(missing))).rejects.toThrow(
      'npm install pg',
    )
  })
})
