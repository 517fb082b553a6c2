/** What is known of listening to one member from one try to the next: whether to try again, and in which session. */
import type { SendResult, UpstreamLink } from '../../mcp/upstream-peer.ts'
import type { MemberProblem } from './member-credential.ts'

/** See the top of the file. */
export interface Listening {
  /** There is nothing to be heard: the member does not offer it, or not to this user. It is not asked again. */
  over: boolean
  /** The session that it has been listened to in, the last of them: one that it does not know any more it has forgotten. */
  heard: UpstreamLink | undefined
  /** The session that it has refused as one it does not know. */
  refused: UpstreamLink | undefined
}

/** Nothing is known yet. */
export function beginListening(): Listening {
  return { over: false, heard: undefined, refused: undefined }
}

/** A member could not be reached. */
export function noteProblem(listening: Listening, problem: MemberProblem): void {
  listening.over = problem.kind === 'failed' ? !isOutage(problem.upstreamStatus) : problem.kind !== 'unavailable'
}

/** A member has given no stream. */
export function noteRefusal(listening: Listening, link: UpstreamLink, result: SendResult): void {
  if (result.kind === 'session_over') listening.refused = link
  else listening.over = result.kind !== 'failed' || !isOutage(result.upstreamStatus)
}

/** Whether what has failed may go well another time. */
function isOutage(status: number | null): boolean {
  return status === null || status >= 500 || status === 408 || status === 429
}
