/**
 * An impatient second click gets the first one's answer. The first has used up what it came with, and browsers show the
 * answer to the last.
 */
import { createHash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Reply } from '../../http/gate.ts'

/** See the top of the file. */
export interface SameAnswers {
  /** The answer to `question`, made by `answer` if nobody has asked within the last seconds. */
  once(question: string, answer: () => Promise<Reply>): Promise<Reply>
  /** Waits for answers that are being made. */
  settled(): Promise<void>
}

/** Long enough for a slow double click, too short for a reload to be taken for one. */
const REMEMBERED_MS = 5_000
const MAX_REMEMBERED = 1_000

/** `question` must hold something that only this browser knows. */
export function createSameAnswers(): SameAnswers {
  const answers = new LRUCache<string, Promise<Reply>>({ max: MAX_REMEMBERED, ttl: REMEMBERED_MS })
  const underWay = new Set<Promise<Reply>>()
  return {
    async once(question, answer) {
      const key = createHash('sha256').update(question).digest('base64url')
      const before = answers.get(key)
      if (before !== undefined) return before
      const making = answer()
      answers.set(key, making)
      underWay.add(making)
      try {
        return await making
      } catch (error) {
        answers.delete(key)
        throw error
      } finally {
        underWay.delete(making)
      }
    },
    async settled() {
      await Promise.allSettled(underWay)
    },
  }
}
