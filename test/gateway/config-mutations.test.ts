import { expect, it } from 'vitest'
import { ConfigError } from '../../src/core/errors.ts'
import { generateKey } from '../../src/core/sealing.ts'
import { checkGatewayConfig, checkLiveConfig } from '../../src/gateway/check-gateway-config.ts'
import type { GatewayConfig } from '../../src/gateway/config.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { mutationsOf } from '../support/mutations.ts'

const client = { clientId: 'gateway', clientSecret: 'secret' }

const sound: GatewayConfig = {
  url: 'https://gw.example.com',
  store: memoryStore(),
  keys: [generateKey(), { secret: 'env:KEY' }],
  integrations: { corp: { issuer: 'https://login.example.com', audience: 'gateway' } },
  externalIdentities: { acme: { integration: 'corp', claims: { org: 'acme' } } },
  virtualAccounts: { ci: { description: 'nightly', owners: ['user:corp/alice@example.com'], groups: ['agents'] } },
  signIn: { integrations: ['corp'], identify: async () => null, start: async () => ({ status: 302, headers: {} }) },
  scopes: ['mcp'],
  paths: { connect: '/connect', callback: '/callback' },
  pages: { path: '/gateway', brand: { name: 'Example' } },
  callerHeaders: { allow: ['x-tenant'] },
  limits: { maxBodyBytes: 2048 },
  trustProxy: ['10.0.0.1'],
  allowedHosts: ['gw.example.com'],
  allowedOrigins: ['https://app.example.com'],
  servers: {
    'data/header': {
      url: 'https://header.example.com/mcp',
      auth: {
        type: 'header',
        headers: { authorization: 'Bearer {{token}}' },
        values: { token: 'x' },
        overrides: [{ to: 'user:corp/*', values: { token: 'y' } }],
      },
    },
    'data/oauth2': {
      url: 'https://oauth2.example.com/mcp',
      auth: {
        type: 'oauth2',
        ...client,
        authorizationUrl: 'https://as.example.com/authorize',
        tokenUrl: 'https://as.example.com/token',
        scopes: ['read'],
        authorizationParameters: { prompt: 'consent' },
      },
    },
    'data/exchange': {
      url: 'https://exchange.example.com/mcp',
      auth: { type: 'token_exchange', issuer: 'https://login.example.com', ...client },
    },
    'data/assertion': {
      url: 'https://assertion.example.com/mcp',
      auth: {
        type: 'identity_assertion',
        idp: { issuer: 'https://login.example.com', ...client },
        issuer: 'https://as.example.com',
        ...client,
        scopes: ['read'],
      },
    },
    'data/service': {
      url: 'https://service.example.com/mcp',
      auth: { type: 'client_credentials', issuer: 'https://as.example.com', ...client },
    },
    'data/passthrough': {
      url: 'https://passthrough.example.com/mcp',
      auth: { type: 'passthrough', audience: ['gateway'] },
    },
    'data/open': { url: 'https://open.example.com/mcp', auth: { type: 'none' } },
  },
  virtualServers: {
    'team/tools': {
      tools: { 'data/header': { include: ['search'], rename: { search: 'find' }, prefix: 'h_' }, 'data/oauth2': '*' },
      prompts: { 'data/header': '*' },
      resources: { 'data/header': ['docs://*'] },
    },
  },
  access: [
    { to: ['user:corp/*'], on: 'data/header', tools: ['find*'], arguments: { dataset: ['public/*'] } },
    { to: 'external-identity:acme', on: ['team/tools'] },
  ],
}

it('whatever is wrong in one place of a configuration is a ConfigError, or nothing that matters', () => {
  expect(() => checkGatewayConfig(sound)).not.toThrow()
  let refused = 0
  for (const { config, at } of mutationsOf(sound)) {
    try {
      checkGatewayConfig(config)
    } catch (error) {
      refused++
      expect([at, error]).toEqual([at, expect.any(ConfigError)])
    }
  }
  expect(refused).toBeGreaterThan(800)
})

it('and so it is where only what can change is checked', () => {
  const { servers, virtualServers, access, virtualAccounts = {}, externalIdentities = {} } = sound
  const live = { servers, virtualServers, access, virtualAccounts, externalIdentities }
  expect(() => checkLiveConfig(live as never, sound)).not.toThrow()
  let refused = 0
  for (const { config, at } of mutationsOf(live)) {
    try {
      checkLiveConfig(config as never, sound)
    } catch (error) {
      refused++
      expect([at, error]).toEqual([at, expect.any(ConfigError)])
    }
  }
  expect(refused).toBeGreaterThan(600)
})
