/** MCP Inspector's command line, with a token in a header field. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '../support/temp-server.ts'
import type { ClientCase } from './client-case.ts'
import type { Stage } from './stage.ts'

const run = promisify(execFile)

/** See the top of the file. */
export const INSPECTOR_CASES: readonly ClientCase[] = [
  { client: 'inspector', title: 'tools/list and tools/call on public/wiki', needs: ['inspector'], run: listAndCall },
  {
    client: 'inspector',
    title: 'missing consent: the text with the link is shown',
    needs: ['inspector'],
    run: consent,
  },
]

async function listAndCall(stage: Stage): Promise<void> {
  const person = await stage.person()
  for (const token of [person.jwt, await person.personalToken(), stage.accountToken]) {
    const { tools } = JSON.parse(await inspect(stage, 'public/wiki', token, '--method', 'tools/list'))
    assert.ok(tools.some(({ name }: { name: string }) => name === 'echo'))
  }
  const call = ['--method', 'tools/call', '--tool-name', 'add', '--tool-arg', 'a=2', '--tool-arg', 'b=3']
  const { content } = JSON.parse(await inspect(stage, 'public/wiki', person.jwt, ...call))
  assert.equal(content[0].text, '5')
}

async function consent(stage: Stage): Promise<void> {
  const person = await stage.person()
  const call = ['--method', 'tools/call', '--tool-name', 'whoami']
  const refused = (await inspect(stage, 'dev/notes', person.jwt, ...call).then(
    () => assert.fail('it should have asked for consent'),
    (error: unknown) => error,
  )) as { stderr?: string; stdout?: string }
  const [, link = ''] = /Please visit: (http[^\s"\\]+)/.exec(`${refused.stderr}${refused.stdout}`) ?? []
  await stage.consent(person, link)
  const { content } = JSON.parse(await inspect(stage, 'dev/notes', person.jwt, ...call))
  assert.equal(content[0].text, person.atService)
}

/** What it prints. */
async function inspect({ parts, endpoint }: Stage, server: string, token: string, ...args: string[]): Promise<string> {
  const [program = '', ...first] = parts.inspector ?? []
  const connection = ['--cli', endpoint(server), '--transport', 'http', '--header', `Authorization: Bearer ${token}`]
  const folder = temporaryFolder('inspector')
  // It would keep what it knows in the home directory.
  const own = { MCP_STORAGE_DIR: folder.path, MCP_CATALOG_PATH: join(folder.path, 'mcp.json') }
  try {
    const options = { timeout: 50_000, env: { ...process.env, ...own } }
    return (await run(program, [...first, ...connection, ...args], options)).stdout
  } catch (error) {
    // Its message has the whole command line, and with it the token.
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw Object.assign(new Error(`the inspector failed: ${String(stderr).replaceAll(token, '…')}`), { stdout, stderr })
  } finally {
    folder.remove()
  }
}
