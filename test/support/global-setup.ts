/** What all test files of a run share. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RSA_KEYS } from './key-pairs.ts'

/** Before the first file; what it returns, after the last. */
export default async function setUp(): Promise<() => Promise<void>> {
  const keys = await mkdtemp(join(tmpdir(), 'sallyport-test-keys-'))
  process.env[RSA_KEYS] = keys
  return () => rm(keys, { recursive: true, force: true })
}
