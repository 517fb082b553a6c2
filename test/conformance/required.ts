/** Reads what `conformance list --requirements <revision>` prints. */

/** Scenarios of a revision by what is tried, in the suite's order. */
export interface RequiredScenarios {
  readonly server: readonly string[]
  readonly client: readonly string[]
  /** Run and reported, and counted nowhere: extensions, and what the suite is not sure of itself. */
  readonly unscored: readonly { readonly side: 'server' | 'client'; readonly scenario: string; readonly why: string }[]
}

const HEADING = /^(Server|Client) scenarios\b/
const KIND = /^ {2}([\w-]+) \(\d+\):$/
const REQUIRED = /^ {2}- (\S+)$/
const UNSCORED = /^ {4}- (\S+) \[(server|client)\]$/

/** @throws Error where there is nothing of the kind in the text, so that a change of its form is not taken for success */
export function readRequired(text: string): RequiredScenarios {
  const lists = { server: [] as string[], client: [] as string[] }
  const unscored: RequiredScenarios['unscored'][number][] = []
  let side: 'server' | 'client' | undefined
  let why = ''
  for (const line of text.split('\n')) {
    const heading = HEADING.exec(line)?.[1]
    if (heading !== undefined) side = heading === 'Server' ? 'server' : 'client'
    why = KIND.exec(line)?.[1] ?? why
    const scenario = REQUIRED.exec(line)?.[1]
    if (scenario !== undefined && side !== undefined) lists[side].push(scenario)
    const [, name, ofSide] = UNSCORED.exec(line) ?? []
    if (name !== undefined) unscored.push({ scenario: name, side: ofSide as 'server' | 'client', why })
  }
  if (lists.server.length === 0 || lists.client.length === 0) throw new Error('no scenarios in what the suite lists')
  return { ...lists, unscored }
}
