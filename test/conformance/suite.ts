/** The official conformance suite, which runs on Node 22: fetched by npx, or `undefined` where that cannot be done. */
import { execFile, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { temporaryFolder } from '../support/temp-server.ts'
import { type RequiredScenarios, readRequired } from './required.ts'
import { type Check, type Ended, judge, type Verdict } from './verdict.ts'

/** The version that the project conforms to. */
const SUITE = '@modelcontextprotocol/conformance@0.2.0-alpha.12'
/** How it is called where it is missing. */
export const SUITE_PART = `node@22 with ${SUITE}, by npx`

const MINUTES = 60_000
/** For all that a scenario does; also in front of a gateway on a busy machine. */
const SCENARIO_MS = 60_000
const ALL_MS = 10 * MINUTES
const MAX_OUTPUT = 20_000

/** One scenario, and what it is to be tried on. */
export interface ScenarioRun {
  readonly scenario: string
  /** The revision of MCP that is spoken. */
  readonly revision: string
  /** A server's URL, or the command that starts a client. */
  readonly on: { readonly url: string } | { readonly command: string }
}

/** See the top of the file. */
export interface Suite {
  required(revision: string): Promise<RequiredScenarios>
  run(run: ScenarioRun): Promise<Verdict>
  /** All scenarios of a revision on a server, in one process: those that are not in the answer did not get that far. */
  runServer(url: string, revision: string): Promise<ReadonlyMap<string, Verdict>>
}

/** Looks for it. @param say - is told why it is not there */
export async function findSuite(say: (line: string) => void): Promise<Suite | undefined> {
  try {
    const call = ['-y', '-p', 'node@22', '-p', SUITE, '-c', 'command -v node && command -v conformance']
    const found = await output('npx', call, 3 * MINUTES)
    const [node = '', program = ''] = found.trim().split('\n').slice(-2)
    await output(node, [program, '--version'], MINUTES)
    return {
      required: async (revision) =>
        readRequired(await output(node, [program, 'list', '--requirements', revision], MINUTES)),
      run: (run) => runScenario([node, program], run),
      runServer: (url, revision) => runServer([node, program], url, revision),
    }
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return undefined
  }
}

async function runServer(
  [node, program]: readonly [string, string],
  url: string,
  revision: string,
): Promise<ReadonlyMap<string, Verdict>> {
  const folder = temporaryFolder('conformance')
  try {
    const options = ['server', '--url', url, '--requirements', revision, '--output-dir', folder.path]
    const { output: text } = await finish(node, [program, ...options], ALL_MS)
    const verdicts = new Map<string, Verdict>()
    for (const [name, checks] of await allChecks(folder.path)) {
      const scenario = SERVER_FOLDER.exec(name)?.[1]
      if (scenario !== undefined) verdicts.set(scenario, judge(checks, { code: 0, output: text }))
    }
    return verdicts
  } finally {
    folder.remove()
  }
}

/** The folder of a scenario's results: `server-ping-2026-11-22T11-27-15-353Z`. */
const SERVER_FOLDER = /^server-(.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/

async function runScenario([node, program]: readonly [string, string], run: ScenarioRun): Promise<Verdict> {
  const { scenario, revision, on } = run
  const folder = temporaryFolder('conformance')
  try {
    const tried =
      'url' in on
        ? ['server', '--url', on.url]
        : ['client', '--command', on.command, '--timeout', String(SCENARIO_MS / 2)]
    // As with `--requirements`, the revision says what is spoken, whatever else the scenario could be tried with.
    const which = ['--scenario', scenario, '--spec-version', revision, '--force', '--output-dir', folder.path]
    const ended = await finish(node, [program, ...tried, ...which])
    const [[, checks] = []] = await allChecks(folder.path)
    return judge(checks, ended)
  } finally {
    folder.remove()
  }
}

/** Results by the name of the folder that the suite has made for them. */
async function allChecks(folder: string): Promise<[string, Check[]][]> {
  const files = (await readdir(folder, { recursive: true })).filter((name) => basename(name) === 'checks.json')
  return Promise.all(
    files.map(
      async (name) => [dirname(name), JSON.parse(await readFile(join(folder, name), 'utf8'))] as [string, Check[]],
    ),
  )
}

function finish(program: string, args: readonly string[], timeout = SCENARIO_MS): Promise<Ended> {
  return new Promise((resolve) => {
    let text = ''
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' })
    const keep = (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-MAX_OUTPUT)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (error) => resolve({ code: null, output: `${text}\n${error.message}` }))
    child.once('close', (code) => resolve({ code, output: text }))
  })
}

const run = promisify(execFile)

/** What a program writes. @throws Error where it cannot be run or fails */
async function output(program: string, args: readonly string[], timeout: number): Promise<string> {
  return (await run(program, args, { timeout })).stdout
}
