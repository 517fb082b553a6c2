/** A gate made of the gateway's doors alone, on a real server: endpoints, metadata and challenges, admission. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { sallyport } from '../../adapters/node.ts'
import { type AdmissionSettings, createAdmission, withHeaders } from '../../src/gateway/admission.ts'
import { createEndpoints } from '../../src/gateway/endpoints.ts'
import { createProtectedResource, type ProtectedResourceSettings } from '../../src/gateway/protected-resource.ts'
import type { Gate, GateRequest, Outcome, Reply } from '../../src/http/gate.ts'
import { normalise } from '../../src/http/normalise.ts'
import { problem } from '../../src/http/replies.ts'

export interface DoorOptions {
  readonly servers?: Readonly<Record<string, { readonly id?: string }>>
  readonly resource?: Partial<Pick<ProtectedResourceSettings, 'issuers' | 'scopes'>>
  readonly admission?: Omit<AdmissionSettings, 'url'>
  /** What becomes of a request that is let in; 401 by default. */
  readonly then?: (path: string) => Reply
}

/** The doors of a gateway at `origin`. */
export function createDoors(origin: string, options: DoorOptions = {}) {
  const endpoints = createEndpoints(options.servers ?? { 'dev/github': { id: 'gh' } }, origin)
  const resource = createProtectedResource({ origin, endpoints, issuers: ['https://login.test/'], ...options.resource })
  const admission = createAdmission({ url: origin, ...options.admission })
  function handle(request: GateRequest): Outcome {
    const reply = (made: Reply): Outcome => ({ kind: 'reply', reply: made })
    const normalised = normalise(request)
    if (typeof normalised === 'string') return reply(problem(400))
    const document = resource.answer(request, normalised)
    if (document === 'ambiguous') return reply(problem(400))
    if (document !== undefined) return reply(admission.host(normalised)?.reply ?? document)
    const endpoint = endpoints.find(normalised)
    if (endpoint === undefined) return { kind: 'skip' }
    if (endpoint === 'ambiguous') return reply(problem(400))
    const admitted = admission.endpoint(request, normalised)
    if (admitted.kind !== 'admitted') return reply(admitted.reply)
    const made = options.then?.(endpoint.path) ?? resource.unauthenticated(endpoint)
    return reply(withHeaders(made, admitted.headers))
  }
  const gate: Gate = { handle, ready: async () => {}, close: async () => {} }
  return { endpoints, resource, admission, gate }
}

/** A server on this machine with such doors; what they skip is answered `200 application`. */
export async function startDoors(options: DoorOptions = {}) {
  let gate: Gate | undefined
  const late: Gate = {
    handle: (request) => gate?.handle(request) ?? { kind: 'skip' },
    ready: async () => {},
    close: async () => {},
  }
  const server = createServer(sallyport(late)((_, response) => void response.end('application')))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const doors = createDoors(origin, options)
  gate = doors.gate
  return { origin, ...doors }
}
