/** An authorization server that answers as a test says, and checks that errors keep what was sent to it to themselves. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { expect } from 'vitest'
import type { ServerMetadata } from '../../src/oauth/metadata.ts'
import { readAll } from '../support/servers.ts'

/** A request as it came. */
export interface Received {
  readonly method: string | undefined
  readonly url: string
  readonly headers: NodeJS.Dict<string | string[]>
  readonly form: URLSearchParams
}

/** Answers a request, or does not. */
export type Answer = (request: Received, response: ServerResponse) => unknown

/** A server that runs. */
export interface OddServer {
  readonly url: string
  readonly received: Received[]
  readonly metadata: ServerMetadata
  answer: Answer
  close(): Promise<void>
}

/** Starts one. */
export async function startOddServer(answer: Answer = json({})): Promise<OddServer> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const { method, url = '', headers } = request
    const form = new URLSearchParams(await readAll(request))
    received.push({ method, url, headers, form })
    odd.answer({ method, url, headers, form }, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const odd: OddServer = {
    url,
    received,
    metadata: {
      issuer: url,
      jwksUri: `${url}/jwks`,
      authorizationUrl: `${url}/authorize`,
      tokenUrl: `${url}/token`,
      userInfoUrl: `${url}/me`,
      revocationUrl: `${url}/revoke`,
      endSessionUrl: undefined,
      pushedAuthorizationUrl: undefined,
      issParameter: false,
      idTokenAlgorithms: undefined,
    },
    answer,
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
  return odd
}

/** Answers with JSON. */
export function json(body: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** Answers with a text as it is. */
export function text(body: string, status = 200, type = 'text/html'): Answer {
  return (_request, response) => response.writeHead(status, { 'content-type': type }).end(body)
}

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => expect.fail(`came back with ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
}

/** Looks for texts in an error, in all that hangs on it, and in how it is printed. */
export function expectNothingOf(error: unknown, ...texts: readonly string[]): void {
  const printed = inspect(error, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null })
  for (const secret of texts) expect(printed).not.toContain(secret)
}
