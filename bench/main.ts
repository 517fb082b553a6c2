/**
 * `npm run bench -- <suite> [--json] [--quick] [--only part,part]`
 *
 * Builds what is stale and hands over to the suite in a plain Node process. Nothing that is measured runs under tsx:
 * its loader rewrites functions (esbuild's `keepNames`) and that shows in microseconds.
 */
import { spawn } from 'node:child_process'
import { parseArgs } from 'node:util'
import { compileBench, ensureBuild } from './lib/build.ts'

const suites: Readonly<Record<string, string>> = { jwt: 'jwt/main.js', relay: 'relay/main.js' }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' } },
})
const suite = suites[positionals[0] ?? '']
if (suite === undefined || positionals.length > 1) {
  console.error(`usage: npm run bench -- <${Object.keys(suites).join(' | ')}> [--json] [--quick] [--only part,part]`)
  process.exit(2)
}

ensureBuild()
const compiled = compileBench()
const args = [
  ...(values.json ? ['--json'] : []),
  ...(values.quick ? ['--quick'] : []),
  ...(values.only === undefined ? [] : ['--only', values.only]),
]
const child = spawn(process.execPath, [`${compiled}/${suite}`, ...args], {
  stdio: 'inherit',
  // tsx and npm leave their own options behind; the suite gets a clean process.
  env: { ...process.env, NODE_OPTIONS: '', NODE_ENV: 'production' },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('exit', (code) => {
  process.exitCode = code ?? 1
})
