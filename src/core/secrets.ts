/**
 * Secrets, given directly or by reference. References are looked up
 * once, in `ready()`; a looked-up value never appears in an error or an event.
 */
import { readFile } from 'node:fs/promises'
import { messageOf, SecretError } from './errors.ts'

/** A reference to a secret: `env:NAME`, `file:/run/secrets/name`, or whatever the `secrets` resolver knows. */
export interface SecretReference {
  secret: string
}

/** A secret: the text itself, or a reference to it. */
export type Secret = string | SecretReference

/**
 * Looks up a reference that is neither `env:` nor `file:`. Return `undefined` for
 * a name it does not know.
 */
export type SecretResolver = (name: string) => string | undefined | Promise<string | undefined>

/**
 * The secret's text.
 *
 * `env:NAME` reads an environment variable, `file:PATH` a UTF-8 file of which a byte order mark and one
 * trailing line break are dropped (secret mounts and editors add them).
 *
 * @throws SecretError (`ERR_SECRET`) when it is not set, empty, or cannot be read.
 */
export async function resolveSecret(secret: Secret, resolver?: SecretResolver): Promise<string> {
  if (typeof secret === 'string') return secret
  const value = await lookUp(secret.secret, resolver)
  if (value === undefined) throw new SecretError(`the secret "${secret.secret}" is not set`)
  if (typeof value !== 'string') throw new SecretError(`the secret "${secret.secret}" is not a text`)
  if (value === '') throw new SecretError(`the secret "${secret.secret}" is empty`)
  return value
}

async function lookUp(name: string, resolver: SecretResolver | undefined): Promise<unknown> {
  try {
    if (name.startsWith('env:')) return process.env[name.slice('env:'.length)]
    if (name.startsWith('file:')) return textOf(await readFile(name.slice('file:'.length)))
    if (resolver !== undefined) return await resolver(name)
  } catch (error) {
    throw new SecretError(`the secret "${name}" cannot be read: ${messageOf(error)}`, { cause: error })
  }
  throw new SecretError(`the secret "${name}" is neither env: nor file:, and no secrets resolver is configured`)
}

/** Not `toString()`: that reads bytes that are no UTF-8 all as the same character, which makes a random key a poor one. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '')
}
