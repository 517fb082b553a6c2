/**
 * Header fields of requests to upstreams that cannot be chosen: those that the relay sets, for anybody, and for callers also
 * those that servers believe of a gateway or proxy in front of them.
 */

/** Of the connection (RFC 9110 §7.6.1), the body, MCP's transport, and the trace. */
const RELAY = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'last-event-id',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'trailers',
  'transfer-encoding',
  'upgrade',
])
const RELAY_PREFIXES = ['mcp-', 'proxy-']

/** Who sent a request, from where, and what for: said by whatever stands in front of a server, or by a browser. */
const FRONT = new Set([
  'cf-connecting-ip',
  'client-ip',
  'fastly-client-ip',
  'forwarded',
  'origin',
  'remote-addr',
  'remote-user',
  'true-client-ip',
  'via',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-method-override',
  'x-real-ip',
  'x-remote-user',
  'x-rewrite-url',
  'x-tfy-mcp-headers',
])
const FRONT_PREFIXES = ['sec-', 'x-envoy-', 'x-forwarded-', 'x-http-method', 'x-original-']

/**
 * A name as servers may read it that make variables of headers: `X_Forwarded_For` is `HTTP_X_FORWARDED_FOR` to CGI and its
 * heirs, like `x-forwarded-for`. Names that come out the same are one.
 */
export function foldFieldName(name: string): string {
  return name.toLowerCase().replaceAll('_', '-')
}

/** Whether only the relay sets a field. */
export function isRelayField(name: string): boolean {
  const folded = foldFieldName(name)
  return RELAY.has(folded) || RELAY_PREFIXES.some((prefix) => folded.startsWith(prefix))
}

/** Whether a caller must not set a field, whatever is configured. */
export function isClosedToCallers(name: string): boolean {
  const folded = foldFieldName(name)
  return isRelayField(name) || FRONT.has(folded) || FRONT_PREFIXES.some((prefix) => folded.startsWith(prefix))
}
