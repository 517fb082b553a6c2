/**
 * Kills processes at every moment of a refresh: at random, before the authorization
 * server has looked at the request, while it does, before the answer, and after it
 * (while the new tokens are being written).
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Hooks } from './auth-server.ts'
import type { TokenRequest } from './ledger.ts'
import type { Member } from './member.ts'

/** When a process was killed. */
export const MOMENTS = ['random', 'before', 'during', 'redeemed', 'answered'] as const
export type Moment = (typeof MOMENTS)[number]

/** See the top of the file. */
export interface Killer {
  readonly hooks: Pick<Hooks, 'arrived' | 'processed' | 'answered'>
  /** How many were killed at which moment. */
  readonly kills: Readonly<Record<Moment, number>>
  /** Kills one process, as soon as the moment has come; resolves when it is done. */
  kill(moment: Moment): Promise<void>
}

/** Whoever waits for a moment longer takes a random one. */
const PATIENCE_MS = 1_000

/**
 * @param members - who is there now
 * @param died - told of every death
 */
export function createKiller(members: () => readonly Member[], died: (worker: string) => void): Killer {
  const kills = { random: 0, before: 0, during: 0, redeemed: 0, answered: 0 }
  let wanted: { moment: Moment; done: () => void } | undefined

  function strike(member: Member | undefined, moment: Moment): boolean {
    if (member === undefined || !member.alive) return false
    member.signal('SIGKILL')
    kills[moment]++
    died(member.worker)
    return true
  }

  /** Whether somebody waits for this moment, and the process died of it. */
  function at(moment: Moment, { worker }: TokenRequest): boolean {
    if (wanted?.moment !== moment) return false
    if (!strike(find(worker), moment)) return false
    wanted.done()
    wanted = undefined
    return true
  }

  function find(worker: string): Member | undefined {
    return members().find((member) => member.worker === worker)
  }

  function strikeAny(): void {
    const alive = members().filter((member) => member.alive)
    strike(alive[Math.floor(Math.random() * alive.length)], 'random')
  }

  return {
    kills,
    hooks: {
      async arrived(request) {
        if (at('before', request)) return 'drop'
        // The others reach the server a little later, so that there is a time in between.
        await pause(Math.random() * 5)
        at('during', request)
        return undefined
      },
      async processed(request) {
        await pause(Math.random() * 5)
        at('redeemed', request)
      },
      answered(request) {
        setTimeout(() => at('answered', request), Math.random() * 20)
      },
    },
    async kill(moment) {
      await pause(Math.random() * 40)
      if (moment === 'random') return strikeAny()
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          wanted = undefined
          strikeAny()
          resolve()
        }, PATIENCE_MS)
        wanted = {
          moment,
          done() {
            clearTimeout(timer)
            resolve()
          },
        }
      })
    },
  }
}
