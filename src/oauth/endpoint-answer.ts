/** Answers of an authorization server's endpoints, and what the bad ones mean (RFC 6749 §5.2). */
import { classifyTokenError, type RedeemFailure } from '../store/redeem-error.ts'
import { errorCode, presentableText } from './presentable.ts'

/** Why a request was not granted. */
export interface EndpointFailure {
  readonly kind: 'failure'
  readonly failure: RedeemFailure
  readonly status: number
  /** For the operator, with what the server says, but nothing that was secret in the request. */
  readonly detail: string
  /** The server's `error`. */
  readonly error: string | undefined
  /** The server's wish (RFC 9110 §10.2.3). */
  readonly retryAfterMs: number | undefined
}

/** The body of an answer as JSON; `undefined` for anything else. */
export async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json()
  } catch {
    return undefined
  }
}

/** The members of a JSON object; none of anything else. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}
}

/** Whether it is an error, whatever its status: some servers (GitHub) send theirs with 200. */
export function isErrorAnswer({ ok }: Response, body: unknown): boolean {
  const { error } = asObject(body)
  return !ok || (typeof error === 'string' && error !== '')
}

/** What an answer means that is not the one wanted. `secrets` are texts of the request that must not be repeated. */
export function readFailure(response: Response, body: unknown, secrets: readonly string[]): EndpointFailure {
  const { error, error_description: description } = asObject(body)
  const code = errorCode(error, secrets)
  const said = typeof description === 'string' && description !== '' ? description : undefined
  return {
    kind: 'failure',
    failure: classifyTokenError(response.status, body),
    status: response.status,
    detail: [
      `answered ${response.status}`,
      ...(code === undefined ? [] : [code]),
      ...(said === undefined ? [] : [`(${presentableText(said, secrets)})`]),
      ...(body === undefined ? ['and no JSON'] : []),
    ].join(' '),
    error: code,
    retryAfterMs: retryAfter(response.headers.get('retry-after')),
  }
}

/**
 * What it means for a refresh. Without a code, a server's own refusal is 400 or 403; any other 4xx is also what a proxy says in
 * the place of a server that is away (404 of an ingress), and no token and no session may end by it.
 */
export function refreshFailureOf({ failure, status, error }: EndpointFailure): RedeemFailure {
  const isAnybodys = error === undefined && status > 400 && status !== 403
  return failure === 'rejected' && isAnybodys ? 'transient' : failure
}

/** Seconds or a date; what is neither, or over already, is no wish. */
function retryAfter(header: string | null): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return ms > 0 && Number.isFinite(ms) ? ms : undefined
}
