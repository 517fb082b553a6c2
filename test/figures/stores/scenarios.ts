/** Everything that is measured on one store, one after another. */
import type { Lab } from './crew.ts'
import { type KillFigures, measureKills } from './kills.ts'
import { measureOutage, type OutageFigures } from './outage.ts'
import { measureReconnect, type ReconnectFigures } from './reconnect.ts'
import { measureRefreshes, type RefreshFigures } from './refreshes.ts'
import { measureSigstop, type SigstopFigures } from './sigstop.ts'
import { measureSpeed, type SpeedFigures } from './speed.ts'

/** How much is done. */
export interface Extent {
  readonly refreshes: number
  readonly kills: number
  /** How often each case of a stopped process, or of a reconnected account, is tried. */
  readonly each: number
  readonly speedMs: number
}

/** The figures of one store, as they go into the JSON. */
export type StoreFigures = RefreshFigures &
  Partial<KillFigures> & {
    readonly outage?: OutageFigures
    readonly sigstop?: SigstopFigures
    readonly reconnect: ReconnectFigures
  } & SpeedFigures

/** @param tell - told of each scenario when it is over, and how long it took */
export async function measureStore(
  lab: Lab,
  extent: Extent,
  tell: (scenario: string, figures: object | undefined, ms: number) => void,
): Promise<StoreFigures> {
  async function timed<T extends object | undefined>(scenario: string, work: () => Promise<T>): Promise<T> {
    const began = performance.now()
    const figures = await work()
    tell(scenario, figures, performance.now() - began)
    return figures
  }

  const refreshes = await timed('refreshes', () => measureRefreshes(lab, extent.refreshes))
  const kills = await timed('SIGKILL', () => measureKills(lab, extent.kills, extent.refreshes))
  const outage = await timed('outage', () => measureOutage(lab))
  const sigstop = await timed('SIGSTOP', () => measureSigstop(lab, extent.each))
  const reconnect = await timed('reconnect', () => measureReconnect(lab, extent.each))
  const speed = await timed('speed', () => measureSpeed(lab, extent.speedMs))
  return {
    ...refreshes,
    ...kills,
    ...(outage === undefined ? {} : { outage }),
    ...(sigstop === undefined ? {} : { sigstop }),
    reconnect,
    ...speed,
  }
}
