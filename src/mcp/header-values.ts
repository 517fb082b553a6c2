/**
 * Texts of messages in HTTP header fields (2026-07-28, Value Encoding): as they are
 * where that is safe, else `=?base64?…?=`. Nothing that comes out of here can end a
 * field or begin another.
 */
import { isUtf8 } from 'node:buffer'

/** RFC 9110 §5.5 without obs-text; neither end may be white space, which parsers take away. */
const SAFE = /^[!-~](?:[\t -~]*[!-~])?$/
const ENCODED = /^=\?base64\?(.*)\?=$/s

/**
 * A text as the value of a header field.
 *
 * @returns `undefined` for half a surrogate pair, which no UTF-8 spells
 */
export function encodeHeaderValue(text: string): string | undefined {
  if (!text.isWellFormed()) return undefined
  // What looks encoded is encoded, or it would be decoded.
  if (SAFE.test(text) && !ENCODED.test(text)) return text
  return `=?base64?${Buffer.from(text).toString('base64')}?=`
}

/**
 * The text that the value of a header field stands for; `undefined` where it has characters that may not be there, or
 * base64 that is not canonical (RFC 4648 §4) or no UTF-8.
 */
export function decodeHeaderValue(value: string): string | undefined {
  const trimmed = trimHeaderValue(value)
  if (!SAFE.test(trimmed)) return undefined
  const encoded = ENCODED.exec(trimmed)?.[1]
  if (encoded === undefined) return trimmed
  const bytes = Buffer.from(encoded, 'base64')
  // Buffer skips what is not base64; only the canonical form comes back as it went in.
  return bytes.toString('base64') === encoded && isUtf8(bytes) ? bytes.toString('utf8') : undefined
}

/** A value without the optional white space around it (RFC 9110 §5.6.3), which most servers have taken away already. */
export function trimHeaderValue(value: string): string {
  let start = 0
  let end = value.length
  while (start < end && isBlank(value, start)) start++
  while (end > start && isBlank(value, end - 1)) end--
  return value.slice(start, end)
}

function isBlank(value: string, index: number): boolean {
  return value[index] === ' ' || value[index] === '\t'
}
