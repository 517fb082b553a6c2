/** Plain JavaScript of the library and the worker, in a temp directory: a process starts in a fraction of the time. */
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { temporaryFolder } from '../../support/temp-server.ts'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const SOURCES = ['src/basic', 'src/core', 'src/store', 'src/stores', 'test/figures/stores']

/** The path of the compiled worker. */
export function compileWorker(): string {
  const folder = temporaryFolder('figures')
  for (const source of SOURCES) {
    for (const name of readdirSync(join(ROOT, source)).filter((file) => file.endsWith('.ts'))) {
      const target = join(folder.path, source, name.replace(/\.ts$/, '.js'))
      mkdirSync(dirname(target), { recursive: true })
      writeFileSync(target, compiled(join(ROOT, source, name)))
    }
  }
  writeFileSync(join(folder.path, 'package.json'), '{"type":"module"}')
  symlinkSync(join(ROOT, 'node_modules'), join(folder.path, 'node_modules'))
  return join(folder.path, 'test/figures/stores/worker.js')
}

function compiled(path: string): string {
  const compilerOptions: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  }
  return ts.transpileModule(readFileSync(path, 'utf8'), { compilerOptions }).outputText
}
