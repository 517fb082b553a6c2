/** The kit needs no particular runner. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { memoryStore } from 'sallyport/stores/memory'
import { rotatingServer, storeTests } from 'sallyport/testing'
import { describe, expect, it } from 'vitest'
import type { TokenStore } from '../../src/store/token-store.ts'
import { closing, waits } from './kit-runs.ts'

describe('B10 the kit in other runners', () => {
  it('runs in node:test with one line', { timeout: 60_000 }, async () => {
    const file = fileURLToPath(new URL('node-test-file.ts', import.meta.url))
    const args = ['--import', 'tsx', '--test', '--test-reporter', 'tap', file]
    // node:test takes another way inside of a test runner.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      output += chunk
    })
    const [code] = await once(child, 'close')
    const { length } = storeTests(() => memoryStore())
    expect(output).toMatch(new RegExp(`^# pass ${length}$`, 'm'))
    expect(output).toMatch(/^# fail 0$/m)
    expect(code).toBe(0)
  })

  it('every test has a name of its own', () => {
    const names = storeTests(() => memoryStore()).map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  it('says what is wrong when handles do not share a storage', async () => {
    const first = storeTests(() => memoryStore())[0]
    await expect(first?.run()).rejects.toThrow(/makeStore\(\) must open another handle onto the same storage/)
  })

  it('passes on what makeStore throws', async () => {
    const tests = storeTests(() => Promise.reject(new Error('no server')))
    for (const { run } of tests) await expect(run()).rejects.toThrow('no server')
  })

  it('leaves no record behind', { timeout: 60_000 }, async () => {
    const storage = memoryStore()
    const spaces = new Set<string>()
    const noting: TokenStore = {
      ...storage,
      async put(key, ...rest) {
        const version = await storage.put(key, ...rest)
        spaces.add(key.space)
        return version
      },
    }
    await Promise.all(storeTests(() => closing(noting)).map(({ run }) => run()))
    expect(spaces.size).toBeGreaterThan(10)
    for (const space of spaces) expect(await storage.scan(space), space).toEqual({ records: [] })
  })

  it('leaves no record behind where a test fails', async () => {
    const storage = memoryStore()
    const [first] = storeTests(() => closing({ ...storage, get: async () => undefined }))
    await expect(first?.run()).rejects.toThrow('makeStore()')
    expect(await storage.scan('kit')).toEqual({ records: [] })
  })

  it('does not wait for a slow store again and again where no order matters', async () => {
    const names = storeTests(() => memoryStore()).map(({ name }) => name)
    for (const name of names.filter((each) => /^(keys|listing): /.test(each))) {
      const { store, count } = waits(memoryStore())
      await storeTests(() => store, { oneHandle: true })
        .find((test) => test.name === name)
        ?.run()
      expect(count(), name).toBeLessThan(50)
    }
  })
})

describe('B10 the rotating authorization server', () => {
  it('rotates, and revokes the family when a refresh token is used twice', async () => {
    const server = rotatingServer()
    const first = server.issue()
    const other = server.issue()
    const second = await server.redeem(first)
    expect(server.isGood(second)).toBe(true)
    expect(server.isGood(first)).toBe(false)
    await expect(server.redeem(first)).rejects.toMatchObject({ failure: 'dead' })
    await expect(server.redeem(second), 'the whole family').rejects.toMatchObject({ failure: 'dead' })
    expect(server.isGood(other), 'no other').toBe(true)
    expect([server.redemptions(), server.reuse(), server.reuse(other)]).toEqual([1, 1, 0])
  })

  it('revokes a family', async () => {
    const server = rotatingServer()
    const tokens = server.issue()
    await server.revoke(tokens)
    await expect(server.redeem(tokens)).rejects.toMatchObject({ failure: 'dead' })
    expect(server.reuse()).toBe(0)
  })
})
