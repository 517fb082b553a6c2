/** `@modelcontextprotocol/server-everything`, the reference server, as a process of its own behind a proxy that writes down calls. */
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { end, freePort, launch, until } from '../temp-server.ts'
import type { McpFixture } from './calls.ts'
import { startPassThrough } from './pass-through.ts'

/** Starts it over Streamable HTTP. */
export async function startEverythingServer({ port = 0 }: { readonly port?: number } = {}): Promise<McpFixture> {
  const folder = dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/package.json'))
  const own = await freePort()
  const origin = `http://127.0.0.1:${own}`
  const program = [`PORT=${own}`, process.execPath, join(folder, 'dist/index.js'), 'streamableHttp']
  const running = launch('/usr/bin/env', program, { cwd: folder })
  // Any answer will do.
  await until(running, () => fetch(origin))
  const proxy = await startPassThrough(origin, { port })
  return {
    ...proxy,
    async close() {
      await proxy.close()
      await end(running, 'SIGKILL')
    },
  }
}
