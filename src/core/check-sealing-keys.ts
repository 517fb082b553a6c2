/** What can be said of keys for sealing before any is looked up. */
import { ConfigError, type ConfigProblem } from './errors.ts'
import { createSealer } from './sealing.ts'
import type { Secret } from './secrets.ts'

/** Adds what is wrong with those among `keys` that are written out to `problems`, unless something is said of them already. */
export function checkSealingKeys(keys: unknown, at: string, problems: ConfigProblem[]): void {
  if (!Array.isArray(keys)) return
  const told = new Set(problems.map(({ path }) => path))
  problems.push(...problemsOf(keys, at).filter(({ path }) => !told.has(path)))
}

function problemsOf(keys: readonly Secret[], at: string): readonly ConfigProblem[] {
  const written = keys.flatMap((key, index) => (typeof key === 'string' ? [{ key, index }] : []))
  if (written.length === 0) return []
  try {
    createSealer(
      written.map(({ key }) => key),
      'check',
    )
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    // Its places are those among the written ones.
    const moved = (text: string) => text.replace(/keys\[(\d+)\]/g, (_, position) => `${at}[${indexOf(position)}]`)
    return error.problems.map(({ path, message }) => ({ path: moved(path), message: moved(message) }))
  }

  function indexOf(position: string | undefined): number {
    return written[Number(position)]?.index ?? -1
  }
}
