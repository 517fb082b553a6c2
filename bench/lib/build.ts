/**
 * Keeps `dist/` (the library) and `bench/dist/` (the benchmarks) as new as their sources, so that what is measured is
 * the compiled code that users install.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Runs `npm run build` if `dist/` is missing or older than the sources. */
export function ensureBuild(): void {
  const built = modified(join(root, 'dist/src/index.js'))
  const sources = [...filesUnder(join(root, 'src')), ...filesUnder(join(root, 'adapters'))]
  const settings = ['package.json', 'tsconfig.json', 'tsconfig.build.json'].map((name) => join(root, name))
  if (built > Math.max(...[...sources, ...settings].map(modified))) return
  run('npm', ['run', 'build'])
}

/** Compiles the benchmarks and returns the folder with the JavaScript. Types are checked by `npm run check`. */
export function compileBench(): string {
  const outDir = join(root, 'bench/dist')
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  run(process.execPath, [
    tsc,
    ...['-p', join(root, 'bench/tsconfig.json'), '--noEmit', 'false', '--outDir', outDir, '--noCheck'],
  ])
  return outDir
}

function run(command: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  if (status === 0) return
  console.error(error?.message ?? `${stdout}${stderr}`)
  console.error(`${command} ${args.join(' ')} failed`)
  process.exit(1)
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
