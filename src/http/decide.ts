/** Several gates in front of one application: the first outcome that is not a skip wins. */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { Readable } from 'node:stream'
import { endOfTurn } from '../core/turn.ts'
import { warnOfThrown } from '../core/warnings.ts'
import type { Gate, GateRequest, Outcome, Reply, ReplyHeaders } from './gate.ts'
import type { NodeRequest } from './node-request.ts'
import { problem } from './replies.ts'

const SKIP: Outcome = { kind: 'skip' }
/** For a client that has gone: an answer that goes nowhere, so that nothing else runs either. */
const NOBODY: Outcome = { kind: 'reply', reply: problem(400) }

/**
 * `gates`, if they are some. Without one every request would go through, and nobody would notice.
 *
 * @throws TypeError for no gates, for something that is none, and for a gate that would never be asked
 */
export function checkGates(gates: readonly Gate[], taker: 'sallyport' | 'guardUpgrade' = 'sallyport'): readonly Gate[] {
  const written = (names: string) =>
    taker === 'sallyport'
      ? `sallyport(${names})`
      : `guardUpgrade(${names.includes(',') ? `[${names}]` : names}, listener)`
  if (gates.length === 0) throw new TypeError(`${taker}() needs a gate: ${written('guard')}`)
  const nameOf = (index: number) =>
    `${taker === 'sallyport' || gates.length === 1 ? 'argument' : 'gate'} ${index + 1} of ${taker}()`
  for (const [index, gate] of gates.entries()) {
    if (typeof (gate as Partial<Gate> | null | undefined)?.handle === 'function') continue
    const several = `several are written ${written('gateway, guard')}`
    throw new TypeError(`${nameOf(index)} is no gate: createGuard() and createGateway() return gates; ${several}`)
  }
  const last = gates.findIndex(({ decidesAll }) => decidesAll === true) + 1
  if (last > 0 && last < gates.length) {
    const mend = `write ${written('gateway, guard')}, or give the first guard unmatched: 'skip'`
    throw new TypeError(`${nameOf(last)} is never asked: the guard before it decides every request; ${mend}`)
  }
  return gates
}

/**
 * What `gates` decide about `request`, at once where they can. Never throws or rejects: a gate that does is answered
 * 500, and so is one whose outcome cannot be carried out. None is asked about a request of which it is not known any more where
 * it came from: that would be another request to them.
 */
export function decide(gates: readonly Gate[], request: Judged): Outcome | Promise<Outcome> {
  return decideFrom(gates, 0, request)
}

type Judged = GateRequest & Partial<Pick<NodeRequest, 'isLost'>>

function decideFrom(gates: readonly Gate[], first: number, request: Judged): Outcome | Promise<Outcome> {
  if (request.isLost === true) return NOBODY
  try {
    for (let index = first; index < gates.length; index++) {
      const outcome = (gates[index] as Gate).handle(request)
      if ('then' in outcome) return decideLater(gates, index, request, outcome)
      if (outcome.kind !== 'skip') return sound(outcome)
    }
    return SKIP
  } catch (error) {
    return failed(gates, error)
  }
}

/**
 * The same for requests as they come: together with the others of this turn of the event loop, whose decisions and whose
 * applications then run right after each other. `carryOut` gets the outcome; what it throws, and what it returns, is the caller's.
 * The application of a client that has gone meanwhile does not run: it would never hear that the connection has closed.
 */
export async function decideInTurn<T>(
  gates: readonly Gate[],
  request: NodeRequest,
  carryOut: (outcome: Outcome) => T | Promise<T>,
): Promise<T> {
  request.hold()
  await endOfTurn()
  // Waited for also where it is there: so all of the turn are decided before the first application runs.
  const outcome = await decide(gates, request)
  // What comes of it comes after this turn: whoever reads it listens by then, as it would be without a gate.
  request.release()
  return carryOut(outcome.kind !== 'reply' && request.isGone ? NOBODY : outcome)
}

async function decideLater(
  gates: readonly Gate[],
  index: number,
  request: Judged,
  deciding: Promise<Outcome>,
): Promise<Outcome> {
  try {
    const outcome = await deciding
    return outcome.kind === 'skip' ? await decideFrom(gates, index + 1, request) : sound(outcome)
  } catch (error) {
    return failed(gates, error)
  }
}

/** `outcome`, if it can be carried out. Anybody can write a gate, and a slip in one must not open the door or end the process. */
function sound(outcome: Outcome): Outcome {
  if (outcome.kind === 'pass') {
    if (typeof outcome.auth !== 'object' || outcome.auth === null) throw new TypeError('a pass without auth')
    if (outcome.headers !== undefined) checkHeaders(outcome.headers)
  } else if (outcome.kind === 'reply') checkReply(outcome.reply)
  else throw new TypeError(`an outcome must be pass, reply or skip, not ${JSON.stringify(outcome.kind)}`)
  return outcome
}

function checkReply({ status, headers, body }: Reply): void {
  if (!Number.isInteger(status) || status < 200 || status > 599) throw new TypeError(`${status} is no final status`)
  if (headers !== undefined) checkHeaders(headers)
  const sendable = typeof body === 'string' || body instanceof Uint8Array || body instanceof Readable
  if (body !== undefined && !sendable) throw new TypeError('a body must be a string, a Uint8Array or a Readable')
}

function checkHeaders(headers: ReplyHeaders): void {
  for (const name of Object.keys(headers)) {
    validateHeaderName(name)
    const value = headers[name] as string | readonly string[]
    if (typeof value === 'string') validateHeaderValue(name, value)
    else for (const line of value) validateHeaderValue(name, line)
  }
}

function failed(gates: readonly Gate[], error: unknown): Outcome {
  warnOfThrown(gates, 'SALLYPORT_GATE', 'a gate', error)
  return { kind: 'reply', reply: problem(500) }
}
