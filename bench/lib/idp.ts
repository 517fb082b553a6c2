/** The identity provider: a static key set on loopback, with discovery, in a process of its own. Counts key set fetches. */
import { createServer } from 'node:http'
import { contextFromParent, serve } from './child.ts'

const { keys } = contextFromParent<{ keys: readonly unknown[] }>()
const keySet = JSON.stringify({ keys })
let fetches = 0

const server = createServer((req, res) => {
  const issuer = `http://${req.headers.host}`
  const answers: Record<string, () => string> = {
    '/.well-known/jwks.json': () => {
      fetches += 1
      return keySet
    },
    '/.well-known/openid-configuration': () =>
      JSON.stringify({ issuer, jwks_uri: `${issuer}/.well-known/jwks.json`, response_types_supported: ['code'] }),
    '/fetches': () => String(fetches),
  }
  const answer = answers[req.url ?? '']
  res.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
  res.end(answer?.())
})
serve(server)
