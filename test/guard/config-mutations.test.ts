import { expect, it } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import { generateKey } from '../../src/core/sealing.ts'
import type { GuardConfig } from '../../src/guard/config.ts'
import { createGuard } from '../../src/guard/create-guard.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { mutationsOf } from '../support/mutations.ts'

const sound: GuardConfig = {
  domains: ['*.example.com'],
  internalNetworks: ['10.0.0.0/8'],
  trustProxy: ['10.0.0.1'],
  unmatched: 'deny',
  tokenCache: { maxEntries: 10 },
  login: {
    url: 'https://app.example.com',
    keys: [generateKey(), { secret: 'env:KEY' }],
    store: memoryStore(),
    brand: { name: 'Example' },
  },
  integrations: {
    corp: {
      issuer: 'https://login.example.com',
      audience: ['orders'],
      algorithms: ['RS256'],
      keys: { maxAgeSeconds: 600 },
      oauth2: {
        clientId: 'client',
        clientSecret: { secret: 'env:CLIENT' },
        scopes: ['openid'],
        authorizationParameters: { prompt: 'login' },
      },
    },
  },
  routes: [
    {
      host: 'app.example.com',
      path: '/',
      methods: ['GET'],
      auth: {
        type: 'jwt',
        integration: ['corp'],
        login: true,
        claims: { email: ['*@example.com'] },
        scopes: ['orders:read'],
      },
    },
    { host: 'app.example.com', path: '/basic', auth: { type: 'basic', users: [{ username: 'a', password: 'b' }] } },
    { host: 'app.example.com', path: '/open', auth: { type: 'none' } },
  ],
}

it('whatever is wrong in one place of a configuration is a ConfigError, or nothing that matters', () => {
  expect(() => createGuard(sound)).not.toThrow()
  let refused = 0
  for (const { config, at } of mutationsOf(sound)) {
    try {
      createGuard(config)
    } catch (error) {
      refused++
      expect([at, error]).toEqual([at, expect.any(ConfigError)])
    }
  }
  expect(refused).toBeGreaterThan(300)
})
