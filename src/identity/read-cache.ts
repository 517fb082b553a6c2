/** What has been read lately, believed for a while. Nothing that was read before a change is believed after it. */
import { LRUCache } from 'lru-cache'
import type { Unsubscribe } from '../core/events.ts'
import type { TokenStore } from '../store/token-store.ts'

/** See the top of the file. */
export interface ReadCache<Value> {
  /** The value, loaded where none is remembered; `undefined` is not remembered. Rejects as loading does. */
  read(id: string): Promise<Value | undefined>
  /** The value has changed, or may have. */
  forget(id: string): void
  forgetAll(): void
}

interface Reading<Value> {
  readonly at: number
  readonly value: Promise<Value | undefined>
}

const MAX_ENTRIES = 10_000

/**
 * @param load - finds the value of an id
 * @param maxAgeMs - the longest that a value is believed, counted from when loading began; 0 believes nothing
 */
export function createReadCache<Value extends object>(
  load: (id: string) => Promise<Value | undefined>,
  maxAgeMs: number,
): ReadCache<Value> {
  const entries = new LRUCache<string, { value: Value; at: number }>({ max: MAX_ENTRIES })
  /** Under way, so that something wanted by many at once is read once. One that is out of date is no longer in here. */
  const readings = new Map<string, Reading<Value>>()

  // A monotonic clock: setting the machine's clock back must not bring back what has been revoked.
  const isFresh = ({ at }: { readonly at: number }) => performance.now() - at < maxAgeMs

  function begin(id: string): Reading<Value> {
    const reading: Reading<Value> = { at: performance.now(), value: load(id) }
    const end = (value?: Value) => {
      if (readings.get(id) !== reading) return
      readings.delete(id)
      if (value === undefined) entries.delete(id)
      else entries.set(id, { value, at: reading.at })
    }
    readings.set(id, reading)
    reading.value.then(end, () => end())
    return reading
  }

  return {
    async read(id) {
      const entry = entries.get(id)
      if (entry !== undefined && isFresh(entry)) return entry.value
      const reading = readings.get(id)
      return (reading !== undefined && isFresh(reading) ? reading : begin(id)).value
    },
    forget(id) {
      entries.delete(id)
      readings.delete(id)
    },
    forgetAll() {
      entries.clear()
      readings.clear()
    },
  }
}

/** Forgets what others write in `space`, where records are remembered by their owner, if the store tells of it. */
export function forgetOnChange(
  store: TokenStore,
  space: string,
  cache: Pick<ReadCache<object>, 'forget' | 'forgetAll'>,
): Unsubscribe {
  const unsubscribe = store.changes?.((key) => {
    if (key === 'all') cache.forgetAll()
    else if (key.space === space) cache.forget(key.owner)
  })
  return unsubscribe ?? (() => {})
}
