/** What the checks have at hand. */
import type { Decision, KeyReport } from 'sallyport'
import type { Demo } from '../servers.ts'
import type { DemoTokens } from '../tokens.ts'
import type { Walk } from '../walk.ts'

/** The running demo, the walk, the tokens, and everything that the guard has told. */
export interface Stage {
  readonly demo: Demo
  readonly walk: Walk
  readonly tokens: DemoTokens
  readonly decisions: readonly Decision[]
  readonly keyReports: readonly KeyReport[]
}

/** A part of the walk. */
export type Chapter = (stage: Stage) => Promise<void>
