/** One HTTP request at a time, over a connection of its own, for everything that is not measured. */
import { request } from 'node:http'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

/** Sends a request to this machine; `host` may be another's name. */
export function ask(
  url: string | URL,
  { method = 'GET', headers = {}, body }: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const { port, pathname, search } = new URL(url)
  const length: Record<string, string> = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return new Promise((resolve, reject) => {
    // With `close`, which is the default without an agent, http-proxy and the SDK's server misunderstand each other: the
    // server says `keep-alive` in its own name, and then refuses the next request.
    const fields = { connection: 'keep-alive', ...headers, ...length }
    const sent = request(
      { host: '127.0.0.1', port, path: pathname + search, method, headers: fields, agent: false },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        )
      },
    )
    sent.once('error', reject)
    sent.end(body)
  })
}
