/** The package's entry points, read from `exports` in package.json. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** What is in package.json. */
export const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Each entry point: what users import, its declaration file, and the name of its API report. */
export const entries = Object.entries(manifest.exports)
  .filter(([, target]) => target.types !== undefined)
  .map(([subpath, { types }]) => {
    const specifier = manifest.name + subpath.slice(1)
    return { specifier, types, report: `${specifier.replaceAll('/', '-')}.api.md` }
  })
