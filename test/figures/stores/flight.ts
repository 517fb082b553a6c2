/** A refresh in another process that stands still at the authorization server, before or after it has been redeemed. */
import type { Hooks } from './auth-server.ts'
import type { Crew, Lab } from './crew.ts'
import type { Ledger } from './ledger.ts'
import type { Member } from './member.ts'
import type { Answer } from './protocol.ts'
import { createGate, type Gate } from './wait.ts'

/** Where a request stands still. */
export type Stop = 'arrived' | 'processed'

/** See the top of the file. */
export interface Flight {
  readonly worker: string
  readonly member: Member | undefined
  /** Lets the authorization server go on. */
  go(): void
  readonly answer: Promise<Answer>
}

/** Refreshes that stand still. */
export interface Flights {
  readonly ledger: Ledger
  start(connection: string, stop: Stop): Promise<Flight>
}

/** Every connection's first request stands still; later ones, by whoever, do not. */
export function createFlights(lab: Lab, crew: Crew): Flights {
  const waiting = new Map<string, { stop: Stop; reached: Gate; go: Gate }>()
  async function standStill(stop: Stop, connection: string): Promise<void> {
    const flight = waiting.get(connection)
    if (flight?.stop !== stop) return
    waiting.delete(connection)
    flight.reached.open()
    await flight.go.passed
  }
  const hooks: Hooks = {
    alive: crew.isAlive,
    async arrived({ connection }) {
      await standStill('arrived', connection)
      return undefined
    },
    processed: ({ connection }) => standStill('processed', connection),
  }
  const ledger = lab.server.begin(hooks)
  return {
    ledger,
    async start(connection, stop) {
      const [reached, go] = [createGate(), createGate()]
      waiting.set(connection, { stop, reached, go })
      const member = lab.backend.name === 'memory' ? undefined : await crew.hire()
      const answer = (member ?? crew.desk).order({ kind: 'ask', connection, refuse: true })
      await reached.passed
      return { worker: member?.worker ?? 'desk', member, go: go.open, answer }
    },
  }
}
