/**
 * What a caller is told about a tool, prompt or resource that it may not use, whether it exists or not: that there is none, so
 * that nothing can be found out by asking. Said by us in both cases, since upstreams have words of their own. HTTP 200.
 */
import { JsonRpcCode, McpCode } from './error-codes.ts'
import { type ErrorResponse, errorResponse, type RequestMessage } from './messages.ts'
import { type Target, targetsOf } from './targets.ts'

/**
 * The error for a request about something that the caller knows nothing of, as its revision words it:
 *
 * | asked for | code | message |
 * | --- | --- | --- |
 * | a tool | -32602 | `Unknown tool: name` |
 * | a prompt | -32602 | `Unknown prompt: name` |
 * | a resource, up to 2025-11-25 | -32002 | `Resource not found`, `data: { uri }` |
 * | a resource, from 2026-07-28 | -32602 | the same |
 * | anything else | -32601 | `Method not found: method` |
 *
 * @param target - the one of several that is meant; that of the message by default
 */
export function unknownTarget(
  { id, method, params }: Pick<RequestMessage, 'id' | 'method' | 'params'>,
  era: 'legacy' | 'modern',
  target: Target | undefined = firstOf(method, params),
): ErrorResponse {
  switch (target?.kind) {
    case 'tool':
      return errorResponse(id, JsonRpcCode.INVALID_PARAMS, `Unknown tool: ${target.name}`)
    case 'prompt':
      return errorResponse(id, JsonRpcCode.INVALID_PARAMS, `Unknown prompt: ${target.name}`)
    case 'resource': {
      const code = era === 'modern' ? JsonRpcCode.INVALID_PARAMS : McpCode.RESOURCE_NOT_FOUND
      return errorResponse(id, code, 'Resource not found', { uri: target.name })
    }
    default:
      return unknownMethod(id, method)
  }
}

/** The error for a method that the caller may not use, as for one that does not exist. HTTP 404 in the modern era, else 200. */
export function unknownMethod(id: RequestMessage['id'], method: string): ErrorResponse {
  return errorResponse(id, JsonRpcCode.METHOD_NOT_FOUND, `Method not found: ${method}`)
}

/** The error for a request that does not name its target as it must; `detail` is that of `targetsOf`. */
export function malformedTarget(id: RequestMessage['id'], detail: string): ErrorResponse {
  return errorResponse(id, JsonRpcCode.INVALID_PARAMS, `Invalid params: ${detail}`)
}

function firstOf(method: string, params: RequestMessage['params']): Target | undefined {
  const found = targetsOf(method, params)
  return found.kind === 'targets' ? found.targets[0] : undefined
}
