/** What an answer says that it is (RFC 9110 §8.3), as far as the relay has to tell. */
import type { IncomingHttpHeaders } from 'node:http'

/** `json` and `events` are what an MCP server may answer with. */
export type MediaType = 'json' | 'events' | 'other' | 'none'

/** The media type in a `Content-Type`. */
export function mediaTypeOf(headers: IncomingHttpHeaders): MediaType {
  const value: unknown = headers['content-type']
  if (value === 'application/json') return 'json'
  if (value === 'text/event-stream') return 'events'
  if (value === undefined) return 'none'
  // Several lines of it, which undici gives as a list.
  if (typeof value !== 'string') return 'other'
  const end = value.indexOf(';')
  const type = (end === -1 ? value : value.slice(0, end)).trim().toLowerCase()
  return type === 'application/json' ? 'json' : type === 'text/event-stream' ? 'events' : 'other'
}

/** Whether the bytes are those of the media type itself (RFC 9110 §8.4); only that was asked for. */
export function isPlain(headers: IncomingHttpHeaders): boolean {
  const coding: unknown = headers['content-encoding']
  return coding === undefined || coding === '' || (typeof coding === 'string' && coding.toLowerCase() === 'identity')
}

/** Whether the client takes the coding of an answer, though it was not asked for here (RFC 9110 §12.5.3). */
export function takesCoding(client: IncomingHttpHeaders, answer: IncomingHttpHeaders): boolean {
  const coding: unknown = answer['content-encoding']
  const accepted = client['accept-encoding']
  if (typeof coding !== 'string' || typeof accepted !== 'string') return false
  const wanted = coding.trim().toLowerCase()
  return accepted
    .toLowerCase()
    .split(',')
    .some((each) => {
      const [name, ...weights] = each.split(';').map((part) => part.trim())
      return name === wanted && !weights.some((weight) => /^q=0(?:\.0*)?$/.test(weight))
    })
}
