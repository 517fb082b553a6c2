/** The two authorization servers: the company's identity provider, and that of a service which users connect. Both are real. */
import type { Configuration, KoaContextWithOIDC } from 'oidc-provider'
import { API, type LoginClient, type LoginProvider, startLoginProvider } from '../support/login-provider.ts'

/** Everybody there is: each case takes somebody new. */
export const PEOPLE: readonly string[] = ['alice', ...Array.from({ length: 99 }, (_, index) => `person${index + 1}`)]
/** The client at the identity provider that stands for an application with users of its own, which brings their JWTs. */
export const APPLICATION = 'application'

/** The identity provider: `sub` is the person's name. Clients may register themselves (RFC 7591). */
export async function startIdentityProvider(clients: readonly LoginClient[]): Promise<LoginProvider> {
  const { interactionPolicy } = await import('oidc-provider')
  const policy = interactionPolicy.base()
  // Its form signs in only. A native client, and one that wants `offline_access`, would have it asked for consent for ever.
  policy.get('consent')?.checks.clear()
  return startLoginProvider({
    clients,
    people: Object.fromEntries(PEOPLE.map((name) => [name, claimsOf(name)])),
    adjust: (configuration) => ({
      ...granting(configuration, 'orders:read'),
      interactions: { ...configuration.interactions, policy },
      features: {
        ...granting(configuration, 'orders:read').features,
        registration: { enabled: true, initialAccessToken: false },
      },
    }),
  })
}

/** The service's: the same people have other names there, so that a token of one is never taken for the other's. */
export function startServiceProvider(port: number, client: LoginClient): Promise<LoginProvider> {
  return startLoginProvider({
    port,
    clients: [client],
    people: Object.fromEntries(PEOPLE.map((name) => [nameAtService(name), claimsOf(name)])),
    adjust: (configuration) => ({
      ...granting(configuration, 'notes:read'),
      // Browsers do not tell the ports of one host apart.
      cookies: {
        keys: ['only-for-tests'],
        names: { session: 'service_session', interaction: 'service_interaction', resume: 'service_resume' },
      },
    }),
  })
}

/** What a person is called by the service that they connect. */
export function nameAtService(person: string): string {
  return `${person}-at-notes`
}

function claimsOf(name: string): Record<string, unknown> {
  return { email: `${name}@example.com`, email_verified: true, name, groups: ['staff'] }
}

/** Grants every client what it asks for, for the resource that it asks for it (RFC 8707). */
function granting(configuration: Configuration, scope: string): Configuration {
  return {
    ...configuration,
    async loadExistingGrant({ oidc }: KoaContextWithOIDC) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client?.clientId ?? '',
        accountId: oidc.session?.accountId ?? '',
      })
      grant.addOIDCScope('openid email profile offline_access')
      for (const resource of [oidc.params?.resource ?? API].flat()) grant.addResourceScope(String(resource), scope)
      await grant.save()
      return grant
    },
    features: {
      ...configuration.features,
      // Said, so that it prints no notice about the default.
      revocation: { enabled: true, allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          audience: resource,
          scope,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
  }
}
