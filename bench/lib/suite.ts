/** What every suite begins and ends with: its flags, its parts one after the other, tables for people and an object for machines. */
import { parseArgs } from 'node:util'

/** A run of a suite. */
export interface SuiteRun {
  readonly quick: boolean
  /** Takes the figures of a part, if it is wanted. They never fail the run; a wrong answer does, after the other parts have had their turn. */
  attempt(part: string, take: () => Promise<void>): Promise<void>
  /** Prints what was found. */
  report(forPeople: string, forMachines: object): void
}

/** Reads the command line of a suite that has these parts. */
export function openSuite(parts: readonly string[]): SuiteRun {
  const { values } = parseArgs({
    options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string' } },
  })
  const wanted = values.only?.split(',') ?? parts
  const unknown = wanted.filter((part) => !parts.includes(part))
  if (unknown.length > 0) {
    console.error(`no part named ${unknown.join(', ')}; there are ${parts.join(', ')}`)
    process.exit(2)
  }
  return {
    quick: values.quick === true,
    async attempt(part, take) {
      if (!wanted.includes(part)) return
      const start = performance.now()
      try {
        await take()
        console.error(`${part}: ${((performance.now() - start) / 1000).toFixed(0)} s`)
      } catch (error) {
        console.error(`${part}: ${error instanceof Error ? error.message : String(error)}`)
        process.exitCode = 1
      }
    },
    report(forPeople, forMachines) {
      // With --json, standard output is for the object alone.
      const say = values.json ? console.error : console.log
      say(forPeople)
      if (values.json) console.log(JSON.stringify(forMachines))
    },
  }
}
