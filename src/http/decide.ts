/** Several gates in front of one application: the first outcome that is not a skip wins. */
import type { Gate, GateRequest, Outcome } from './gate.ts'
import { problem } from './replies.ts'

const SKIP: Outcome = { kind: 'skip' }

/** What `gates` decide about `request`, at once where they can. Never throws or rejects: a gate that does is answered 500. */
export function decide(gates: readonly Gate[], request: GateRequest): Outcome | Promise<Outcome> {
  try {
    for (let index = 0; index < gates.length; index++) {
      const outcome = (gates[index] as Gate).handle(request)
      if ('then' in outcome) return decideLater(gates.slice(index + 1), request, outcome)
      if (outcome.kind !== 'skip') return outcome
    }
    return SKIP
  } catch (error) {
    return failed(error)
  }
}

async function decideLater(rest: readonly Gate[], request: GateRequest, first: Promise<Outcome>): Promise<Outcome> {
  try {
    const outcome = await first
    return outcome.kind === 'skip' ? await decide(rest, request) : outcome
  } catch (error) {
    return failed(error)
  }
}

function failed(error: unknown): Outcome {
  process.emitWarning(`a gate threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`, {
    code: 'SALLYPORT_GATE',
  })
  return { kind: 'reply', reply: problem(500) }
}
