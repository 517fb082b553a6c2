/** A number of 64 bits in an answer, which JavaScript cannot print: put in behind the SDK's back. */
import type { ServerResponse } from 'node:http'

/** More than a double can hold: whoever parses and prints it sends another one. */
export const WIDE_NUMBER = '9223372036854775807'

const IN_QUOTES = `"${WIDE_NUMBER}"`
/** Just as long, so that no length has to be corrected. */
const BARE = ` ${WIDE_NUMBER} `

/** From now on the answer has {@link WIDE_NUMBER} as a number where the server writes it as a text. */
export function writeWideNumbers(response: ServerResponse): void {
  const { write, end } = response
  response.write = ((chunk: unknown, ...rest: unknown[]) =>
    Reflect.apply(write, response, [widen(chunk), ...rest])) as typeof write
  response.end = ((chunk: unknown, ...rest: unknown[]) =>
    Reflect.apply(end, response, [widen(chunk), ...rest])) as typeof end
}

function widen(chunk: unknown): unknown {
  if (typeof chunk === 'string') return chunk.replaceAll(IN_QUOTES, BARE)
  if (!(chunk instanceof Uint8Array)) return chunk
  const text = Buffer.from(chunk).toString('latin1')
  return text.includes(IN_QUOTES) ? Buffer.from(text.replaceAll(IN_QUOTES, BARE), 'latin1') : chunk
}
