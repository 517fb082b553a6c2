/** What of `access` looks like an oversight. Warnings, since grants and virtual accounts can also be made while the gateway runs. */
import type { Grant } from '../access/grants.ts'
import { warn } from '../core/warnings.ts'
import { VIRTUAL_ACCOUNT } from '../identity/identity.ts'
import type { VirtualAccounts } from '../identity/virtual-accounts.ts'
import type { GatewayConfig } from './config.ts'

const PREFIX = `${VIRTUAL_ACCOUNT}:`
/** So many accounts are looked up at most. */
const MAX_NAMES = 100

/** At the start: nobody may use anything. A `decide` of the user's own may allow what no grant does. */
export function warnOfNoAccess({ access = [], servers, decide }: GatewayConfig): void {
  if (access.length > 0 || decide !== undefined || Object.keys(servers).length === 0) return
  warn(
    'SALLYPORT_GATEWAY',
    'access has no grants: until gateway.access adds one, nobody may use any server, and all of them look as if they were not there',
  )
}

/** In `ready()`: grants to virtual accounts that are neither configured nor made so far. */
export async function warnOfNoAccounts(
  access: readonly Grant[],
  accounts: Pick<VirtualAccounts, 'get'>,
): Promise<void> {
  const named = access.flatMap(({ to }) => to).filter((each) => each.startsWith(PREFIX) && !each.includes('*'))
  for (const each of [...new Set(named)].slice(0, MAX_NAMES)) {
    const name = each.slice(PREFIX.length)
    // What cannot be told is no hint.
    if ((await accounts.get(name).catch(() => 'unknown')) !== undefined) continue
    warn(
      'SALLYPORT_GATEWAY',
      `access names "${each}", and there is no such account yet: put it into virtualAccounts, or make it with gateway.virtualAccounts.create`,
    )
  }
}
