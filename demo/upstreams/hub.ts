/** An MCP server with one key for everybody, as a hub of datasets or a knowledge base has it (G7). */
import { z } from 'zod'
import { startUpstream, textResult, type Upstream } from './upstream.ts'

/** The key that the gateway has. */
export const HUB_KEY = 'hub-key-of-the-whole-company'
/** A key that alice has of her own, for `x-tfy-mcp-headers` (G12). */
export const ALICES_HUB_KEY = 'hub-key-of-alice'

const OWNERS: Readonly<Record<string, string>> = {
  [`Bearer ${HUB_KEY}`]: 'the company',
  [`Bearer ${ALICES_HUB_KEY}`]: 'alice',
}

/** Starts it. */
export function startHub(port: number): Promise<Upstream> {
  return startUpstream({
    name: 'hub',
    port,
    admit: (authorization = '') => (Object.hasOwn(OWNERS, authorization) ? OWNERS[authorization] : undefined),
    offer(server, owner) {
      const inputSchema = z.object({ dataset: z.string() })
      server.registerTool('search_dataset', { description: 'Searches a dataset', inputSchema }, ({ dataset }) =>
        textResult(`3 rows of ${dataset}, by the key of ${owner}`),
      )
      server.registerTool('delete_dataset', { description: 'Deletes a dataset', inputSchema }, ({ dataset }) =>
        textResult(`${dataset} is gone`),
      )
      server.registerPrompt('summarise', { description: 'Summarises what was found' }, () => ({
        messages: [{ role: 'user', content: { type: 'text', text: 'Summarise it.' } }],
      }))
    },
  })
}
