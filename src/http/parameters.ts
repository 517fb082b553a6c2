/** Reading the parameters of a request: its query, and a form in its body. */
import type { Readable } from 'node:stream'
import type { GateRequest } from './gate.ts'

/** A form of ours is small; so is a provider's answer. */
const MAX_FORM_BYTES = 64 * 1024

/** The query of a request target. */
export function readQuery(target: string): URLSearchParams {
  const start = target.indexOf('?')
  return new URLSearchParams(start === -1 ? '' : target.slice(start + 1).replace(/#.*$/s, ''))
}

/**
 * The form in the body (`application/x-www-form-urlencoded`), also where a body parser was there first.
 *
 * @returns `undefined` when there is none, or it is more than 64 KiB.
 */
export async function readForm(request: GateRequest): Promise<URLSearchParams | undefined> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) return undefined
  const { body } = request
  if (body.kind === 'none') return new URLSearchParams()
  if (body.kind === 'stream') {
    const bytes = await readAll(body.stream)
    return bytes && formOf(bytes)
  }
  return parsedForm(body.raw ?? body.value)
}

function formOf(content: string | Uint8Array): URLSearchParams | undefined {
  if (content.length > MAX_FORM_BYTES) return undefined
  return new URLSearchParams(typeof content === 'string' ? content : Buffer.from(content).toString('utf8'))
}

async function readAll(stream: Readable): Promise<Buffer | undefined> {
  // Somebody has read it and kept it to themselves, or it broke off: neither tells of its end again.
  if (stream.readableEnded || stream.destroyed) return undefined
  const chunks: Uint8Array[] = []
  let length = 0
  // Not `for await`, which destroys the stream at its end, and with it the connection that the answer goes out on.
  return new Promise((resolve) => {
    stream.on('data', (chunk: Uint8Array) => {
      length += chunk.byteLength
      if (length <= MAX_FORM_BYTES) chunks.push(chunk)
      else resolve(undefined)
    })
    stream.once('end', () => resolve(Buffer.concat(chunks, Math.min(length, MAX_FORM_BYTES))))
    stream.once('error', () => resolve(undefined))
    stream.once('close', () => resolve(undefined))
  })
}

/** What body parsers make of a form: texts, and lists for what comes more than once. Others leave it as it is. */
function parsedForm(value: unknown): URLSearchParams | undefined {
  if (typeof value === 'string' || value instanceof Uint8Array) return formOf(value)
  if (typeof value !== 'object' || value === null) return undefined
  const form = new URLSearchParams()
  for (const [name, each] of Object.entries(value)) {
    for (const text of Array.isArray(each) ? each : [each]) {
      if (typeof text === 'string') form.append(name, text)
    }
  }
  return form
}
