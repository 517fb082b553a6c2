/** Everybody who works on a store in one scenario, and what they have reported. */

import type { RefreshTimes } from '../../../src/store/refresh-settings.ts'
import { sealed } from '../../../src/store/sealed.ts'
import type { TokenStore } from '../../../src/store/token-store.ts'
import { type Actor, createActor } from './actor.ts'
import type { AuthServer } from './auth-server.ts'
import type { Backend } from './backends.ts'
import { type Member, startMember } from './member.ts'
import { openStore, PATIENT_MS } from './open-store.ts'
import type { Report, Setup } from './protocol.ts'

/** What a scenario works with. */
export interface Lab {
  readonly backend: Backend
  readonly server: AuthServer
  /** The compiled worker. */
  readonly workerPath: string
  readonly sealingKey: string
  /** What must hold and did not; plain sentences. */
  readonly violations: string[]
}

/** See the top of the file. */
export interface Crew {
  /** The harness itself: seeds, reconnects, looks. */
  readonly desk: Actor
  readonly store: TokenStore
  readonly reports: readonly { readonly worker: string; readonly report: Report }[]
  /** How often an event, or a result, was reported; by one worker or by all. */
  count(what: string, worker?: string): number
  /** Starts another process. */
  hire(): Promise<Member>
  isAlive(worker: string): boolean
  /** Puts new accounts in; their names. */
  seed(names: readonly string[]): Promise<void>
  close(): Promise<void>
}

let hired = 0

/**
 * @param onReport - told of every report as it comes
 * @param timeoutMs - how long the stores of workers wait for an answer; the desk is always patient
 */
export function createCrew(
  lab: Lab,
  times: Partial<RefreshTimes>,
  onReport: (report: Report, worker: string) => void = () => {},
  timeoutMs = PATIENT_MS,
): Crew {
  const { backend, sealingKey, server } = lab
  const members = new Map<string, Member>()
  const reports: { worker: string; report: Report }[] = []
  const store = sealed(openStore(backend.name, backend.url, PATIENT_MS), [sealingKey])

  function setupOf(worker: string): Setup {
    return { worker, backend: backend.name, url: backend.url, sealingKey, issuer: server.issuer, times, timeoutMs }
  }

  function note(worker: string) {
    return (report: Report) => {
      reports.push({ worker, report })
      onReport(report, worker)
    }
  }

  const desk = createActor(setupOf('desk'), store, note('desk'))
  return {
    desk,
    store,
    reports,
    count(what, worker) {
      const wanted = reports.filter((one) => worker === undefined || one.worker === worker)
      return wanted.filter(({ report }) => (report.kind === 'event' ? report.event : report.result) === what).length
    },
    async hire() {
      const worker = `worker-${++hired}`
      const member = await startMember(lab.workerPath, setupOf(worker), note(worker))
      members.set(worker, member)
      return member
    },
    isAlive: (worker) => worker === 'desk' || members.get(worker)?.alive === true,
    async seed(names) {
      for (const connection of names) {
        const tokens = await server.issue(connection)
        await desk.order({ kind: 'connect', connection, tokens })
      }
    },
    async close() {
      await Promise.all([...members.values()].filter(({ alive }) => alive).map((member) => member.close()))
      await desk.order({ kind: 'close' })
      await store.close()
    },
  }
}
