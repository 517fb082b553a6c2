/**
 * Scenarios of the suite that are not run, by name and with the reason. That one fails is no reason: then it is mended, here or
 * at the suite's. `main.ts` refuses a name that the suite does not have.
 */

/** One of them. */
export interface LeftOut {
  readonly side: 'server' | 'client'
  readonly scenario: string
  /** Everywhere, unless it says where. */
  readonly at?: { readonly form?: string; readonly revision?: string }
  readonly reason: string
}

/** See the top of the file. */
export const LEFT_OUT: readonly LeftOut[] = [
  // The suite does not score them either.
  ...[
    'capability-negotiation',
    'dispatch-and-envelope',
    'lifecycle',
    'mrtr-composition',
    'mrtr-input',
    'request-headers',
    'request-state-removal',
    'required-task-error',
    'status-notifications',
    'wire-fields',
  ].map((name) => ({
    side: 'server' as const,
    scenario: `tasks-${name}`,
    reason:
      'the Tasks extension: no npm package has a server with it, so that there is nothing behind the gateway to relay',
  })),
  ...['bridged-legacy', 'virtual-legacy'].map((form) => ({
    side: 'server' as const,
    scenario: 'input-required-result-basic-elicitation',
    at: { form, revision: '2026-07-28' },
    reason: 'it wants a key of the server\'s own choice, "user_name": requests of 2025-11-25 have none to choose',
  })),
  ...['dpop', 'dpop-nonce', 'wif-jwt-bearer'].map((name) => ({
    side: 'client' as const,
    scenario: `auth/${name}`,
    reason: 'an optional extension (SEP-1932, SEP-1933) that is none of the kinds of credentials that the gateway has',
  })),
]

/** Why a scenario is not run, or `undefined` if it is. */
export function reasonToLeaveOut(
  side: LeftOut['side'],
  scenario: string,
  form: string,
  revision: string,
  leftOut: readonly LeftOut[] = LEFT_OUT,
): string | undefined {
  return leftOut.find(
    ({ side: ofSide, scenario: named, at }) =>
      ofSide === side && named === scenario && (at?.form ?? form) === form && (at?.revision ?? revision) === revision,
  )?.reason
}
