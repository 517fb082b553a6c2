/**
 * `npm run check`: every static check, in one list. All of them run; what failed
 * is shown in full at the end. `npm run check -- --fix` formats the files and
 * rewrites the API reports instead of complaining.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { manifest, root } from './entries.mjs'

const fix = process.argv.includes('--fix')
const packed = await mkdtemp(join(tmpdir(), 'sallyport-pack-'))
const tarball = join(packed, `${manifest.name}-${manifest.version}.tgz`)
const node = (path, ...args) => [process.execPath, path, ...args]
const biome = (...args) => node('node_modules/@biomejs/biome/bin/biome', ...args, '--error-on-warnings')
const tsc = (...args) => node('node_modules/typescript/bin/tsc', '--noEmit', ...args)

const steps = [
  { name: 'format and lint', run: biome(...(fix ? ['check', '--write'] : ['ci'])) },
  { name: 'types', run: tsc() },
  {
    name: 'import rules',
    run: node('node_modules/dependency-cruiser/bin/dependency-cruise.mjs', '-T', 'err-long', 'src', 'adapters'),
  },
  { name: 'build', run: ['npm', 'run', '--silent', 'build'] },
  {
    name: 'types of bench',
    run: tsc('-p', 'bench'),
    needs: 'build',
    when: existsSync(join(root, 'bench/tsconfig.json')),
  },
  { name: 'API reports', run: node('scripts/api.mjs', ...(fix ? [] : ['--check'])), needs: 'build' },
  { name: 'pack', run: ['npm', 'pack', '--ignore-scripts', '--pack-destination', packed], needs: 'build' },
  { name: 'publint', run: node('node_modules/publint/src/cli.js', 'run', tarball, '--strict'), needs: 'pack' },
  {
    name: 'are the types wrong',
    run: node('node_modules/@arethetypeswrong/cli/dist/index.js', tarball, '--profile', 'esm-only'),
    needs: 'pack',
  },
]

const failures = new Map()
try {
  for (const { name, run, needs, when = true } of steps) {
    if (!when) continue
    if (failures.has(needs)) {
      failures.set(name, `not run: ${needs} failed`)
      console.log(`-  ${name}: needs ${needs}`)
      continue
    }
    const started = performance.now()
    const { ok, output } = await execute(run)
    if (!ok) failures.set(name, `$ ${run.join(' ')}\n${output}`)
    console.log(`${ok ? '✓' : '✗'}  ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`)
  }
} finally {
  await rm(packed, { recursive: true, force: true })
}

for (const [name, output] of failures) console.error(`\n── ${name} ──\n${output.trimEnd()}`)
if (failures.size > 0) {
  console.error(`\n${failures.size} failed: ${[...failures.keys()].join(', ')}`)
  console.error('npm run check -- --fix formats and rewrites the API reports')
  process.exitCode = 1
}

/** Runs a command in the project's folder and collects what it prints. */
function execute([command, ...args]) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const collect = (chunk) => {
      output += chunk
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    child.on('error', (error) => resolve({ ok: false, output: String(error) }))
    child.on('close', (code) => resolve({ ok: code === 0, output: stripVTControlCharacters(output) }))
  })
}
