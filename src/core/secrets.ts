/**
 * Secrets, given directly or by reference. References are looked up
 * once, in `ready()`; a looked-up value never appears in an error or an event.
 */
import { readFile } from 'node:fs/promises'
import { isNativeError } from 'node:util/types'
import { messageOf, SallyportError, SecretError } from './errors.ts'
import { property } from './property.ts'

/** A reference to a secret: `env:NAME`, `file:/run/secrets/name`, or whatever the `secrets` resolver knows. */
export interface SecretReference {
  /** `env:NAME`, `file:/run/secrets/name`, or a name for your own resolver. */
  secret: string
}

/** A secret: the text itself, or a reference to it. */
export type Secret = string | SecretReference

/**
 * Looks up a reference that is neither `env:` nor `file:`. Return `undefined` for
 * a name it does not know. The message of an `Error` that it throws is told to operators; of other
 * kinds of errors, such as a `SyntaxError`, only the name is, since they may quote the value.
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
  const failure = (why: string, cause?: unknown) =>
    new SecretError(`the secret "${name}" cannot be read: ${why}`, cause === undefined ? {} : { cause })
  if (name.startsWith('env:')) return process.env[name.slice('env:'.length)]
  if (name.startsWith('file:')) {
    // Of a file that cannot be read, Node names the path, which is configured; of one that is not UTF-8 nothing is quoted.
    const reading = readFile(name.slice('file:'.length)).then(textOf)
    return reading.catch((error: unknown) => Promise.reject(failure(messageOf(error), error)))
  }
  if (resolver === undefined) {
    throw new SecretError(`the secret "${name}" is neither env: nor file:, and no secrets resolver is configured`)
  }
  try {
    return await resolver(name)
  } catch (error) {
    if (isOwnWords(error)) throw failure(messageOf(error), error)
    // Without it as the cause: Node prints that too.
    throw failure(kindOf(error))
  }
}

/**
 * Whether what a resolver throws was written by whoever wrote it, or by Node of a path or an address. The other kinds are made where
 * a value is looked at, and quote it: JSON.parse (`SyntaxError`), Node of an argument and V8 of an operand (`TypeError`,
 * `RangeError`), assertions, parsers of YAML.
 */
function isOwnWords(thrown: unknown): boolean {
  if (thrown instanceof SallyportError || typeof thrown === 'string') return true
  return isError(thrown) && thrown.name === 'Error'
}

/** What it is, and the code of it or its cause: `TypeError (ECONNREFUSED)` of a fetch. */
function kindOf(thrown: unknown): string {
  if (!isError(thrown)) return 'something that is no error was thrown'
  const name = /^[A-Z][A-Za-z]{0,60}$/.test(thrown.name) ? thrown.name : 'an error'
  const code = property(thrown, 'code') ?? property(thrown.cause, 'code')
  return typeof code === 'string' && /^E[A-Z_]{2,40}$/.test(code) ? `${name} (${code})` : name
}

/** Also of another realm, such as that of a test runner. */
function isError(thrown: unknown): thrown is Error {
  return thrown instanceof Error || isNativeError(thrown)
}

/** Not `toString()`: that reads bytes that are no UTF-8 all as the same character, which makes a random key a poor one. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '')
}
