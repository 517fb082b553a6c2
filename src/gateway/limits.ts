/** The bounds of a gateway, with what is left out filled in. */
import { withDefaults } from '../core/defaults.ts'
import { DEFAULT_SCAN_LIMITS } from '../mcp/key-scan.ts'
import type { GatewayLimits } from './config.ts'

const MIB = 1024 * 1024
const { maxKeys = Number.POSITIVE_INFINITY, maxValues = Number.POSITIVE_INFINITY } = DEFAULT_SCAN_LIMITS

const DEFAULTS: Required<GatewayLimits> = Object.freeze({
  maxBodyBytes: 4 * MIB,
  maxKeys,
  maxValues,
  maxAnswerBytes: 16 * MIB,
  connectMs: 5_000,
  answerMs: 60_000,
  silenceMs: 0,
  connections: 256,
  callsPerCaller: 64,
  streamsPerCaller: 128,
  recheckMs: 15_000,
})

/** `given`, complete. */
export function limitsOf(given?: GatewayLimits): Required<GatewayLimits> {
  return withDefaults(DEFAULTS, given)
}
