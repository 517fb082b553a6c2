/** What the presets share: the options of every client, and the check of options, which names the one that is wrong. */
import { z } from 'zod'
import { check, secret, strict, text } from '../../core/config.ts'
import { ConfigError, type ConfigProblem } from '../../core/errors.ts'
import type { Secret } from '../../core/secrets.ts'
import type { Integration, OAuth2 } from '../../identity/integration.ts'
import { scope } from '../../identity/integration-schema.ts'

/** What every preset takes. */
export interface PresetOptions {
  /** The client's id, as the provider shows it. */
  readonly clientId: string
  /** The client's secret, or where it is. Leave it out for a public client, which has none. */
  readonly clientSecret?: Secret
  /** Scopes in place of the preset's own. */
  readonly scopes?: readonly string[]
  /** Added to the authorization request, say `{ prompt: 'select_account' }`. */
  readonly authorizationParameters?: Readonly<Record<string, string>>
  /** Asks the userinfo endpoint too when people sign in, for claims that the judged token does not have: an e-mail address, say. */
  readonly userInfo?: boolean
  /** What people know the provider as, where they have to choose; the integration's name by default. */
  readonly label?: string
}

/** An integration that people can sign in with. */
export type SignInIntegration = Integration & { readonly oauth2: OAuth2 }

const clientShape = {
  clientId: text,
  clientSecret: secret.optional(),
  scopes: z.array(scope).min(1, 'must not be empty').optional(),
  authorizationParameters: z.record(z.string(), z.string()).optional(),
  userInfo: z.boolean().optional(),
  label: text.optional(),
}

/** A host name and nothing else: what people paste from the address bar has a scheme in front. */
export const host = z.string().superRefine((value, context) => {
  if (/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/i.test(value)) return
  const inside = /^https?:/i.test(value) && URL.canParse(value) ? new URL(value).hostname : 'login.example.com'
  // Not repeated: a URL can hold a password.
  context.addIssue({ code: 'custom', message: `expected a host name and nothing else, such as "${inside}"` })
})

/** Whom tokens must be for. */
export const audiences = z.union([text, z.array(text).min(1, 'must not be empty')], {
  error: 'expected a text or a list of texts',
})

/** The shape of the options of one preset. */
export function optionsSchema<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return strict({ ...clientShape, ...shape })
}

/** @throws ConfigError (`ERR_CONFIG`) with everything that is wrong with the `options` of `preset`. */
export function checkOptions<Options extends object>(
  preset: string,
  schema: z.ZodType,
  options: Options,
  more: (options: Options, add: (option: string, message: string) => void) => void = () => {},
): void {
  const problems: ConfigProblem[] = []
  if (check(schema, options, preset, problems)) {
    more(options, (option, message) => problems.push({ path: `${preset}.${option}`, message }))
  }
  if (problems.length > 0) throw new ConfigError(problems)
}

/** The client that `options` describe, with `parameters` on the authorization request. */
export function clientOf(
  options: PresetOptions,
  scopes: readonly string[],
  parameters: Readonly<Record<string, string>> = {},
): OAuth2 {
  const { clientId, clientSecret, userInfo, label } = options
  const authorizationParameters = { ...options.authorizationParameters, ...parameters }
  return {
    clientId,
    ...(clientSecret === undefined ? {} : { clientSecret }),
    scopes: options.scopes ?? scopes,
    ...(Object.keys(authorizationParameters).length === 0 ? {} : { authorizationParameters }),
    ...(userInfo === undefined ? {} : { userInfo }),
    ...(label === undefined ? {} : { label }),
  }
}
