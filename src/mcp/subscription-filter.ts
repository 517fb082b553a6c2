/** `subscriptions/listen` (2026-07-28): what a client wants to hear of, and which notifications that lets through. Pure. */
import { META } from './eras.ts'
import { JsonRpcCode } from './error-codes.ts'
import { spliceJson } from './json-splice.ts'
import { isJsonObject, type JsonObject, type RequestId, type RequestMessage } from './messages.ts'
import type { UpstreamMessage } from './upstream-messages.ts'

/** What a client wants to hear of (2026-07-28, SubscriptionFilter). */
export interface SubscriptionFilter {
  readonly toolsListChanged: boolean
  readonly promptsListChanged: boolean
  readonly resourcesListChanged: boolean
  readonly uris: readonly string[]
}

/** What a GET of the eras before is for. */
export const EVERYTHING: SubscriptionFilter = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourcesListChanged: true,
  uris: [],
}

/** The filter of a `subscriptions/listen` request. */
export function filterOf({ params }: RequestMessage): SubscriptionFilter {
  const given = isJsonObject(params?.notifications) ? params.notifications : {}
  const uris = Array.isArray(given.resourceSubscriptions) ? given.resourceSubscriptions : []
  return {
    toolsListChanged: given.toolsListChanged === true,
    promptsListChanged: given.promptsListChanged === true,
    resourcesListChanged: given.resourcesListChanged === true,
    uris: uris.filter((uri) => typeof uri === 'string'),
  }
}

/** The notification that says what will be told: the first on the stream of request `id`. */
export function acknowledged(id: RequestId, { uris, ...changes }: SubscriptionFilter): Uint8Array {
  const honoured: JsonObject = {
    ...Object.fromEntries(Object.entries(changes).filter(([, value]) => value)),
    ...(uris.length === 0 ? {} : { resourceSubscriptions: uris }),
  }
  const params = { notifications: honoured, _meta: { [META.subscriptionId]: id } }
  const message = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params }
  return Buffer.from(JSON.stringify(message))
}

/** A notification with the client's own subscription on it, if it is one that was asked for. */
export function tagged(
  { method, bytes, value }: Extract<UpstreamMessage, { kind: 'notification' }>,
  filter: SubscriptionFilter,
  uris: ReadonlyMap<string, string>,
  id: RequestId,
): Uint8Array | undefined {
  const tag = { path: ['params', '_meta', META.subscriptionId], json: JSON.stringify(id) }
  switch (method) {
    case 'notifications/tools/list_changed':
      return filter.toolsListChanged ? spliceJson(bytes, [tag]) : undefined
    case 'notifications/prompts/list_changed':
      return filter.promptsListChanged ? spliceJson(bytes, [tag]) : undefined
    case 'notifications/resources/list_changed':
      return filter.resourcesListChanged ? spliceJson(bytes, [tag]) : undefined
    case 'notifications/resources/updated': {
      const uri = isJsonObject(value.params) ? value.params.uri : undefined
      const ours = typeof uri === 'string' ? uris.get(uri) : undefined
      return ours === undefined
        ? undefined
        : spliceJson(bytes, [tag, { path: ['params', 'uri'], json: JSON.stringify(ours) }])
    }
    default:
      return undefined
  }
}

/** A notification without the subscription that it came with: clients up to 2025-11-25 know of none. */
export function withoutSubscription(bytes: Uint8Array): Uint8Array {
  return spliceJson(bytes, [{ path: ['params', '_meta', META.subscriptionId], json: undefined }])
}

/** What a request may listen to, or what is wrong with it. */
export function listenProblem({
  params,
}: RequestMessage): { readonly code: number; readonly message: string } | undefined {
  if (isJsonObject(params?.notifications)) return undefined
  return { code: JsonRpcCode.INVALID_PARAMS, message: 'Invalid params: params.notifications must be an object' }
}
