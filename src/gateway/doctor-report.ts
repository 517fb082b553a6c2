/** What `gateway.doctor` reports: findings in plain words, and what they are about. Never a secret. */

/** See the top of the file. */
export interface DoctorReport {
  /** `group/server`. */
  readonly server: string
  /** `good`: it works, as far as can be told from outside. `attention`: it works, but not for everybody or not for long. */
  readonly verdict: 'good' | 'attention' | 'bad'
  /** In the order in which things happen. */
  readonly findings: readonly DoctorFinding[]
  /** Keys of the server's `auth` to add or change; where a value is the operator's to find, it begins with `<`. */
  readonly suggestion: Readonly<Record<string, unknown>> | undefined
  /** All of it as a text of several lines, for a terminal. */
  readonly text: string
}

/** One thing that was found. */
export interface DoctorFinding {
  /** The step that it belongs to. */
  readonly about:
    | 'server'
    | 'era'
    | 'challenge'
    | 'resource'
    | 'authorization_server'
    | 'identity_provider'
    | 'grant'
    | 'pkce'
    | 'registration'
    | 'scopes'
    | 'iss'
    | 'refresh'
    | 'revocation'
    | 'provider'
  /** `odd`: it works, but another way than most. */
  readonly level: 'good' | 'odd' | 'bad'
  /** A sentence, in ASCII, on one line. */
  readonly message: string
}

const SIGNS = { good: 'ok  ', odd: 'odd ', bad: 'BAD ' } as const
const VERDICTS = {
  good: 'nothing is wrong, as far as can be told from outside',
  attention: 'it works, with the oddities above',
  bad: 'it does not work like this',
} as const
const UNTRIED = 'nothing is wrong so far, but the credential was not tried: whether the server takes it is not known'

/**
 * Makes a report of findings. Texts of other people's servers are cut and kept in one line.
 *
 * @param isUntried - whether the server is called with a credential that the findings say nothing of
 */
export function doctorReport(
  server: string,
  given: readonly DoctorFinding[],
  suggestion: DoctorReport['suggestion'],
  isUntried: boolean,
): DoctorReport {
  const findings = given.map((finding) => ({ ...finding, message: inOneLine(finding.message) }))
  const verdict = findings.some(({ level }) => level === 'bad')
    ? 'bad'
    : findings.some(({ level }) => level === 'odd')
      ? 'attention'
      : 'good'
  const lines = [
    `${server}:`,
    ...findings.map(({ level, message }) => `  ${SIGNS[level]} ${message}`),
    `  ${verdict === 'good' && isUntried ? UNTRIED : VERDICTS[verdict]}`,
    ...(suggestion === undefined ? [] : [`  put into auth of "${server}": ${JSON.stringify(suggestion)}`]),
  ]
  return { server, verdict, findings, suggestion, text: lines.join('\n') }
}

function inOneLine(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]+/g, '?')
  return clean.length > 600 ? `${clean.slice(0, 600)}...` : clean
}
