/**
 * Secrets, given directly or by reference (A12, G18). References are looked up
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
 * `env:NAME` reads an environment variable, `file:PATH` a UTF-8 file whose one
 * trailing line break is dropped (secret mounts and editors add one).
 *
 * @throws SecretError (`ERR_SECRET`) when it is not set, empty, or cannot be read.
 */
export async function resolveSecret(secret: Secret, resolver?: SecretResolver): Promise<string> {
  if (typeof secret === 'string') return secret
  const value = await lookUp(secret.secret, resolver)
  if (value === undefined) throw new SecretError(`the secret "${secret.secret}" is not set`)
  if (value === '') throw new SecretError(`the secret "${secret.secret}" is empty`)
  return value
}

async function lookUp(name: string, resolver: SecretResolver | undefined): Promise<string | undefined> {
  try {
    if (name.startsWith('env:')) return process.env[name.slice('env:'.length)]
    if (name.startsWith('file:')) return (await readFile(name.slice('file:'.length), 'utf8')).replace(/\r?\n$/, '')
    if (resolver !== undefined) return await resolver(name)
  } catch (error) {
    throw new SecretError(`the secret "${name}" cannot be read: ${messageOf(error)}`, { cause: error })
  }
  throw new SecretError(`the secret "${name}" is neither env: nor file:, and no secrets resolver is configured`)
}
