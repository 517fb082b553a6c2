/** Callers with an API key: a personal token stands for its owner, a virtual account's for the account. */
import { messageOf } from '../core/errors.ts'
import { deepFreeze } from '../core/freeze.ts'
import type { ApiKeys, KeyVerification } from './api-keys.ts'
import type { Caller } from './caller.ts'
import { type CallerProblem, type CallerUnavailable, RETRY_AFTER_MS, type Unauthenticated } from './caller-problem.ts'
import { VIRTUAL_ACCOUNT } from './identity.ts'
import { type KeyEvent, VIA } from './key-event.ts'
import type { KeyKind } from './key-format.ts'
import { ownerId } from './key-owner.ts'
import type { KeyRecord } from './key-records.ts'
import type { Identity } from './sign-in.ts'
import type { FoundOwner } from './token-owners.ts'
import type { VirtualAccount } from './virtual-account.ts'
import type { VirtualAccounts } from './virtual-accounts.ts'

/** What callers with keys need. */
export interface KeyCallerSettings {
  readonly keys: Pick<ApiKeys, 'verify' | 'noteUse'>
  readonly virtualAccounts: Pick<VirtualAccounts, 'get'>
  readonly findOwner: (id: string) => Promise<FoundOwner>
  /** Told of keys used and refused; must not throw. */
  readonly on?: (event: KeyEvent) => void
}

type Reason = Unauthenticated['reason']

/** What the owner of a refused key can do about it. */
const WORDS = {
  malformed: 'The API key is mistyped or cut off',
  unknown_token: 'The API key has been revoked, or there never was one',
  expired: 'The API key has expired: make a new one',
  person_unknown: 'The owner of this personal token is not known here: sign in once with a browser, and it works',
  person_stale: 'The owner of this personal token has not signed in for too long: sign in again, and it works again',
  account_deleted: 'The virtual account of this token has been deleted',
} as const satisfies Partial<Record<Reason, string>>

/** Authenticates keys. Does not reject. */
export function createKeyCallers(
  settings: KeyCallerSettings,
): (key: string, kind: KeyKind) => Promise<Caller | CallerProblem> {
  const { keys, virtualAccounts, findOwner, on } = settings
  /** Requests with the same key get the same caller as long as nothing has changed. */
  const callers = new WeakMap<KeyRecord, { readonly by: object; readonly caller: Caller }>()
  const accountIdentities = new WeakMap<VirtualAccount, Identity>()

  async function verify(key: string, via: Caller['via']): Promise<KeyVerification | CallerUnavailable> {
    try {
      return await keys.verify(key)
    } catch (error) {
      return unavailable(via, 'store_unavailable', messageOf(error))
    }
  }

  /** The identity that a key stands for now. */
  async function identify(record: KeyRecord): Promise<Identity | CallerProblem> {
    const { owner } = record
    if (owner.kind === 'person') {
      const found = await findOwner(owner.id)
      if (found.kind === 'found') return found.identity
      if (found.kind === 'unavailable') return unavailable(VIA.person, found.reason, found.detail)
      return refuse(owner.kind, `person_${found.kind}`, found.detail, record)
    }
    try {
      const account = await virtualAccounts.get(owner.name)
      // An account made anew under the same name is another one.
      if (account !== undefined && account.owner.incarnation === owner.incarnation) return identityOf(account)
      const detail = `the virtual account "${owner.name}" that the key was made for is gone`
      return refuse(owner.kind, 'account_deleted', detail, record)
    } catch (error) {
      return unavailable(VIA[owner.kind], 'store_unavailable', messageOf(error))
    }
  }

  function identityOf(account: VirtualAccount): Identity {
    const known = accountIdentities.get(account)
    if (known !== undefined) return known
    const { id, name, groups = [] } = account
    const made = deepFreeze({ id, integration: VIRTUAL_ACCOUNT, subject: name, groups, claims: {} })
    accountIdentities.set(account, made)
    return made
  }

  function callerOf(record: KeyRecord, identity: Identity): Caller {
    const known = callers.get(record)
    if (known?.by === identity) return known.caller
    const { owner, id: keyId } = record
    const made = { kind: owner.kind, via: VIA[owner.kind], identity, externalIdentities: [], keyId }
    callers.set(record, { by: identity, caller: deepFreeze(made) })
    return made
  }

  function refuse(kind: KeyKind, reason: keyof typeof WORDS, detail: string, record?: KeyRecord): Unauthenticated {
    const via = VIA[kind]
    on?.({ kind: 'refused', via, ...describe(record), reason, detail })
    return {
      kind: 'unauthenticated',
      via,
      reason,
      error: 'invalid_token',
      description: WORDS[reason],
      detail,
      keyId: record?.id ?? null,
    }
  }

  return async (key, kind) => {
    const via = VIA[kind]
    const found = await verify(key, via)
    switch (found.kind) {
      case 'unavailable':
        return found
      case 'malformed':
        return refuse(kind, 'malformed', 'the checksum does not fit, or there are too few or too many characters')
      case 'unknown':
        return refuse(kind, 'unknown_token', 'no such key is in the store')
      case 'expired':
        return refuse(kind, 'expired', `the key expired at ${timeOf(found.record)}`, found.record)
      case 'found': {
        const { record } = found
        const identity = await identify(record)
        if ('kind' in identity) return identity
        keys.noteUse(record)
        on?.({ kind: 'used', via, ...describe(record), reason: null, detail: null })
        return callerOf(record, identity)
      }
    }
  }
}

function unavailable(via: Caller['via'], reason: CallerUnavailable['reason'], detail: string): CallerUnavailable {
  return { kind: 'unavailable', via, reason, retryAfterMs: RETRY_AFTER_MS, detail }
}

function describe(record: KeyRecord | undefined): Pick<KeyEvent, 'keyId' | 'name' | 'id' | 'virtualAccount'> {
  if (record === undefined) return { keyId: null, name: null, id: null, virtualAccount: null }
  const { id, name, owner } = record
  return { keyId: id, name, id: ownerId(owner), virtualAccount: owner.kind === 'person' ? null : owner.name }
}

function timeOf({ expiresAt = 0 }: KeyRecord): string {
  return Number.isFinite(new Date(expiresAt).getTime()) ? new Date(expiresAt).toISOString() : String(expiresAt)
}
