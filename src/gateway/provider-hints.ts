/** What well-known authorization servers do otherwise than the specifications say, and what to configure for them. */
import type { OAuth2UpstreamAuth } from '../broker/upstream-auth.ts'

/** One of their habits. */
export interface ProviderHint {
  readonly message: string
  /** Keys of `auth`. */
  readonly auth: Readonly<Record<string, unknown>>
}

interface Habit extends ProviderHint {
  readonly host: RegExp
  /** Whether the configuration has it already. */
  isKnown(auth: Partial<OAuth2UpstreamAuth>): boolean
}

const HABITS: readonly Habit[] = [
  {
    host: /(?:^|\.)login\.microsoftonline\.com$/,
    message: 'Microsoft Entra ID refuses resource (RFC 8707): the API is named by the scope',
    auth: { resource: false, scopes: ['<api://.../.default>', 'offline_access'] },
    isKnown: ({ resource }) => resource === false,
  },
  {
    host: /^accounts\.google\.com$/,
    message:
      'Google gives a refresh token only when asked with parameters of its own, and does not know resource (RFC 8707)',
    auth: { resource: false, authorizationParameters: { access_type: 'offline', prompt: 'consent' } },
    isKnown: ({ authorizationParameters }) => authorizationParameters?.access_type === 'offline',
  },
  {
    host: /^github\.com$/,
    message: 'GitHub has no metadata and registers nobody: its endpoints and a client id have to be written out',
    auth: {
      clientId: '<of an app that you have registered>',
      clientSecret: { secret: '<env:...>' },
      authorizationUrl: 'https://github.com/login/oauth/authorize',
      tokenUrl: 'https://github.com/login/oauth/access_token',
    },
    isKnown: ({ authorizationUrl }) => authorizationUrl !== undefined,
  },
  {
    host: /(?:^|\.)slack\.com$/,
    message: "Slack's user tokens are inside authed_user, and user scopes have a parameter of their own",
    auth: { tokensIn: 'authed_user', authorizationParameters: { user_scope: '<search:read ...>' } },
    isKnown: ({ tokensIn }) => tokensIn !== undefined,
  },
]

/** The habit of an issuer that the configuration has yet to take into account. */
export function providerHint(issuer: string, auth: Partial<OAuth2UpstreamAuth> = {}): ProviderHint | undefined {
  if (!URL.canParse(issuer)) return undefined
  const { hostname } = new URL(issuer)
  const habit = HABITS.find(({ host }) => host.test(hostname))
  return habit === undefined || habit.isKnown(auth) ? undefined : { message: habit.message, auth: habit.auth }
}
