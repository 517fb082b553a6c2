/** The shapes of the gateway's configuration, part by part; what goes beyond shape is in `check-gateway-config.ts`. */
import { z } from 'zod'
import { callable, required, secret, strict, text } from '../core/config.ts'
import { networkProblem } from '../core/networks.ts'
import { scope } from '../identity/integration-schema.ts'
import { globProblem } from '../match/glob.ts'

const seconds = (min: number) => z.number().min(min, `at least ${min}`).max(31_536_000, 'at most 31536000 (a year)')
const whole = z.number().refine(Number.isInteger, 'must be a whole number')
const bytes = whole.min(1_024, 'at least 1024').max(1_073_741_824, 'at most 1073741824 (1 GiB)')
// Timers take no more.
const milliseconds = (min: number) => whole.min(min, `at least ${min}`).max(2_147_483_647, 'at most 2147483647')
const problems = (find: (value: string) => string | undefined) =>
  z.string().superRefine((value, context) => {
    const message = find(value)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })
const withMethods = (names: readonly string[], message: string) =>
  z.custom((value) => {
    const given = value as Readonly<Record<string, unknown>> | null | undefined
    return typeof given === 'object' && given !== null && names.every((name) => typeof given[name] === 'function')
  }, message)

/** Whether there is a refresh token is between a client and the identity provider (MCP, Authorization, Scope Selection). */
const OFFLINE = 'leave it out: clients that want a refresh token ask for it by themselves'

const STORE = 'such as sqliteStore("tokens.db") of sallyport/stores/sqlite'

/** The gateway's configuration with anything in its larger parts, which are checked by themselves. */
export const gatewaySchema = strict({
  url: required(text, 'the public origin, such as "https://gw.example.com"'),
  store: required(
    withMethods(['get', 'put', 'take', 'lease'], `expected a token store, ${STORE}`),
    `where connections, API keys and people are kept, ${STORE}`,
  ),
  keys: required(
    z.array(secret).min(1, 'must not be empty; generateKey() makes one'),
    `what the store is sealed with, such as [{ secret: 'env:TOKEN_KEY' }]; generateKey() makes one`,
  ),
  // Missing is said by whoever checks them.
  servers: z.unknown().optional(),
  virtualServers: z.unknown().optional(),
  access: z.unknown().optional(),
  decide: callable.optional(),
  integrations: z.record(z.string(), z.unknown()).optional(),
  scopes: z.array(scope.refine((each) => each !== 'offline_access', OFFLINE)).optional(),
  externalIdentities: z.unknown().optional(),
  virtualAccounts: z.unknown().optional(),
  signIn: z
    .union([z.literal('link'), withMethods(['identify', 'start'], '')], {
      error: 'expected a guard with login, { identify, start }, or "link"',
    })
    .optional(),
  directory: callable.optional(),
  maxPersonAgeSeconds: seconds(60).optional(),
  paths: strict({ connect: text.optional(), callback: text.optional() }).optional(),
  pages: strict({ path: text.optional(), brand: z.unknown().optional() }).optional(),
  recentAudit: whole.min(0, 'at least 0').max(100_000, 'at most 100000').optional(),
  callerHeaders: z.unknown().optional(),
  trustProxy: z.array(problems(networkProblem)).optional(),
  allowedHosts: z.array(text).optional(),
  allowedOrigins: z.array(text).optional(),
  limits: strict({
    maxBodyBytes: bytes.optional(),
    maxAnswerBytes: bytes.optional(),
    connectMs: milliseconds(1).optional(),
    answerMs: milliseconds(1).optional(),
    silenceMs: milliseconds(0).optional(),
    connections: whole.min(1, 'at least 1').max(65_535, 'at most 65535').optional(),
    callsPerCaller: whole.min(1, 'at least 1').max(65_535, 'at most 65535').optional(),
    streamsPerCaller: whole.min(0, 'at least 0').max(65_535, 'at most 65535').optional(),
    maxKeys: whole.min(100, 'at least 100').max(10_000_000, 'at most 10000000').optional(),
    maxValues: whole.min(100, 'at least 100').max(10_000_000, 'at most 10000000').optional(),
    recheckMs: milliseconds(10).optional(),
  }).optional(),
  sessionSeconds: seconds(60).optional(),
  linkSeconds: seconds(30).optional(),
  audit: callable.optional(),
  secrets: callable.optional(),
  fetch: callable.optional(),
  dispatcher: withMethods(['dispatch'], 'expected an undici Dispatcher').optional(),
  clock: withMethods(['now'], 'expected { now() }').optional(),
})

/** `callerHeaders`, where it is not `false`. */
export const callerHeadersSchema = strict({
  allow: z.array(problems(headerGlobProblem)).min(1, 'must not be empty; write false to turn it off').optional(),
  maxBytes: whole.min(2, 'at least 2').max(65_536, 'at most 65536').optional(),
})

/** A server with anything as its `auth`. */
export const serverSchema = strict({
  url: required(text, 'its Streamable HTTP endpoint, such as "https://mcp.example.com/mcp"'),
  // Missing is said by whoever checks it.
  auth: z.unknown().optional(),
  id: text.optional(),
  label: text.max(100, 'at most 100 characters').optional(),
  description: text.max(1_000, 'at most 1000 characters').optional(),
  signal: z.enum(['best', 'text']).optional(),
  era: z.enum(['legacy', 'modern']).optional(),
  bridge: z.boolean().optional(),
  exactArguments: z.boolean().optional(),
  allowInsecureHttp: z.boolean().optional(),
})

/** RFC 9110 §5.1: a token, here with stars, which are also of its characters. */
function headerGlobProblem(glob: string): string | undefined {
  if (!/^[!#$%&'*+.^_`|~\w-]+$/.test(glob)) return `"${glob}" is not the name of a header, nor a pattern of names`
  return globProblem(glob)
}
