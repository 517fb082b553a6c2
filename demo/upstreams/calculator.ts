/** An MCP server that asks nobody who they are (G6). */
import { z } from 'zod'
import { startUpstream, textResult, type Upstream } from './upstream.ts'

/** Starts it. */
export function startCalculator(port: number): Promise<Upstream> {
  return startUpstream({
    name: 'calculator',
    port,
    admit: () => 'anybody',
    offer(server) {
      server.registerTool(
        'add',
        { description: 'Adds two numbers', inputSchema: z.object({ a: z.number(), b: z.number() }) },
        ({ a, b }) => textResult(String(a + b)),
      )
    },
  })
}
