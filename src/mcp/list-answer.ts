/** The stream of an answer with its lists filtered on the way: event by event, with backpressure, and nothing held that is whole. */
import { Readable, Transform } from 'node:stream'
import type { JudgedLists } from './list-judge.ts'
import { createListStream, type ListStreamStep } from './list-stream.ts'

/**
 * A stream of the events of `body`. It breaks off where `body` does, and at what must not go on: an event that is too long
 * or cannot be read. When it is destroyed, so is `body`.
 *
 * @param onProblem - told why it had to break off; for the operator
 */
export function filteredEvents(
  body: Uint8Array | Readable,
  lists: JudgedLists,
  maxEventBytes: number,
  onProblem: (detail: string) => void = () => {},
): Readable {
  const source = body instanceof Uint8Array ? Readable.from([body]) : body
  const stream = createListStream(lists, maxEventBytes)

  function goOn({ bytes, problem }: ListStreamStep, done: (error?: Error) => void): void {
    if (bytes.length > 0) filtered.push(bytes)
    if (problem !== undefined) onProblem(problem)
    done(problem === undefined ? undefined : new Error(problem))
  }
  function take(next: () => ListStreamStep | Promise<ListStreamStep>, done: (error?: Error) => void): void {
    try {
      const step = next()
      if (step instanceof Promise) step.then((late) => goOn(late, done), done)
      else goOn(step, done)
    } catch (error) {
      // Nobody else would catch what a judge throws, or a filter that has a fault.
      done(error instanceof Error ? error : new Error(String(error)))
    }
  }

  const filtered: Transform = new Transform({
    transform: (chunk: Uint8Array, _encoding, done) => take(() => stream.push(chunk), done),
    flush: (done) => take(() => stream.end(), done),
    destroy(error, done) {
      source.destroy()
      done(error)
    },
  })
  // It may fail before anybody listens. Whoever comes later still sees that it has.
  filtered.on('error', () => {})
  source.on('error', (error) => filtered.destroy(error))
  source.on('close', () => {
    if (!source.readableEnded) filtered.destroy(new Error('the upstream broke off'))
  })
  if (source.destroyed) filtered.destroy(new Error('the upstream broke off'))
  return source.pipe(filtered)
}
