/** A configuration that its owner changes after the gateway was made: what was checked is what counts. */
import type { OAuth2UpstreamAuth } from 'sallyport/gateway'
import { expect, test } from 'vitest'
import { identityId } from '../../src/identity/identity.ts'
import { FormBrowser } from '../support/form-browser.ts'
import { startWorld } from './world.ts'

test('consent asks for the scopes that were there when the gateway was made', async () => {
  const scopes = ['read']
  const parameters: Record<string, string> = { prompt: 'consent' }
  const auth: OAuth2UpstreamAuth = {
    type: 'oauth2',
    clientId: 'notes',
    authorizationUrl: 'https://as.example.com/authorize',
    tokenUrl: 'https://as.example.com/token',
    scopes,
    authorizationParameters: parameters,
  }
  const world = await startWorld({
    signIn: 'link',
    servers: { 'dev/notes': { url: 'https://mcp.example.com/mcp', auth } },
    access: [{ to: 'user:corp/*', on: 'dev/*' }],
  })
  scopes.push('delete_everything')
  parameters.prompt = 'none'

  const who = {
    id: identityId(world.provider.issuer, 'ann'),
    integration: 'corp',
    subject: 'ann',
    groups: [],
    claims: {},
  }
  const browser = new FormBrowser()
  const page = await browser.load(await world.gateway.connections.connectUrl({ server: 'dev/notes', who }))
  const sent = await browser.submit(page, {}, { follow: false })
  const asked = new URL(String(sent.headers.location)).searchParams
  expect([sent.status, asked.get('scope'), asked.get('prompt')]).toEqual([303, 'read', 'consent'])
})
