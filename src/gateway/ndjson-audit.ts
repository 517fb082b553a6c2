/**
 * The audit as lines of JSON (NDJSON), in a file or a stream. No request waits for it or fails because of it: what a full
 * disk or a slow pipe cannot take is counted, and a line says how many are missing.
 */
import { type FileHandle, open } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { type Clock, systemClock } from '../core/clock.ts'
import { messageOf } from '../core/errors.ts'
import { warn } from '../core/warnings.ts'
import type { AuditEvent } from './audit-event.ts'

/** Takes events, as `audit` of the gateway's configuration. */
export interface NdjsonAudit {
  (event: AuditEvent): void
  /**
   * Writes what is waiting, for 5 seconds at most, and lets go of the file; a stream stays open. Later events are not
   * written. Close the gateway first. Does not reject.
   */
  close(): Promise<void>
}

/** Bounds of {@link ndjsonAudit}. */
export interface NdjsonAuditOptions {
  /** Characters that may wait to be written; 8 Mi by default. What comes on top of that is dropped. */
  readonly maxQueuedCharacters?: number
  /** Tells the time of lines about dropped events. */
  readonly clock?: Clock
}

/** Where lines go. */
interface Sink {
  /** Resolves when `text` is out of our hands. */
  write(text: string): Promise<void>
  close(): Promise<void>
}

interface Line {
  readonly text: string
  /** In UTF-8. */
  readonly bytes: number
  /** Events that are lost with it. */
  readonly events: number
}

const MAX_QUEUED = 8 * 1024 * 1024
/** Bytes written at once: as much as is lost when that fails. Node cuts what has more than 512 KiB, and others write in between. */
const MAX_BATCH = 256 * 1024
const RETRY_MS = 1_000
const CLOSE_MS = 5_000

/**
 * Writes events as NDJSON: one line each, in their order. In place of those that could not be written there is a line
 * `{"type":"dropped","at":1767225600000,"count":3}`.
 *
 * ```ts
 * const audit = ndjsonAudit('/var/log/gateway-audit.ndjson')
 * const gateway = createGateway({ audit, … })
 * ```
 *
 * @param target - a stream, or the path of a file to append to, made with mode 0600; standard output by default. Several processes
 *   can append to one file. To rotate it, copy and truncate it: it is kept open.
 */
export function ndjsonAudit(target: Writable | string = process.stdout, options: NdjsonAuditOptions = {}): NdjsonAudit {
  const { maxQueuedCharacters = MAX_QUEUED, clock = systemClock } = options
  const sink = typeof target === 'string' ? fileSink(target) : streamSink(target)
  let queue: Line[] = []
  let queued = 0
  let dropped = 0
  let underWay = 0
  let writing: Promise<void> | undefined
  let failing = false
  const closing = new AbortController()

  function audit(event: AuditEvent): void {
    if (closing.signal.aborted) return
    const text = lineOf(event)
    if (text === undefined || queued + text.length > maxQueuedCharacters) dropped++
    else {
      if (dropped > 0) tellDropped()
      push(text, 1)
    }
    writing ??= writeAll()
  }

  function push(text: string, events: number): void {
    queue.push({ text, bytes: Buffer.byteLength(text), events })
    queued += text.length
  }

  function tellDropped(): void {
    const text = `${JSON.stringify({ type: 'dropped', at: clock.now(), count: dropped })}\n`
    push(text, dropped)
    dropped = 0
  }

  async function writeAll(): Promise<void> {
    // What happens in one turn goes out together.
    await undefined
    while (queue.length > 0 || dropped > 0) {
      if (queue.length === 0) tellDropped()
      const batch = takeBatch()
      underWay = eventsIn(batch)
      try {
        await sink.write(batch.map(({ text }) => text).join(''))
        underWay = 0
        failing = false
      } catch (error) {
        // Not again: a part of it may have been written.
        dropped += underWay
        underWay = 0
        if (!failing) warnOfLoss(messageOf(error))
        failing = true
        if (closing.signal.aborted) return
        // Nobody has to stay alive for that.
        await pause(RETRY_MS, undefined, { ref: false, signal: closing.signal }).catch(() => {})
      }
    }
    // In the same step that has found nothing more: for an event that comes between the two nobody would write.
    writing = undefined
  }

  function takeBatch(): Line[] {
    let [length, size, characters] = [0, 0, 0]
    for (const { text, bytes } of queue) {
      if (length > 0 && size + bytes > MAX_BATCH) break
      size += bytes
      characters += text.length
      length++
    }
    const batch = queue.slice(0, length)
    queue = queue.slice(length)
    queued -= characters
    return batch
  }

  async function finish(): Promise<void> {
    await writing
    await sink.close()
  }

  return Object.assign(audit, {
    async close() {
      closing.abort()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_MS)
      })
      await Promise.race([finish().catch((error) => warnOfLoss(messageOf(error))), late])
      clearTimeout(timer)
      const lost = dropped + underWay + eventsIn(queue)
      if (lost > 0) warnOfLoss(`${lost} events are lost`)
      dropped = 0
      queue = []
    },
  })
}

function lineOf(event: AuditEvent): string | undefined {
  try {
    return `${JSON.stringify(event)}\n`
  } catch {
    return undefined // a cycle, or a BigInt; none of our own events
  }
}

function eventsIn(lines: readonly Line[]): number {
  return lines.reduce((sum, { events }) => sum + events, 0)
}

function warnOfLoss(what: string): void {
  warn('SALLYPORT_AUDIT', `the audit cannot be written: ${what}`)
}

/** A file that is opened when there is something to write, and again after a failure. */
function fileSink(path: string): Sink {
  let file: FileHandle | undefined
  return {
    async write(text) {
      try {
        file ??= await openAtLine(path)
        await file.appendFile(text)
      } catch (error) {
        const broken = file
        file = undefined
        await broken?.close().catch(() => {})
        throw error
      }
    },
    async close() {
      await file?.close()
    },
  }
}

/** Somebody who died in the middle of a line, or a full disk, must not spoil the next one as well. */
async function openAtLine(path: string): Promise<FileHandle> {
  const file = await open(path, 'a+', 0o600)
  try {
    const { size } = await file.stat()
    const last = Buffer.alloc(1)
    if (size > 0) await file.read(last, 0, 1, size - 1)
    if (size > 0 && last.toString() !== '\n') await file.appendFile('\n')
    return file
  } catch (error) {
    await file.close().catch(() => {})
    throw error
  }
}

function streamSink(stream: Writable): Sink {
  // An error that nobody listens to would end the process. It comes back from `write` as well.
  const ignore = () => {}
  stream.on('error', ignore)
  return {
    write: (text) =>
      new Promise((resolve, reject) => {
        // Node would keep it for a stream that has failed and is not destroyed, and never say so.
        if (stream.errored) return reject(stream.errored)
        stream.write(text, (error) => (error ? reject(error) : resolve()))
      }),
    async close() {
      // The error of a stream that has failed may still be on its way.
      if (stream.errored === null) stream.off('error', ignore)
    },
  }
}
