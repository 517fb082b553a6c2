/** Filters the lists in an answer that comes as a stream of server-sent events; all else passes byte for byte. */
import type { FilteredAnswer } from './list-filter.ts'
import { filterByJudge, type JudgedLists } from './list-judge.ts'
import { mayHoldLists } from './list-scan.ts'
import { createSseReader, replaceData, type SseEvent, type SsePiece } from './sse.ts'

/** Filters one stream. */
export interface ListStream {
  /**
   * Takes a chunk of the upstream's; what can go on to the client. A promise where a judge takes its time: the next chunk waits
   * for it.
   */
  push(chunk: Uint8Array): ListStreamStep | Promise<ListStreamStep>
  /** The upstream's stream has ended. */
  end(): ListStreamStep | Promise<ListStreamStep>
}

/** What can go on. */
export interface ListStreamStep {
  /** May be empty. */
  readonly bytes: Uint8Array
  /** Why nothing more may go on: end the answer behind `bytes`. For the operator. */
  readonly problem: string | undefined
}

/** More than any answer that is worth waiting for. */
export const MAX_EVENT_BYTES = 16 * 1024 * 1024

/**
 * A filter for one stream.
 *
 * @param maxEventBytes - the length of one event; a longer one is a problem
 */
export function createListStream(lists: JudgedLists, maxEventBytes: number = MAX_EVENT_BYTES): ListStream {
  const reader = createSseReader(maxEventBytes)
  let problem: string | undefined

  function step(pieces: readonly SsePiece[]): ListStreamStep | Promise<ListStreamStep> {
    const out: Uint8Array[] = []
    for (const [index, piece] of pieces.entries()) {
      if (problem !== undefined) break
      if (piece.kind !== 'event') plain(piece, out)
      else {
        const filtered = filterEvent(piece, lists)
        if ('then' in filtered) return stepLater(pieces.slice(index + 1), piece, filtered, out)
        take(piece, filtered, out)
      }
    }
    return { bytes: out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out), problem }
  }

  async function stepLater(
    rest: readonly SsePiece[],
    event: SseEvent,
    filtered: Promise<FilteredAnswer>,
    out: Uint8Array[],
  ): Promise<ListStreamStep> {
    take(event, await filtered, out)
    const after = await step(rest)
    return { ...after, bytes: Buffer.concat([...out, after.bytes]) }
  }

  function plain(piece: Exclude<SsePiece, SseEvent>, out: Uint8Array[]): void {
    if (piece.kind === 'too_long') problem = `an event of more than ${maxEventBytes} bytes`
    // To a reader of events it is a field without a meaning, but whoever looks would find the list in it.
    else if (beginsJson(piece.bytes)) problem = 'JSON where an event is due'
    else out.push(piece.bytes)
  }

  function take(event: SseEvent, filtered: FilteredAnswer, out: Uint8Array[]): void {
    if (filtered.kind === 'unchanged') out.push(event.raw)
    else if (filtered.kind === 'changed') out.push(replaceData(event, filtered.bytes))
    // Without data it is none, but its id counts (HTML standard, Server-sent events).
    else if (filtered.kind === 'dropped') out.push(event.rest)
    else if (event.complete) problem = `an event that cannot be read: ${filtered.detail}`
  }

  return {
    push: (chunk) => step(problem === undefined ? reader.push(chunk) : []),
    end: () => step(problem === undefined ? reader.end() : []),
  }
}

/** Whether a stream that is there as a whole may go on as it is, whoever asks. */
export function passesWhole(bytes: Uint8Array, maxEventBytes: number): boolean {
  const reader = createSseReader(maxEventBytes)
  return reader.push(bytes).every(passes) && reader.end().every(passes)
}

function passes(piece: SsePiece): boolean {
  if (piece.kind === 'bytes') return !beginsJson(piece.bytes)
  return piece.kind === 'event' && isWithoutList(piece)
}

/** Events without anything in them only carry an id (2025-11-25, Sending Messages to the Server). */
function isWithoutList({ data }: SseEvent): boolean {
  return data.every(isBlank) || !mayHoldLists(data)
}

function filterEvent(event: SseEvent, lists: JudgedLists): FilteredAnswer | Promise<FilteredAnswer> {
  const { data, type } = event
  if (isWithoutList(event)) return { kind: 'unchanged' }
  const filtered = filterByJudge(data, lists)
  // Messages have the type `message`; what has another is for nobody who reads messages.
  if ('then' in filtered || filtered.kind !== 'refused' || type === 'message') return filtered
  return { kind: 'unchanged' }
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x09 || byte === 0x0d
}

function beginsJson(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => !isBlank(byte))
  return first === 0x7b || first === 0x5b
}
