/** Real clients that `npm ci` does not bring: fetched into a temporary folder, or `undefined` where that cannot be done. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { part } from '../support/parts.ts'
import { temporaryFolder } from '../support/temp-server.ts'
import type { ClientPart } from './client-case.ts'

const run = promisify(execFile)
const MINUTES = 60_000

/** How to run each part that is there. */
export interface FoundParts {
  /** The browser's program. */
  readonly chromium: string | undefined
  /** A Python with the `fastmcp` package. */
  readonly fastmcp: string | undefined
  /** A program and its first arguments: MCP Inspector's command line, on a Node that it runs on. */
  readonly inspector: readonly string[] | undefined
}

/** Looks for `wanted`. `SALLYPORT_TEST_FASTMCP` names a Python that has the package, which saves the time of installing it. */
export async function findParts(wanted: ReadonlySet<ClientPart>): Promise<FoundParts> {
  const [fastmcp, inspector] = await Promise.all([
    wanted.has('fastmcp') ? findFastmcp() : undefined,
    wanted.has('inspector') ? findInspector() : undefined,
  ])
  return { chromium: part('chromium'), fastmcp, inspector }
}

async function findFastmcp(): Promise<string | undefined> {
  const chosen = process.env.SALLYPORT_TEST_FASTMCP
  try {
    if (chosen !== undefined && chosen !== '') {
      await run(chosen, ['-c', 'import fastmcp'], { timeout: MINUTES })
      return chosen
    }
    const { path } = temporaryFolder('fastmcp')
    await run('python3', ['-m', 'venv', path], { timeout: MINUTES })
    const python = join(path, 'bin', 'python')
    await run(python, ['-m', 'pip', 'install', '--quiet', 'fastmcp'], { timeout: 5 * MINUTES })
    return python
  } catch {
    return undefined
  }
}

async function findInspector(): Promise<readonly string[] | undefined> {
  const node = Number(process.versions.node.split('.')[0]) >= 22 ? [] : ['-p', 'node@22']
  const command = ['npx', '-y', ...node, '-p', '@modelcontextprotocol/inspector@2', 'mcp-inspector']
  const [program = '', ...args] = command
  try {
    await run(program, [...args, '--help'], { timeout: 3 * MINUTES })
    return command
  } catch {
    return undefined
  }
}
