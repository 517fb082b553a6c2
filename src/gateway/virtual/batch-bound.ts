/** What the answers of one batch have together: they are kept until the last of them is there, and a short request can ask for much. */
import { GatewayCode } from '../../mcp/error-codes.ts'
import type { RequestMessage } from '../../mcp/messages.ts'
import { errorAnswer, type VirtualAnswer } from './answer.ts'

const TOO_LARGE = { outcome: 'refused', reason: 'too_large' } as const
const WORDS = 'Too large: the answers of this batch are too long together; ask for this one by itself'

/** What becomes of each answer, in the order that they come: an error once there would be more than `maxBytes`. */
export function createBatchBound(maxBytes: number): (request: RequestMessage, answer: VirtualAnswer) => VirtualAnswer {
  let left = maxBytes
  return (request, answer) => {
    if (answer.kind === 'many' || !(answer.body instanceof Uint8Array)) return answer
    if (answer.body.length > left) return errorAnswer(request.id, GatewayCode.TOO_LARGE, WORDS, TOO_LARGE)
    left -= answer.body.length
    return answer
  }
}
