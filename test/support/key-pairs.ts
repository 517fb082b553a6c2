/**
 * Key pairs for tests. Making one of RSA takes a third of a second on a slow machine, and a whole run wants hundreds: test
 * files share some, kept in a directory of the run, and each goes through them in turn. Without the directory, keys are made as usual.
 */
import { randomUUID } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'

/** Names the directory; set by `global-setup.ts`. */
export const RSA_KEYS = 'SALLYPORT_TEST_RSA_KEYS'

/** More than a test has at once. */
const SHARED = 32
let asked = 0

/** Both halves can be exported. */
export interface KeyPair {
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
}

/** A key pair for an algorithm of JWS: of RSA one of 2,048 bits, and none of the last 31 of this test file. */
export async function makeKeyPair(alg: string): Promise<KeyPair> {
  const directory = process.env[RSA_KEYS]
  const isRsa = /^[RP]S/.test(alg)
  if (!isRsa || directory === undefined) return generateKeyPair(alg, { extractable: true })
  const jwk = await kept(join(directory, `${asked++ % SHARED}.json`))
  const { kty, n, e } = jwk
  const [privateKey, publicKey] = await Promise.all([
    importJWK(jwk, alg, { extractable: true }),
    importJWK({ kty: kty as string, n: n as string, e: e as string }, alg, { extractable: true }),
  ])
  return { privateKey: privateKey as CryptoKey, publicKey: publicKey as CryptoKey }
}

/** Two processes that make the same one at once: the later file stays, and either is a key. */
async function kept(path: string): Promise<JWK> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const jwk = await exportJWK(privateKey)
  const own = `${path}.${randomUUID()}`
  await writeFile(own, JSON.stringify(jwk))
  await rename(own, path)
  return jwk
}
