import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import type { AuditEvent } from '../../src/gateway/audit-event.ts'
import { ndjsonAudit } from '../../src/gateway/ndjson-audit.ts'
import { createTestClock } from '../support/keys.ts'
import { temporaryFolder } from '../support/temp-server.ts'

function event(server = 'dev/github', detail: string | null = null): AuditEvent {
  return { type: 'connection', at: 1, kind: 'connected', server, owner: 'an-id', reason: null, detail }
}
function folder(): string {
  const made = temporaryFolder('audit')
  onTestFinished(made.remove)
  return made.path
}
/** The lines of a text that ends with one. */
function linesOf(text: string): unknown[] {
  expect(text === '' || text.endsWith('\n')).toBe(true)
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))
}
const dropped = (count: number, at = expect.any(Number)) => ({ type: 'dropped', at, count })

/** A stream whose writes end when they are told to. */
function slowStream() {
  const written: string[] = []
  const waiting: ((error?: Error) => void)[] = []
  const stream = new Writable({
    decodeStrings: false,
    autoDestroy: false,
    write(chunk, _, done) {
      written.push(chunk)
      waiting.push(done)
    },
  })
  /** Ends the write that is under way, once there is one. */
  async function finish(error?: Error): Promise<void> {
    await expect.poll(() => waiting.length).toBeGreaterThan(0)
    waiting.shift()?.(error)
  }
  return { stream, written, finish, begun: () => written.length }
}

/** Warnings of this process from now on. */
function warnings(): string[] {
  const found: string[] = []
  const emit = vi.spyOn(process, 'emitWarning').mockImplementation((warning, options) => {
    found.push(`${(options as unknown as { code: string }).code}: ${warning}`)
  })
  onTestFinished(() => emit.mockRestore())
  return found
}

describe('G17 the audit in a file', () => {
  it('is one line for each event, in their order, which only its owner can read', async () => {
    const path = join(folder(), 'audit.ndjson')
    const audit = ndjsonAudit(path)
    const events = Array.from({ length: 1_000 }, (_, index) => event(`dev/${index}`))
    for (const each of events) audit(each)
    await audit.close()
    expect(linesOf(readFileSync(path, 'utf8'))).toEqual(events)
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  it('goes on where it ended, by several writers', async () => {
    const path = join(folder(), 'audit.ndjson')
    const one = ndjsonAudit(path)
    one(event('a/1'))
    await one.close()
    const [two, three] = [ndjsonAudit(path), ndjsonAudit(path)]
    for (let index = 0; index < 100; index++) {
      two(event('a/2', 'x'.repeat(index)))
      three(event('a/3', 'y'.repeat(index)))
    }
    await Promise.all([two.close(), three.close()])
    const lines = linesOf(readFileSync(path, 'utf8')) as { server: string }[]
    expect(lines[0]).toEqual(event('a/1'))
    const count = (server: string) => lines.filter((line) => line.server === server).length
    expect([count('a/1'), count('a/2'), count('a/3')]).toEqual([1, 100, 100])
  })

  it('begins a line of its own after one that somebody did not finish', async () => {
    const path = join(folder(), 'audit.ndjson')
    writeFileSync(path, '{"type":"connec')
    const audit = ndjsonAudit(path)
    audit(event())
    await audit.close()
    const [broken, whole, rest] = readFileSync(path, 'utf8').split('\n')
    expect([broken, JSON.parse(whole ?? ''), rest]).toEqual(['{"type":"connec', event(), ''])
  })

  it('makes nothing where nothing happens', async () => {
    const path = join(folder(), 'audit.ndjson')
    await ndjsonAudit(path).close()
    expect(() => statSync(path)).toThrow(/ENOENT/)
  })

  it('that cannot be written goes on when it can, and says how many events are missing', async () => {
    const told = warnings()
    const path = join(folder(), 'audit.ndjson')
    mkdirSync(path)
    const audit = ndjsonAudit(path)
    audit(event('a/1'))
    audit(event('a/2'))
    await expect.poll(() => told.length).toBeGreaterThan(0)
    rmdirSync(path)
    audit(event('a/3'))
    await audit.close()
    expect(linesOf(readFileSync(path, 'utf8'))).toEqual([dropped(2), event('a/3')])
    expect(told).toEqual([expect.stringMatching(/^SALLYPORT_AUDIT: the audit cannot be written: EISDIR/)])
  })

  it('is tried again by itself after a while', async () => {
    const told = warnings()
    const path = join(folder(), 'audit.ndjson')
    mkdirSync(path)
    const audit = ndjsonAudit(path)
    audit(event())
    await expect.poll(() => told.length).toBeGreaterThan(0)
    rmdirSync(path)
    await expect.poll(() => existsSync(path) && statSync(path).size > 0).toBe(true)
    await audit.close()
    expect(linesOf(readFileSync(path, 'utf8'))).toEqual([dropped(1)])
  })

  it('that cannot be written at all is given up on close, with one word for each failure’s beginning', async () => {
    const told = warnings()
    const audit = ndjsonAudit(join(folder(), 'missing', 'audit.ndjson'))
    for (let index = 0; index < 5; index++) audit(event())
    await audit.close()
    expect(told).toEqual([expect.stringContaining('ENOENT'), expect.stringContaining('5 events are lost')])
  })

  it('holds one line for an event, whatever texts are in it', async () => {
    const path = join(folder(), 'audit.ndjson')
    const texts = fc.sample(fc.string({ unit: 'binary', maxLength: 50 }), 500)
    const audit = ndjsonAudit(path)
    for (const text of [...texts, '\n{"type":"forged"}\n', '\u2028', '\ud800']) audit(event('a/b', text))
    await audit.close()
    const lines = linesOf(readFileSync(path, 'utf8'))
    expect(lines).toEqual([...texts, '\n{"type":"forged"}\n', '\u2028', '\ud800'].map((text) => event('a/b', text)))
  })
})

describe('G17 the audit in a stream', () => {
  it('is written in pieces that a file takes at once, whatever the letters are', async () => {
    const sizes: number[] = []
    const stream = new Writable({
      decodeStrings: false,
      write(chunk: string, _, done) {
        expect(chunk.endsWith('\n')).toBe(true)
        sizes.push(Buffer.byteLength(chunk))
        done()
      },
    })
    const audit = ndjsonAudit(stream)
    for (let index = 0; index < 2_000; index++) audit(event('a/1', '\u6f22'.repeat(256)))
    await audit.close()
    expect(sizes.length).toBeGreaterThan(5)
    expect(Math.max(...sizes)).toBeLessThan(512 * 1024)
  })

  it('is written by itself whenever an event comes, also right after the last write has ended', async () => {
    for (let steps = 0; steps < 10; steps++) {
      const { stream, written, finish } = slowStream()
      const audit = ndjsonAudit(stream)
      audit(event('a/1'))
      await finish()
      for (let step = 0; step < steps; step++) await undefined
      audit(event('a/2'))
      await expect.poll(() => written.length).toBe(2)
      await finish()
      await audit.close()
      expect(linesOf(written.join(''))).toEqual([event('a/1'), event('a/2')])
    }
  })

  it('has one write under way, and what happens meanwhile goes out together', async () => {
    const { stream, written, finish } = slowStream()
    const audit = ndjsonAudit(stream)
    audit(event('a/1'))
    await expect.poll(() => written.length).toBe(1)
    audit(event('a/2'))
    audit(event('a/3'))
    expect(written).toHaveLength(1)
    await finish()
    await finish()
    await audit.close()
    expect(written.map(linesOf)).toEqual([[event('a/1')], [event('a/2'), event('a/3')]])
    expect(stream.writableEnded).toBe(false)
  })

  it('keeps no more than it may while a reader is slow, and says where how many are missing', async () => {
    const clock = createTestClock()
    const { stream, written, finish } = slowStream()
    const size = JSON.stringify(event('a/1')).length + 1
    const audit = ndjsonAudit(stream, { maxQueuedCharacters: 3 * size, clock })
    audit(event('a/0'))
    await expect.poll(() => written.length).toBe(1)
    for (let index = 1; index <= 8; index++) audit(event(`a/${index}`))
    await finish()
    await expect.poll(() => written.length).toBe(2)
    audit(event('a/9'))
    await finish()
    await finish()
    await audit.close()
    expect(written.flatMap(linesOf)).toEqual([
      ...['a/0', 'a/1', 'a/2', 'a/3'].map((server) => event(server)),
      dropped(5, clock.now()),
      event('a/9'),
    ])
  })

  it('says what is missing although nothing happens any more', async () => {
    const { stream, written, finish } = slowStream()
    const audit = ndjsonAudit(stream, { maxQueuedCharacters: 0 })
    audit(event())
    await finish()
    await audit.close()
    expect(written.flatMap(linesOf)).toEqual([dropped(1)])
  })

  it('writes a flood in pieces', async () => {
    const written: string[] = []
    const stream = new Writable({
      decodeStrings: false,
      write(chunk, _, done) {
        written.push(chunk)
        setImmediate(done)
      },
    })
    const audit = ndjsonAudit(stream)
    for (let index = 0; index < 20; index++) audit(event(`a/${index}`, 'x'.repeat(50_000)))
    audit(event('a/long', 'x'.repeat(600_000)))
    await audit.close()
    expect(written.flatMap(linesOf)).toHaveLength(21)
    expect(written.length).toBeGreaterThan(4)
    for (const chunk of written.slice(0, -1)) expect(chunk.length).toBeLessThanOrEqual(256 * 1024)
  })

  it('that fails throws into no request and ends no process; what is lost is counted', async () => {
    const told = warnings()
    const { stream, written, finish } = slowStream()
    const audit = ndjsonAudit(stream)
    audit(event('a/1'))
    await finish(new Error('the pipe is broken'))
    await expect.poll(() => told.length).toBeGreaterThan(0)
    audit(event('a/2'))
    await audit.close()
    expect(written.flatMap(linesOf)).toEqual([event('a/1')])
    expect(told).toEqual([
      'SALLYPORT_AUDIT: the audit cannot be written: the pipe is broken',
      'SALLYPORT_AUDIT: the audit cannot be written: 2 events are lost',
    ])
  })

  it.each<[string, (stream: Writable) => void]>([
    ['has ended', (stream) => stream.end()],
    ['is destroyed', (stream) => stream.destroy()],
    ['is destroyed by an error', (stream) => stream.destroy(new Error('gone'))],
  ])('that %s harms nobody', async (_, harm) => {
    const told = warnings()
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() })
    const audit = ndjsonAudit(stream)
    harm(stream)
    expect(audit(event())).toBeUndefined()
    await audit.close()
    expect(told.at(-1)).toContain('1 events are lost')
  })

  it('that never takes anything holds nobody up for ever', async () => {
    const told = warnings()
    const stream = new Writable({ write() {} })
    const audit = ndjsonAudit(stream)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    audit(event())
    audit(event())
    let done = false
    const closed = audit.close().then(() => {
      done = true
    })
    await new Promise(setImmediate)
    expect(done).toBe(false)
    await vi.advanceTimersByTimeAsync(5_000)
    await closed
    expect(told).toEqual(['SALLYPORT_AUDIT: the audit cannot be written: 2 events are lost'])
  })

  it('hears nothing after it is closed, and may be closed twice', async () => {
    const { stream, written, finish } = slowStream()
    const audit = ndjsonAudit(stream)
    audit(event('a/1'))
    const closing = audit.close()
    audit(event('a/2'))
    await finish()
    await closing
    await audit.close()
    expect(written.flatMap(linesOf)).toEqual([event('a/1')])
    expect(stream.listenerCount('error')).toBe(0)
  })

  it('counts what is no JSON as missing', async () => {
    const { stream, written, finish } = slowStream()
    const audit = ndjsonAudit(stream)
    audit({ ...event(), at: 1n } as unknown as AuditEvent)
    await finish()
    await audit.close()
    expect(written.flatMap(linesOf)).toEqual([dropped(1)])
  })
})
