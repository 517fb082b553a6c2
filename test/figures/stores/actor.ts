/** One user of a store, as a process of an application is one: a refresher, and loops that want tokens. */
import { setTimeout as pause } from 'node:timers/promises'
import { messageOf } from '../../../src/core/errors.ts'
import { createRefresher, type FoundTokens } from '../../../src/store/refresher.ts'
import type { TokenStore } from '../../../src/store/token-store.ts'
import { type Answer, type FigureTokens, keyOf, type Order, type Report, type Setup } from './protocol.ts'
import { upstream } from './upstream.ts'

/** Carries out orders. */
export interface Actor {
  order(order: Order): Promise<Answer>
}

/** An actor over `store`, which it does not close. */
export function createActor(setup: Setup, store: TokenStore, report: (report: Report) => void): Actor {
  const { redeem, revoke } = upstream(setup.issuer, setup.worker)
  const refresher = createRefresher<FigureTokens>({
    store,
    times: setup.times,
    redeem,
    revoke,
    expiresAt: (tokens) => tokens.expiresAt,
    canRefresh: () => true,
    report({ key, kind, detail }) {
      report({ kind: 'event', connection: key.owner, event: kind, ...(detail === undefined ? {} : { detail }) })
    },
  })
  let stopped = false

  async function ask(connection: string, rejected?: string): Promise<FoundTokens<FigureTokens> | undefined> {
    try {
      const found = await refresher.tokens(keyOf(connection), rejected === undefined ? {} : { rejected })
      if (found.kind !== 'tokens') report({ kind: 'result', connection, result: found.kind })
      return found
    } catch (error) {
      report({ kind: 'result', connection, result: 'error', message: messageOf(error) })
      return undefined
    }
  }

  async function loop(connection: string, target: number, pauseMs: number): Promise<void> {
    while (!stopped) {
      const found = await ask(connection)
      if (found?.kind === 'tokens') {
        if (found.tokens.rotation >= target) return
        await ask(connection, found.stamp)
      } else await pause(50)
      if (pauseMs > 0) await pause(pauseMs * Math.random() * 2)
    }
  }

  return {
    async order(order) {
      switch (order.kind) {
        case 'loop': {
          stopped = false
          const { connections, target = Number.POSITIVE_INFINITY, pauseMs = 0 } = order
          await Promise.all(connections.map((connection) => loop(connection, target, pauseMs)))
          return { kind: 'done' }
        }
        case 'stop':
          stopped = true
          return { kind: 'done' }
        case 'ask': {
          const first = await ask(order.connection)
          const found = order.refuse && first?.kind === 'tokens' ? await ask(order.connection, first.stamp) : first
          if (found === undefined) return { kind: 'error' }
          return found.kind === 'tokens' ? { kind: 'tokens', tokens: found.tokens } : { kind: found.kind }
        }
        case 'connect':
          await refresher.connect(keyOf(order.connection), order.tokens)
          return { kind: 'done' }
        case 'disconnect':
          await refresher.disconnect(keyOf(order.connection))
          return { kind: 'done' }
        case 'close':
          stopped = true
          await refresher.close()
          return { kind: 'done' }
      }
    },
  }
}
