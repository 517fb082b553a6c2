/**
 * The configuration of the gateway: MCP servers, one for each way in, virtual servers with something of each, and who may use
 * what. A reader who wants to know what the gateway can do reads this file.
 */
import type { Guard, TokenStore } from 'sallyport'
import { type AuditEvent, createGateway, type Gateway, type McpServer, type VirtualMcpServer } from 'sallyport/gateway'
import type { Place } from './guard.ts'
import { TOOLS_API } from './provider-clients.ts'
import { CODE_SCOPE } from './upstreams/code.ts'
import { HUB_KEY } from './upstreams/hub.ts'

/** The client that the gateway is at the authorization server of `dev/code`. */
export const CODE_CLIENT = { id: 'the-gateway', secret: 'secret-of-the-gateway' }

/** What `{ secret: 'vault:…' }` means here: any function will do. */
const VAULT: Readonly<Record<string, string>> = { 'vault:hub': HUB_KEY, 'vault:code': CODE_CLIENT.secret }
/** Where people see their servers, connect them, and make tokens. */
export const PAGES = '/gateway'
/** Every secret in the configuration; none of them may turn up in an event. */
export const GATEWAY_SECRETS = Object.values(VAULT)

/** What the configuration cannot know before the demo has started. */
export interface GatewaySurroundings {
  /** Where connections, keys and people are kept. */
  readonly store: TokenStore
  /** What seals them. */
  readonly key: string
  /** The issuers of the identity providers, and of the authorization server of `dev/code`. */
  readonly corp: string
  readonly branch: string
  readonly code: string
  /** URLs of the MCP servers. */
  readonly upstreams: Readonly<Record<'calculator' | 'hub' | 'code' | 'orders', string>>
  readonly audit: (event: AuditEvent) => void
}

/** A server with a key for everybody, one with accounts of people's own, and one that takes the caller's JWT. */
const ASSISTANT: VirtualMcpServer = {
  description: 'What the team works with every day',
  tools: {
    'data/hub': { include: ['search_*'], rename: { search_dataset: 'find_rows' } },
    'dev/code': { include: ['list_*', 'who_am_i'], prefix: 'code_' },
    'dev/review': { rename: { who_am_i: 'reviewer' }, include: ['who_am_i'] },
    'core/orders': ['my_orders'],
  },
  prompts: { 'data/hub': ['summarise'] },
}

/** The gateway of `server`, where the guard signs people in. */
export function createDemoGateway(server: Place, guard: Guard, surroundings: GatewaySurroundings): Gateway {
  const { store, key, corp, branch, code, upstreams, audit } = surroundings
  const ownAccount: McpServer = {
    url: upstreams.code,
    auth: {
      type: 'oauth2',
      issuer: code,
      clientId: CODE_CLIENT.id,
      clientSecret: { secret: 'vault:code' },
      scopes: [CODE_SCOPE],
    },
  }
  return createGateway({
    url: server.url,
    store,
    keys: [key],
    secrets: (name) => VAULT[name],
    trustProxy: ['loopback'],
    // B2: consent is given by the person whose agent asked for it, and the guard can tell who somebody is.
    signIn: guard,
    // G13: the gateway's own pages.
    pages: { path: PAGES, brand: { name: 'Demo' } },
    audit,

    // G3: whose JWTs are let in. Endpoints and keys are found through the issuer.
    integrations: {
      corp: { issuer: corp, audience: TOOLS_API, clockToleranceSeconds: 1 },
      customers: { issuer: branch, audience: TOOLS_API, clockToleranceSeconds: 1 },
    },
    externalIdentities: {
      acme: { integration: 'customers', claims: { org: 'acme' }, description: 'the people of a customer' },
    },
    // G2: a service with an identity of its own.
    virtualAccounts: {
      nightly: { description: 'an agent that runs at night', owners: ['user:corp/alice@example.com'] },
    },

    // G6, G7, G8, G10, G11: the four models, side by side.
    servers: {
      'public/calculator': { url: upstreams.calculator, auth: { type: 'none' } },
      'data/hub': {
        id: 'hub',
        url: upstreams.hub,
        auth: {
          type: 'header',
          headers: { authorization: 'Bearer {{key}}' },
          values: { key: { secret: 'vault:hub' } },
        },
      },
      'dev/code': { label: 'Code', ...ownAccount },
      // The same vendor once more: people connect the two separately.
      'dev/review': { label: 'Review', ...ownAccount },
      'core/orders': { url: upstreams.orders, auth: { type: 'passthrough', audience: TOOLS_API } },
    },
    // G5: chosen tools of several servers under one endpoint.
    virtualServers: {
      'team/assistant': { ...ASSISTANT, require: 'all' },
      'team/anything': { ...ASSISTANT, require: 'any' },
    },

    // G4, G15: what is not given here, nobody has.
    access: [
      { to: ['user:corp/*', 'external-identity:acme'], on: 'public/*' },
      { to: 'group:corp/dev-*', on: 'dev/*' },
      { to: 'group:corp/staff', on: 'core/orders' },
      {
        to: ['group:corp/staff', 'virtual-account:nightly'],
        on: 'data/hub',
        tools: ['search_*'],
        arguments: { dataset: ['public/*'] },
      },
      { to: 'virtual-account:nightly', on: 'dev/code', tools: ['list_*'] },
      { to: 'external-identity:acme', on: 'dev/code', tools: ['list_*', 'who_am_i'] },
      // Enough for what is chosen there: bob, for one, has no role on dev/code itself.
      { to: 'group:corp/staff', on: 'team/*' },
    ],
  })
}
