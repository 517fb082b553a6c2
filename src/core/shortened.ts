/** Texts that callers send, cut to what an event or a message needs. V8 keeps the whole of a text for the sake of a slice of it: what is cut is copied. */

/** The first `max` characters of `text`. */
export function shortened(text: string, max: number): string {
  return text.length <= max ? text : copied(text.slice(0, max))
}

/** The same characters, and nothing of the text that they may be a part of. */
export function copied(text: string): string {
  // Not UTF-8: half of a pair, which cutting leaves, has no bytes there.
  return Buffer.from(text, 'utf16le').toString('utf16le')
}
