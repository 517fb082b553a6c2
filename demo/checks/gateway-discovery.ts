/** B4: how a stock MCP client finds out where to sign its user in (RFC 9728). */
import { endpointOf } from '../mcp.ts'
import type { Target } from '../servers.ts'
import type { GatewayChapter } from './stage.ts'

interface Metadata {
  readonly resource: string
  readonly authorization_servers: readonly string[]
}

export const discovery: GatewayChapter = async ({ demo: { corp, branch }, walk }) => {
  walk.chapter('B4  What a stock client finds without a token (RFC 9728)')
  const talk = { server: 'public/calculator' }
  const read = async (target: Target): Promise<Metadata> => {
    const answer = await fetch(endpointOf(target, talk), { method: 'POST' })
    const [, url = ''] = /resource_metadata="([^"]+)"/.exec(answer.headers.get('www-authenticate') ?? '') ?? []
    return (await (await fetch(url)).json()) as Metadata
  }
  await walk.onEach(
    'B4',
    'the resource that the metadata in the challenge speak of',
    'the endpoint',
    async (target) => {
      const { resource } = await read(target)
      return resource === endpointOf(target, talk) ? 'the endpoint' : resource
    },
  )
  await walk.onEach('B4', 'where tokens for it come from', 'corp, branch', async (target) => {
    const names = new Map([
      [corp.issuer, 'corp'],
      [branch.issuer, 'branch'],
    ])
    return (await read(target)).authorization_servers.map((issuer) => names.get(issuer) ?? issuer).join(', ')
  })
}
