/** A request for tests, as an adapter would make it. */
import type { IncomingHttpHeaders } from 'node:http'
import type { GateRequest } from '../../src/http/gate.ts'

interface Parts {
  method?: string
  target?: string
  /** Header lines, in order; `Host: h` where there is no other. */
  lines?: readonly (readonly [name: string, value: string])[]
  address?: string
  encrypted?: boolean
  localPort?: number
  kind?: 'http' | 'upgrade'
}

/** A {@link GateRequest} out of the parts that matter to a test. */
export function gateRequest(parts: Parts = {}): GateRequest {
  const lines = parts.lines ?? [['Host', 'h']]
  const headers: IncomingHttpHeaders = {}
  for (const [name, value] of lines) headers[name.toLowerCase()] ??= value
  return {
    method: parts.method ?? 'GET',
    target: parts.target ?? '/',
    headers,
    rawHeaders: lines.flat(),
    peer: { address: parts.address ?? '192.0.2.1', encrypted: parts.encrypted ?? false },
    localPort: parts.localPort ?? 8080,
    body: { kind: 'none' },
    signal: new AbortController().signal,
    host: undefined,
    kind: parts.kind ?? 'http',
  }
}
