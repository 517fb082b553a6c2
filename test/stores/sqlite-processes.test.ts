/** The SQLite store in several processes at once, some of which are killed. */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type SqliteDriverName, sqliteStore } from '../../src/stores/sqlite.ts'
import { startWorker, type WorkerProcess } from '../support/worker-process.ts'
import { sqliteDrivers } from './sqlite-drivers.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-processes-'))
const workers: WorkerProcess[] = []
afterAll(async () => {
  for (const worker of workers) worker.kill('SIGKILL')
  await Promise.all(workers.map(({ ended }) => ended))
  rmSync(folder, { recursive: true, force: true })
})

async function start(path: string, driver: SqliteDriverName): Promise<WorkerProcess> {
  const worker = startWorker('stores/sqlite-worker.ts', path, driver)
  workers.push(worker)
  await worker.next()
  return worker
}

async function end(worker: WorkerProcess): Promise<void> {
  worker.send({ end: true })
  expect(await worker.ended).toBe(0)
}

describe.each(sqliteDrivers.flatMap(([name, driver]) => (driver === undefined ? [] : [name])))(
  'B1 D4 SQLite store in several processes, on %s',
  (driver) => {
    it('8 processes make a new file at once and lose no update', { timeout: 60_000 }, async () => {
      const path = join(folder, `${randomUUID()}.db`)
      const eight = await Promise.all(Array.from({ length: 8 }, () => start(path, driver)))
      for (const worker of eight) worker.send({ count: 12 })
      await Promise.all(eight.map((worker) => worker.next()))
      const store = sqliteStore(path, { driver })
      const found = await store.get({ space: 'counters', owner: 'all', id: 'one' })
      expect(Buffer.from(found?.value ?? '').toString()).toBe('96')
      for (const worker of eight) worker.send({ lease: 60_000 })
      const leases = await Promise.all(eight.map((worker) => worker.next()))
      expect(leases.filter(({ leased }) => leased).length).toBe(1)
      await store.close()
      await Promise.all(eight.map(end))
    })

    it('a killed process loses nothing that was written, and holds nobody up', { timeout: 60_000 }, async () => {
      const path = join(folder, `${randomUUID()}.db`)
      const other = sqliteStore(path, { driver })
      for (let round = 0; round < 5; round++) {
        const worker = await start(path, driver)
        worker.send({ write: round })
        let written = -1
        while (written < 3 + round * 2) written = Number((await worker.next()).written)
        worker.kill('SIGKILL')
        await worker.ended
        const { records } = await other.list('written', `${round}`, { limit: 1_000 })
        const ids = records.map(({ key }) => Number(key.id)).sort((a, b) => a - b)
        expect(ids.slice(0, written + 1)).toEqual(Array.from({ length: written + 1 }, (_, index) => index))
        expect(records.every(({ key, value }) => Buffer.from(value).toString() === key.id)).toBe(true)
        const key = { space: 'written', owner: 'other', id: `${round}` }
        expect(await other.put(key, Buffer.from(''), { ifVersion: null })).not.toBe('conflict')
      }
      await other.close()
    })

    it('a stopped process gets its lease for the time after it goes on, not for the time before', {
      timeout: 60_000,
    }, async () => {
      const path = join(folder, `${randomUUID()}.db`)
      const store = sqliteStore(path, { driver })
      const key = { space: 'counters', owner: 'all', id: 'lease' }
      const first = await store.lease(key, 60_000)
      const worker = await start(path, driver)
      worker.kill('SIGSTOP')
      worker.send({ lease: 3_000 })
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      await first?.release()
      const began = performance.now()
      worker.kill('SIGCONT')
      expect(await worker.next()).toEqual({ leased: true })
      while ((await store.lease(key, 1)) === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
      expect(performance.now() - began).toBeGreaterThan(2_900)
      await end(worker)
      await store.close()
    })
  },
)
