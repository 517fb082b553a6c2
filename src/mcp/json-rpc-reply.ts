/** Answers of our own that are JSON: responses, errors. Never stored by caches. */
import type { Reply, ReplyHeaders } from '../http/gate.ts'
import { errorResponse, type MessageBody, type RequestId } from './messages.ts'

/** An answer with a JSON body; without one where `body` is `undefined`. */
export function jsonReply(status: number, body: unknown, headers: ReplyHeaders = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }
}

/** An answer whose body is JSON already. */
export function writtenReply(status: number, body: string | Uint8Array): Reply {
  return { status, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body }
}

/**
 * An answer of `status` whose body is one JSON-RPC error.
 *
 * @param id - that of the request, where it is known
 */
export function jsonRpcError(
  status: number,
  code: number,
  message: string,
  id?: RequestId,
  headers?: ReplyHeaders,
): Reply {
  return jsonReply(status, errorResponse(id, code, message), headers)
}

/** The same error for every request of a body, with its id; without one where there is no request (a GET, notifications). */
export function errorsReply(
  status: number,
  code: number,
  message: string,
  body: MessageBody | undefined,
  headers?: ReplyHeaders,
): Reply {
  const errors = (body?.messages ?? []).flatMap((each) =>
    each.kind === 'request' ? [errorResponse(each.id, code, message)] : [],
  )
  const [first = errorResponse(undefined, code, message)] = errors
  return jsonReply(status, body?.batch === true && errors.length > 0 ? errors : first, headers)
}
