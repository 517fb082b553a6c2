/** What `npm run test:clients` is made of: one thing that a real client does, in front of a gateway or a server. */
import type { Stage } from './stage.ts'

/** See the top of the file. */
export interface ClientCase {
  /** As `--only` knows it: `sdk1`, `fastmcp`, `inspector`. */
  readonly client: string
  readonly title: string
  /** Programs that it cannot do without. */
  readonly needs?: readonly ClientPart[]
  /** Rejects where something is not as it should be. */
  run(stage: Stage): Promise<void>
}

/** Programs beside Node that `npm ci` does not bring. */
export type ClientPart = 'chromium' | 'fastmcp' | 'inspector'
