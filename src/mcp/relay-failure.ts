/** What a client is told when its call cannot be relayed: a JSON-RPC error with the id of its request, and a status that fits. */
import type { Reply, ReplyHeaders } from '../http/gate.ts'
import { withoutSecrets } from '../oauth/presentable.ts'
import { GatewayCode } from './error-codes.ts'
import { errorsReply } from './json-rpc-reply.ts'
import type { RelayCall, RelayFailure, RelayResult } from './relay-call.ts'

/** How a failure is said. */
export interface FailureForm {
  readonly status: number
  readonly code: number
  /** What the server did, put behind its name. Nothing of how it is reached. */
  readonly text: string
}

/** By the failure. */
export const FAILURE_FORMS: Readonly<Record<RelayFailure, FailureForm>> = {
  unreachable: { status: 502, code: GatewayCode.UPSTREAM_UNREACHABLE, text: 'cannot be reached' },
  timeout: { status: 504, code: GatewayCode.UPSTREAM_TIMEOUT, text: 'took too long' },
  nonsense: { status: 502, code: GatewayCode.UPSTREAM_NONSENSE, text: 'answered with something that is no answer' },
  too_large: { status: 502, code: GatewayCode.UPSTREAM_NONSENSE, text: 'answered with more than can be read' },
  redirect: { status: 502, code: GatewayCode.UPSTREAM_NONSENSE, text: 'is somewhere else: it redirects' },
  // Nobody reads it: what nginx calls "client closed request".
  aborted: { status: 499, code: GatewayCode.UPSTREAM_UNREACHABLE, text: 'was not waited for' },
  closing: { status: 503, code: GatewayCode.UNAVAILABLE, text: 'was given up: the gateway is being closed' },
}

/** A failure, with the answer to it. `status` where another than that of `reason` says more, `headers` for more of its fields. */
export function failed(
  call: RelayCall,
  reason: RelayFailure,
  upstreamStatus: number | null,
  detail: string,
  status?: number,
  headers?: ReplyHeaders,
): RelayResult {
  const form = FAILURE_FORMS[reason]
  const reply = errorReply(call, status ?? form.status, form.code, `${call.server.id} ${form.text}.`, headers)
  return { kind: 'failed', reason, reply, upstreamStatus, detail: withoutSecrets(detail, secretsOf(call)) }
}

/** What an upstream could repeat of the credential that it was sent: each value, and what stands behind a scheme. */
function secretsOf({ credential }: RelayCall): string[] {
  return Object.values(credential).flatMap((value) => [value, value.replace(/^\S+ +/, '')])
}

/** An error as the answer to all requests of a call. A GET, a notification and the like get one without an id. */
export function errorReply(
  call: RelayCall,
  status: number,
  code: number,
  message: string,
  headers?: ReplyHeaders,
): Reply {
  return errorsReply(status, code, message, call.body?.messages, headers)
}
