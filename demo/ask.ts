/** A plain HTTP and WebSocket client, and one line of text for what comes back: `200 s1 hello /`, `403 Bearer`. */
import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { WebSocket } from 'ws'
import { LOOPBACK } from './ports.ts'
import type { Target } from './servers.ts'
import type { Report } from './services/service.ts'

/** A token and what to call it; tokens themselves are not fit to print. */
export interface Token {
  readonly name: string
  readonly jwt: string
}

/** A request to try on a server. */
export interface Request {
  readonly method?: string
  readonly host: string
  /** The target exactly as it goes over the wire; `/` by default. */
  readonly path?: string
  /** `name:password`, as for `curl --user`. */
  readonly user?: string
  readonly token?: Token
  /** How the `Authorization` field calls the token's scheme; `Bearer` by default. */
  readonly scheme?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
}

const TIMEOUT_MS = 12_000

/** Sends a request and describes the answer. */
export async function ask(target: Target, wanted: Request): Promise<string> {
  const outgoing = request({
    host: LOOPBACK,
    port: target.port,
    method: wanted.method ?? 'GET',
    path: wanted.path ?? '/',
    headers: headersOf(wanted),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return describe(target, response)
}

/** Opens a WebSocket and describes how that went. */
export function connect(target: Target, wanted: Request): Promise<string> {
  const socket = new WebSocket(`ws://${LOOPBACK}:${target.port}${wanted.path ?? '/'}`, {
    headers: headersOf(wanted),
    handshakeTimeout: TIMEOUT_MS,
  })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('unexpected-response', (_request, response) => describe(target, response).then(resolve, reject))
    socket.once('message', (data) => {
      socket.close()
      try {
        resolve(`101 ${describeReport(target, String(data))}`)
      } catch (error) {
        reject(error)
      }
    })
  })
}

/** `GET s1.example.com/ --user hello:pass`: the request in one line. */
export function sketch({ method, host, path = '/', user, token, scheme = 'Bearer', headers = {} }: Request): string {
  const more = Object.entries(headers).map(([name, value]) => `${name}: ${[value].flat().join(' and ')}`)
  return [
    `${method ?? 'GET'} ${host}${path}`,
    ...(user === undefined ? [] : [`--user ${user}`]),
    ...(token === undefined ? [] : [`${scheme} <${token.name}>`]),
    ...more,
  ].join('  ')
}

function headersOf({ host, user, token, scheme = 'Bearer', headers }: Request) {
  return {
    host,
    ...(user === undefined ? {} : { authorization: `Basic ${Buffer.from(user).toString('base64')}` }),
    ...(token === undefined ? {} : { authorization: `${scheme} ${token.jwt}` }),
    ...headers,
  }
}

async function describe(target: Target, response: IncomingMessage): Promise<string> {
  const { statusCode: status = 0, headers } = response
  return describeAnswer(target, { status, headers, body: Buffer.concat(await response.toArray()).toString() })
}

/** An answer in one line. */
export function describeAnswer(
  target: Pick<Target, 'name'>,
  { status, headers, body }: { status: number; headers: IncomingHttpHeaders; body: string },
): string {
  return status === 200 ? `200 ${describeReport(target, body)}` : [status, ...describeRefusal(headers)].join(' ')
}

/** Route, subject and path as the application saw them; a report by another server than the one asked is not believed. */
function describeReport(target: Pick<Target, 'name'>, body: string): string {
  const { server, route, subject = '-', url } = JSON.parse(body) as Report
  if (server !== target.name) throw new Error(`${target.name} was asked and ${server} answered`)
  return `${route} ${subject} ${url}`
}

/** The challenge, without the sentence for people in it; and whether it is said when to try again. */
function describeRefusal(headers: IncomingHttpHeaders): string[] {
  const challenge = headers['www-authenticate']?.replace(/, error_description="[^"]*"/, '')
  return [...(challenge === undefined ? [] : [challenge]), ...('retry-after' in headers ? ['Retry-After'] : [])]
}
