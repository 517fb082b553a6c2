/** What the checks have at hand. */
import type { Decision, KeyReport, LoginEvent } from 'sallyport'
import type { Browser } from '../browser.ts'
import type { GatewayTokens } from '../gateway-tokens.ts'
import type { Demo } from '../servers.ts'
import type { DemoTokens } from '../tokens.ts'
import type { Walk } from '../walk.ts'

/** The running demo, the walk, the tokens, and everything that the guards have told. */
export interface Stage {
  readonly demo: Demo
  readonly walk: Walk
  readonly tokens: DemoTokens
  /** A browser that nobody has used yet. */
  newBrowser(): Browser
  /** All of those so far. */
  readonly browsers: readonly Browser[]
  readonly decisions: readonly Decision[]
  readonly keyReports: readonly { readonly server: string; readonly report: KeyReport }[]
  readonly logins: readonly LoginEvent[]
}

/** A part of the walk. */
export type Chapter = (stage: Stage) => Promise<void>

/** The same for the gateway. */
export interface GatewayStage extends Pick<Stage, 'demo' | 'walk' | 'newBrowser' | 'browsers'> {
  readonly tokens: GatewayTokens
}

/** A part of the walk that is about the gateway. */
export type GatewayChapter = (stage: GatewayStage) => Promise<void>
