/** What is known of listening to one member from one try to the next: whether to try again, and in which session. */
import type { SendResult, UpstreamLink } from '../../mcp/upstream-peer.ts'
import type { MemberProblem, RejectedCredential } from './member-credential.ts'
import type { ReachedMember } from './members.ts'

/** See the top of the file. */
export interface Listening {
  /** There is nothing to be heard: the member does not offer it, or not to this user. It is not asked again. */
  over: boolean
  /** The session that it has been listened to in, the last of them: one that it does not know any more it has forgotten. */
  heard: UpstreamLink | undefined
  /** The session that it has refused as one it does not know. */
  refused: UpstreamLink | undefined
  /** The token that it has not taken, until it takes one: it is listened to with another. */
  rejected: RejectedCredential | undefined
}

/** Nothing is known yet. */
export function beginListening(): Listening {
  return { over: false, heard: undefined, refused: undefined, rejected: undefined }
}

/** A member could not be reached. */
export function noteProblem(listening: Listening, problem: MemberProblem): void {
  listening.over = problem.kind === 'failed' ? !isOutage(problem.upstreamStatus) : problem.kind !== 'unavailable'
}

/** A member gives a stream. */
export function noteHeard(listening: Listening, link: UpstreamLink): void {
  listening.heard = link
  listening.rejected = undefined
}

/** A member has given no stream. */
export function noteRefusal(
  listening: Listening,
  { link, credential, stamp }: Pick<ReachedMember, 'link' | 'credential' | 'stamp'>,
  result: SendResult,
): void {
  if (result.kind === 'session_over') listening.refused = link
  else if (result.kind === 'unauthorized' && stamp !== undefined) {
    const { challenge } = result
    listening.rejected = { kind: credential, stamp, challenge, isNew: listening.rejected !== undefined }
  } else {
    const isFailure = result.kind === 'failed' || result.kind === 'error'
    listening.over = !isFailure || !isOutage(result.upstreamStatus)
  }
}

/** Whether what has failed may go well another time. 409: a session has one stream, and the one before has not ended yet. */
function isOutage(status: number | null): boolean {
  return status === null || status >= 500 || status === 408 || status === 409 || status === 429
}
