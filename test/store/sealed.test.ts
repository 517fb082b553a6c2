/** Sealed stores: what is at rest, what opens, and how keys rotate. */
import { memoryStore } from 'sallyport/stores/memory'
import { storeTests } from 'sallyport/testing'
import { describe, expect, it } from 'vitest'
import { ConfigError, SealError, StoreError } from '../../src/core/errors.ts'
import { generateKey } from '../../src/core/sealing.ts'
import { sealed } from '../../src/store/sealed.ts'
import type { Key, TokenStore } from '../../src/store/token-store.ts'

const [old, fresh] = [generateKey(), generateKey()]
const text = 'refresh-token-of-alice'
const value = Buffer.from(text)
const key: Key = { space: 'connections', owner: 'alice', id: 'github' }

async function textIn(store: TokenStore, where = key): Promise<string | undefined> {
  const found = await store.get(where)
  return found && Buffer.from(found.value).toString()
}

/** Which key seals the record at rest. */
async function keyIdAtRest(store: TokenStore, where = key): Promise<string> {
  const jwe = JSON.parse(Buffer.from((await store.get(where))?.value ?? '').toString())
  return JSON.parse(Buffer.from(jwe.protected, 'base64url').toString()).kid
}

async function copy(store: TokenStore, from: Key, to: Key): Promise<void> {
  const found = await store.get(from)
  await store.put(to, found?.value ?? new Uint8Array(), { ifVersion: (await store.get(to))?.version ?? null })
}

describe('B8 B10 sealed store: the conformance kit', () => {
  const keys = [generateKey()]
  for (const { name, run } of storeTests(() => sealed(memoryStore(), keys), { oneHandle: true })) it(name, run)
})

describe('B8 sealed store', () => {
  it('keeps no plain text', async () => {
    const inner = memoryStore()
    await sealed(inner, [fresh]).put(key, value, { ifVersion: null })
    for (const space of ['connections', 'sealing-keys']) {
      for (const record of (await inner.scan(space)).records) {
        const bytes = Buffer.from(record.value).toString()
        expect(bytes).not.toContain(text)
        expect(bytes).not.toContain(value.toString('base64url').slice(0, 12))
      }
    }
  })

  it('a row copied to another owner, id or space does not open, in any way of reading', async () => {
    const inner = memoryStore()
    const store = sealed(inner, [fresh])
    await store.put(key, value, { ifVersion: null })
    for (const to of [
      { ...key, owner: 'mallory' },
      { ...key, id: 'gitlab' },
      { ...key, space: 'sessions' },
    ]) {
      await copy(inner, key, to)
      await expect(store.get(to)).rejects.toThrow(SealError)
      await expect(store.get(to)).rejects.toThrow(`${to.space}/${to.owner}/${to.id}`)
      await expect(store.list(to.space, to.owner)).rejects.toThrow(SealError)
      await expect(store.scan(to.space)).rejects.toThrow(SealError)
      await expect(store.take(to)).rejects.toThrow(SealError)
      await inner.delete(to)
    }
    expect(await textIn(store)).toBe(text)
  })

  it('a row that was changed, or is no seal, does not open', async () => {
    const inner = memoryStore()
    const store = sealed(inner, [fresh])
    await store.put(key, value, { ifVersion: null })
    const found = await inner.get(key)
    const bytes = Buffer.from(found?.value ?? '')
    for (const bad of [bytes.subarray(0, bytes.length - 2), Buffer.from(text), Buffer.alloc(0)]) {
      await inner.put(key, bad, { ifVersion: (await inner.get(key))?.version ?? null })
      await expect(store.get(key)).rejects.toThrow(SealError)
    }
  })

  it('refuses bad keys at once', () => {
    expect(() => sealed(memoryStore(), [])).toThrow(ConfigError)
    expect(() => sealed(memoryStore(), ['password'])).toThrow(ConfigError)
  })

  describe('rotation', () => {
    it('while running: the new key seals what is written, the old opens', async () => {
      const inner = memoryStore()
      await sealed(inner, [old]).put(key, value, { ifVersion: null })
      const oldId = await keyIdAtRest(inner)
      const store = sealed(inner, [fresh, old])
      const before = await store.get(key)
      expect(Buffer.from(before?.value ?? '').toString()).toBe(text)
      expect(await store.put(key, value, { ifVersion: before?.version ?? null })).not.toBe('conflict')
      expect(await keyIdAtRest(inner)).not.toBe(oldId)
      expect(await textIn(store)).toBe(text)
    })

    it('who only reads writes nothing, with whichever key first', async () => {
      const inner = memoryStore()
      await sealed(inner, [old]).put(key, value, { ifVersion: null })
      const version = (await inner.get(key))?.version
      for (let reads = 0; reads < 2; reads++) {
        for (const keys of [
          [fresh, old],
          [old, fresh],
        ])
          expect((await sealed(inner, keys).get(key))?.version).toBe(version)
      }
      expect((await inner.get(key))?.version).toBe(version)
    })

    it('a process that still has the old key first does not undo reseal() by reading', async () => {
      const inner = memoryStore()
      const straggler = sealed(inner, [old, fresh])
      await straggler.put(key, value, { ifVersion: null })
      expect(await sealed(inner, [fresh, old]).reseal()).toBe(1)
      expect(await textIn(straggler)).toBe(text)
      const after = sealed(inner, [fresh])
      await after.ready()
      expect(await textIn(after)).toBe(text)
    })

    it('a process with the old key first reads what one with the new key first writes', async () => {
      const inner = memoryStore()
      const [first, second] = [sealed(inner, [old, fresh]), sealed(inner, [fresh, old])]
      const version = await second.put(key, value, { ifVersion: null })
      expect(version).not.toBe('conflict')
      expect(await textIn(first)).toBe(text)
      expect(await textIn(second)).toBe(text)
    })

    it('keeps the time that a record has', async () => {
      let time = 0
      const inner = memoryStore({ clock: { now: () => time } })
      await sealed(inner, [old]).put(key, value, { ifVersion: null, ttlMs: 1_000 })
      const store = sealed(inner, [fresh, old])
      time = 500
      expect(await store.reseal()).toBe(1)
      time = 999
      expect(await textIn(store)).toBe(text)
      time = 1_000
      expect(await textIn(store)).toBeUndefined()
    })

    it('somebody who writes meanwhile wins over reseal()', async () => {
      const inner = memoryStore()
      await sealed(inner, [old]).put(key, value, { ifVersion: null })
      const racing: TokenStore = {
        ...inner,
        async put(where, sealedValue, options) {
          if (options.ttlMs === 'keep') await sealed(inner, [fresh, old]).delete(where)
          return inner.put(where, sealedValue, options)
        },
      }
      expect(await sealed(racing, [fresh, old]).reseal()).toBe(0)
      expect(await inner.get(key)).toBeUndefined()
    })

    it('reseal() does it for every space, and the old key can go', async () => {
      const inner = memoryStore()
      const before = sealed(inner, [old])
      for (const space of ['connections', 'sessions', 'people'])
        for (let index = 0; index < 130; index++)
          await before.put({ space, owner: `${index % 7}`, id: `${index}` }, value, { ifVersion: null })
      const rotating = sealed(inner, [fresh, old])
      const written = { space: 'sessions', owner: '0', id: '0' }
      await rotating.put(written, value, { ifVersion: (await rotating.get(written))?.version ?? null })
      expect(await rotating.reseal()).toBe(389)
      expect(await rotating.reseal()).toBe(0)
      const after = sealed(inner, [fresh])
      await after.ready()
      for (const space of ['connections', 'sessions', 'people']) {
        const { records } = await after.scan(space, { limit: 1_000 })
        expect(records.filter((record) => Buffer.from(record.value).toString() === text).length).toBe(130)
      }
    })

    it('reseal() while others write loses nothing', async () => {
      const inner = memoryStore()
      const before = sealed(inner, [old])
      const keys = Array.from({ length: 50 }, (_, index) => ({ ...key, id: `${index}` }))
      for (const one of keys) await before.put(one, Buffer.from('0'), { ifVersion: null })
      const [resealing, writing] = [sealed(inner, [fresh, old]), sealed(inner, [fresh, old])]
      await Promise.all([
        resealing.reseal(),
        ...keys.map(async (one) => {
          for (;;) {
            const found = await writing.get(one)
            if ((await writing.put(one, Buffer.from('1'), { ifVersion: found?.version ?? null })) !== 'conflict') return
          }
        }),
      ])
      const after = sealed(inner, [fresh])
      for (const one of keys) expect(await textIn(after, one)).toBe('1')
    })
  })

  describe('keys that are not there', () => {
    it('are found out at the start, by id, before anything is done', async () => {
      const inner = memoryStore()
      await sealed(inner, [old]).put(key, value, { ifVersion: null })
      const oldId = await keyIdAtRest(inner)
      const store = sealed(inner, [fresh])
      const error = await store.ready().catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(SealError)
      expect((error as Error).message).toContain(`${oldId} (in connections)`)
      expect((error as Error).message).not.toContain(old)
      for (const call of [
        () => store.get(key),
        () => store.put(key, value, { ifVersion: null }),
        () => store.take(key),
        () => store.delete(key),
        () => store.list('connections', 'alice'),
        () => store.scan('connections'),
        () => store.reseal(),
      ])
        await expect(call()).rejects.toThrow(SealError)
      expect(await textIn(sealed(inner, [old])), 'nothing is lost').toBe(text)
    })

    it('are looked for again once they are there', async () => {
      const inner = memoryStore()
      await sealed(inner, [old]).put(key, value, { ifVersion: null })
      let failing = true
      const shaky: TokenStore = {
        ...inner,
        scan: (space, page) => (failing ? Promise.reject(new StoreError('away')) : inner.scan(space, page)),
      }
      const store = sealed(shaky, [old])
      await expect(store.ready()).rejects.toThrow(StoreError)
      failing = false
      await store.ready()
      expect(await textIn(store)).toBe(text)
    })

    it('do not matter once they have nothing left to open', async () => {
      const inner = memoryStore()
      await sealed(inner, [old]).put(key, value, { ifVersion: null })
      await sealed(inner, [fresh, old]).reseal()
      await sealed(inner, [fresh]).ready()
    })

    it('matter as long as any space needs them', async () => {
      const inner = memoryStore()
      const before = sealed(inner, [old])
      await before.put(key, value, { ifVersion: null })
      await before.put({ ...key, space: 'sessions' }, value, { ifVersion: null })
      // Sealed anew by a write; the witness stays until reseal().
      const rotating = sealed(inner, [fresh, old])
      await rotating.put(key, value, { ifVersion: (await rotating.get(key))?.version ?? null })
      await expect(sealed(inner, [fresh]).ready()).rejects.toThrow(/connections, sessions/)
    })

    it('an empty store takes any key', async () => {
      await sealed(memoryStore(), [fresh]).ready()
    })

    it('of somebody else who has only begun are found out too, whoever comes later', async () => {
      const inner = memoryStore()
      await sealed(inner, [old]).ready()
      const error = await sealed(inner, [fresh])
        .ready()
        .catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(SealError)
      await sealed(inner, [old]).put(key, value, { ifVersion: null })
      const id = await keyIdAtRest(inner)
      expect((error as Error).message).toContain(`not configured here: ${id}.`)
      expect((error as Error).message).not.toContain(old)
      // Whoever was wrong has left nothing behind.
      await sealed(inner, [old]).ready()
      await sealed(inner, [fresh, old]).ready()
    })

    it('of two who begin at the same moment are found out by one of them at least', async () => {
      const inner = memoryStore()
      const begun = await Promise.allSettled([sealed(inner, [old]).ready(), sealed(inner, [fresh]).ready()])
      expect(begun.map(({ status }) => status)).toContain('rejected')
      const again = await Promise.allSettled([sealed(inner, [old]).ready()])
      const others = await Promise.allSettled([sealed(inner, [fresh]).ready()])
      expect([...again, ...others].filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    })

    it('are forgotten after an hour in which nothing was sealed, and by reseal()', async () => {
      let time = 0
      const inner = memoryStore({ clock: { now: () => time } })
      await sealed(inner, [old]).ready()
      time = 3_599_999
      await expect(sealed(inner, [fresh]).ready()).rejects.toThrow(SealError)
      time = 3_600_000
      await sealed(inner, [fresh]).ready()
      await expect(sealed(inner, [old]).ready()).rejects.toThrow(SealError)
      const rotating = sealed(inner, [old, fresh])
      await rotating.ready()
      await rotating.reseal()
      await sealed(inner, [old]).ready()
    })

    it('of a process that has only begun keep nobody from what they can open', async () => {
      const inner = memoryStore()
      const store = sealed(inner, [old])
      await store.put(key, value, { ifVersion: null })
      await sealed(inner, [fresh, old]).ready()
      expect(await textIn(sealed(inner, [old]))).toBe(text)
    })
  })

  it('passes on leases, and changes where the store tells of them', async () => {
    const inner = memoryStore()
    const store = sealed(inner, [fresh])
    expect(store.changes).toBeUndefined()
    expect(await store.lease(key, 1_000)).toBeDefined()
    expect(await inner.lease(key, 1_000)).toBeUndefined()
    const telling: TokenStore = { ...inner, changes: () => () => {} }
    expect(sealed(telling, [fresh]).changes).toBeDefined()
  })
})
