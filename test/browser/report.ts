/** Says how it went: a line for each journey and server, what went wrong below it, the count at the end. */

/** See the top of the file. */
export interface Reporter {
  passed(server: string, title: string, ms: number): void
  failed(server: string, title: string, ms: number, error: unknown): void
  /** The last line; whether all went well. */
  finish(): boolean
}

/** Writes with `say`. */
export function createReporter(say: (line: string) => void): Reporter {
  const count = { passed: 0, failed: 0 }
  const line = (mark: string, server: string, title: string, ms: number) =>
    say(`${mark} ${server}: ${title} (${(ms / 1_000).toFixed(1)} s)`)
  return {
    passed(server, title, ms) {
      count.passed++
      line('✓', server, title, ms)
    },
    failed(server, title, ms, error) {
      count.failed++
      line('✗', server, title, ms)
      const text = error instanceof Error ? error.message : String(error)
      for (const each of text.trimEnd().split('\n')) say(`    ${each}`)
    },
    finish() {
      say(`${count.passed} passed, ${count.failed} failed`)
      return count.failed === 0 && count.passed > 0
    },
  }
}
