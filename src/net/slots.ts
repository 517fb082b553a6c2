/**
 * Things that are under way, to be found until each is over. Not a `Set`: one that a thing is put in and taken out of for every
 * request keeps what was in it alive until a full collection, by way of the tables that it has outgrown (measured at 6 kB a
 * request, and a tenth of the time in the collector).
 */

/** See the top of the file. */
export interface Slots<Item> {
  /** The item's slot, which {@link Slots.free} takes. */
  put(item: Item): number
  free(slot: number): void
  all(): Item[]
}

/** Takes as much memory as there have been items at one time. */
export function createSlots<Item>(): Slots<Item> {
  const items: (Item | undefined)[] = []
  const vacant: number[] = []
  return {
    put(item) {
      const slot = vacant.pop() ?? items.length
      items[slot] = item
      return slot
    },
    free(slot) {
      items[slot] = undefined
      vacant.push(slot)
    },
    all: () => items.filter((item) => item !== undefined),
  }
}
