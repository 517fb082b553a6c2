/** All scenarios on inbound authorization. */
import { AUDIENCE } from './audience.ts'
import { CHALLENGES } from './challenges.ts'
import { RESOURCE_METADATA } from './resource-metadata.ts'
import type { AuthorizationScenario } from './scenario.ts'
import { SCOPE_STEP_UP } from './scope-step-up.ts'

/** See the top of the file. */
export const AUTHORIZATION_SCENARIOS: readonly AuthorizationScenario[] = [
  RESOURCE_METADATA,
  CHALLENGES,
  AUDIENCE,
  SCOPE_STEP_UP,
]
