/** Bodies of upstream answers that have to be read as a whole, or are not wanted at all; never more of them than a limit. */
import type { Readable } from 'node:stream'
import type { UpstreamAnswer } from '../net/exchange.ts'

/** Why a body could not be read. */
export type BodyFault = 'too_large' | 'timeout' | 'broken'

/** A whole body, or why there is none. */
export type WholeBody =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'fault'; readonly fault: BodyFault }

/** Bounds of {@link readWhole}. */
export interface BodyLimits {
  readonly maxAnswerBytes: number
  /** For all of it, however steadily it comes, in milliseconds; 0 for no limit. */
  readonly answerMs: number
}

/** Reads the body of an answer to its end; one that is given up is destroyed. Never rejects. */
export async function readWhole(answer: UpstreamAnswer, limits: BodyLimits): Promise<WholeBody> {
  const chunks: Uint8Array[] = []
  const fault = await collect(answer, limits, (chunk) => {
    chunks.push(chunk)
    return false
  })
  return fault === 'end' || fault === 'enough' ? { kind: 'bytes', bytes: joined(chunks) } : { kind: 'fault', fault }
}

/** What comes first in a body, and all that follows. */
export type BodyStart =
  | { readonly kind: 'found'; readonly body: Uint8Array | Readable }
  /** It ended first. */
  | { readonly kind: 'missing' }
  | { readonly kind: 'fault'; readonly fault: BodyFault }

/** Reads until `isEnough` says so. The body that is returned begins at the first byte again. */
export async function readUntil(
  answer: UpstreamAnswer,
  limits: BodyLimits,
  isEnough: (chunk: Uint8Array) => boolean,
): Promise<BodyStart> {
  const chunks: Uint8Array[] = []
  const end = await collect(answer, limits, (chunk) => {
    chunks.push(chunk)
    return isEnough(chunk)
  })
  if (end === 'end') return { kind: 'missing' }
  if (end !== 'enough') return { kind: 'fault', fault: end }
  const { body } = answer
  if (body instanceof Uint8Array) return { kind: 'found', body }
  if (body.destroyed) return { kind: 'fault', fault: 'broken' }
  // It was stopped before its end could be told, so that there is still a front to put something at.
  body.unshift(joined(chunks))
  return { kind: 'found', body }
}

/** Calls `take` with every chunk until it has enough, with the stream stopped right there. */
function collect(
  { body, headers }: Pick<UpstreamAnswer, 'body' | 'headers'>,
  { maxAnswerBytes, answerMs }: BodyLimits,
  take: (chunk: Uint8Array) => boolean,
): Promise<'end' | 'enough' | BodyFault> {
  if (body instanceof Uint8Array) {
    if (body.length > maxAnswerBytes) return Promise.resolve('too_large')
    return Promise.resolve(take(body) ? 'enough' : 'end')
  }
  if (Number(headers['content-length']) > maxAnswerBytes) {
    body.destroy()
    return Promise.resolve('too_large')
  }
  return new Promise((resolve) => {
    let length = 0
    const timer = answerMs === 0 ? undefined : setTimeout(() => done('timeout'), answerMs)
    function done(end: 'end' | 'enough' | BodyFault): void {
      clearTimeout(timer)
      const stream = body as Readable
      stream.off('data', onData).off('end', onEnd).off('close', onBroken).off('error', onBroken)
      if (end === 'enough') stream.pause()
      else if (end !== 'end') stream.destroy()
      resolve(end)
    }
    const onEnd = () => done('end')
    const onBroken = () => done('broken')
    const onData = (chunk: Uint8Array) => {
      length += chunk.length
      if (length > maxAnswerBytes) done('too_large')
      else if (take(chunk)) done('enough')
    }
    body.on('data', onData).on('end', onEnd).on('close', onBroken).on('error', onBroken)
    if (body.destroyed) done('broken')
  })
}

/** More than the page of an error, less than is worth a connection. */
const MAX_DISCARDED_BYTES = 64 * 1024
const MAX_DISCARDED_MS = 1_000

/** Reads a short body to nowhere, so that the connection can be used again; breaks off a long one. */
export function discard(body: Uint8Array | Readable): void {
  if (body instanceof Uint8Array) return
  void collect({ body, headers: {} }, { maxAnswerBytes: MAX_DISCARDED_BYTES, answerMs: MAX_DISCARDED_MS }, () => false)
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [first] = chunks
  return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
}
