/** Checks virtual accounts, those of a configuration and those made at runtime. */
import { z } from 'zod'
import { check, joinPath, strict, text } from '../core/config.ts'
import type { ConfigProblem } from '../core/errors.ts'
import { suggest } from '../core/suggest.ts'
import { VIRTUAL_ACCOUNT } from './identity.ts'
import type { VirtualAccountConfig } from './virtual-account.ts'

/** It becomes part of grants and of keys in the store. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/

/** One person, as a grant names them: a star would make owners of people whom nobody has thought of. */
const OWNER = /^user:([^/*]+)\/([^*]+)$/
/** An e-mail address has an `@`; a subject has `%40` for it and `%25` for `%`, and no other `%`. */
const ADDRESS_OR_SUBJECT = /@|^(?:[^%]|%25|%40)+$/

/** A group's name, of which `group:virtual-account/` in front makes a principal. */
const group = text.refine((name) => !name.startsWith('group:'), {
  error: `expected the name alone: in grants it is "group:${VIRTUAL_ACCOUNT}/<name>"`,
})

const accountSchema = strict({
  description: text.max(500, 'at most 500 characters').optional(),
  owners: z.array(text).optional(),
  groups: z.array(group).optional(),
})

/** What is wrong with the name of a virtual account, or `undefined`. */
export function accountNameProblem(name: string): string | undefined {
  return NAME.test(name)
    ? undefined
    : 'a name has 1 to 64 lower-case letters, digits, ".", "_" and "-", and begins with a letter or digit'
}

/** Adds what is wrong with `accounts`, by name, to `problems`. Owners are people of one of the `integrations`. */
export function checkVirtualAccounts(
  accounts: unknown,
  at: string,
  integrations: readonly string[],
  problems: ConfigProblem[],
): void {
  if (accounts === undefined || !check(z.record(z.string(), z.unknown()), accounts, at, problems)) return
  for (const [name, account] of Object.entries(accounts as object)) {
    const path = joinPath(at, [name])
    const message = accountNameProblem(name)
    if (message !== undefined) problems.push({ path, message })
    checkVirtualAccount(account, path, integrations, problems)
  }
}

/** Adds what is wrong with one account, apart from its name, to `problems`. */
export function checkVirtualAccount(
  account: unknown,
  at: string,
  integrations: readonly string[],
  problems: ConfigProblem[],
): void {
  if (!check(accountSchema, account, at, problems)) return
  for (const [index, owner] of ((account as VirtualAccountConfig).owners ?? []).entries()) {
    const message = ownerProblem(owner, integrations)
    if (message !== undefined) problems.push({ path: joinPath(at, ['owners', index]), message })
  }
}

function ownerProblem(owner: string, integrations: readonly string[]): string | undefined {
  const [, integration, name = ''] = OWNER.exec(owner) ?? []
  if (integration === undefined) {
    return `"${owner}" is not one person: expected "user:<integration>/<e-mail or subject>", as in a grant`
  }
  if (!ADDRESS_OR_SUBJECT.test(name)) return `"${owner}": in a subject, "%" is written "%25" and "@" is written "%40"`
  if (integrations.includes(integration)) return undefined
  return `no integration named "${integration}"${suggest(integration, integrations)}`
}
