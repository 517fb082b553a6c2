/** Where a list goes on, in an address: sealed, since it names a record, which may be of something that they may not see. */
import type { Sealer } from '../core/sealing.ts'

/** See the top of the file. A place opens for the list and the person that it was made for: `connections <id>`. */
export interface PagePlaces {
  seal(next: string, list: string): Promise<string>
  /** `undefined` for the start, which is also where anything made up leads. */
  open(sealed: string | null, list: string): Promise<string | undefined>
}

/** See the top of the file. */
export function createPagePlaces(sealer: (purpose: string) => Sealer): PagePlaces {
  const places = sealer('portal-place')
  return {
    seal: (next, list) => places.sealText(next, list),
    async open(sealed, list) {
      if (sealed === null) return undefined
      try {
        return (await places.openText(sealed, list)).plaintext
      } catch {
        return undefined
      }
    },
  }
}
