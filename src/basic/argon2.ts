/**
 * Passwords hashed with Argon2 (RFC 9106) in PHC string form. Node 24.7 and later has Argon2 where its OpenSSL does;
 * otherwise one of the optional packages `argon2` and `@node-rs/argon2` does the work.
 */
import * as crypto from 'node:crypto'
import { importFunction, importInstalled, type PackageImporter } from '../core/optional-package.ts'
import { damagedHash, decodePhcBase64, hashError, type PasswordHash, refuseAbsurdCost } from './hash-format.ts'

/** `$argon2id$v=19$m=65536,t=3,p=4$salt$digest`; `m` is in KiB, `t` counts passes, `p` lanes. */
const argon2Form =
  /^\$(argon2id|argon2i)\$(?:v=(\d+)\$)?m=([1-9]\d{0,9}),t=([1-9]\d{0,9}),p=([1-9]\d{0,2})\$([^$]+)\$([^$]+)$/

/** `crypto.argon2` of Node 24.7 and later. */
export type RuntimeArgon2 = (
  algorithm: string,
  parameters: {
    readonly message: string
    readonly nonce: Uint8Array
    readonly memory: number
    readonly passes: number
    readonly parallelism: number
    readonly tagLength: number
  },
  callback: (error: Error | null, digest: Uint8Array) => void,
) => void

/** Where Argon2 comes from. Tests put in their own. */
export interface Argon2Sources {
  readonly runtime: RuntimeArgon2 | undefined
  readonly importPackage: PackageImporter
}

/** This Node and the packages installed beside us. */
export const installedArgon2: Argon2Sources = {
  // Read by name: the types are those of the oldest Node, which has none.
  runtime: Reflect.get(crypto, 'argon2') as RuntimeArgon2 | undefined,
  importPackage: importInstalled,
}

interface Argon2Hash {
  readonly text: string
  readonly algorithm: string
  readonly memory: number
  readonly passes: number
  readonly parallelism: number
  readonly salt: Uint8Array
  readonly digest: Uint8Array
}

type Verify = PasswordHash['verify']

/**
 * A password hashed with Argon2id or Argon2i, version 19 (1.3), in PHC string form.
 *
 * @throws ConfigError (`ERR_CONFIG`) when the hash is damaged, of the version before, or its cost is out of bounds.
 */
export function parseArgon2(text: string, sources: Argon2Sources = installedArgon2): PasswordHash {
  const hash = parse(text)
  let loading: Promise<Verify> | undefined
  const load = () => {
    loading ??= loadVerify(hash, sources)
    return loading
  }
  return {
    load: async () => void (await load()),
    async verify(password) {
      const verify = await load()
      return verify(password)
    },
  }
}

function parse(text: string): Argon2Hash {
  const [, algorithm, version, memory, passes, lanes, encodedSalt, encodedDigest] = argon2Form.exec(text) ?? []
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(lanes) }
  const salt = decodePhcBase64(encodedSalt, 8, 64)
  const digest = decodePhcBase64(encodedDigest, 16, 64)
  // RFC 9106 §3.1: at least 8 KiB a lane.
  const whole = algorithm !== undefined && salt !== undefined && digest !== undefined
  if (!whole || cost.memory < 8 * cost.parallelism) throw damagedHash('Argon2')
  if (version !== '19') {
    throw hashError('the Argon2 hash is of a version before 1.3 (v=19), which Node cannot check: make a new hash')
  }
  refuseAbsurdCost('Argon2', 1024 * cost.memory, cost.passes)
  return { text, algorithm, ...cost, salt, digest }
}

async function loadVerify(hash: Argon2Hash, { runtime, importPackage }: Argon2Sources): Promise<Verify> {
  if (runtime !== undefined && (await works(runtime))) {
    return async (password) => crypto.timingSafeEqual(await derive(runtime, hash, password), hash.digest)
  }
  const verify = await importFunction(
    ['argon2', '@node-rs/argon2'],
    'verify',
    'checking an Argon2 hash needs Node 24.7 or a package',
    importPackage,
  )
  return async (password) => (await verify(hash.text, password)) === true
}

/** Node has the function also where the OpenSSL under it (before 3.2) has no Argon2. */
async function works(runtime: RuntimeArgon2): Promise<boolean> {
  const smallest = { algorithm: 'argon2id', memory: 8, passes: 1, parallelism: 1 }
  try {
    await derive(runtime, { ...smallest, text: '', salt: new Uint8Array(8), digest: new Uint8Array(16) }, '')
    return true
  } catch {
    return false
  }
}

function derive(runtime: RuntimeArgon2, hash: Argon2Hash, password: string): Promise<Uint8Array> {
  const { algorithm, memory, passes, parallelism, salt, digest } = hash
  const parameters = { message: password, nonce: salt, memory, passes, parallelism, tagLength: digest.length }
  return new Promise((resolve, reject) => {
    runtime(algorithm, parameters, (error, derived) => (error === null ? resolve(derived) : reject(error)))
  })
}
