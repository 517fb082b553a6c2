/** What a page says of what was done just before it: by name, in a cookie that the next page takes away. */

/** See the top of the file. */
export const NOTES: Readonly<Record<string, string>> = {
  disconnected: 'The connection has ended. Agents can no longer use it for you.',
  'account-disconnected': 'The connection has ended. The virtual account can no longer use it.',
  'not-connected': 'There was no connection any more.',
  'token-revoked': 'The token has been revoked. It is good for nothing any more.',
  'token-gone': 'There was no such token any more.',
}

/** Whether something is the name of a note. */
export function isNote(text: string | undefined): text is string {
  return text !== undefined && Object.hasOwn(NOTES, text)
}
