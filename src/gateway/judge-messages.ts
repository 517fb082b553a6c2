/**
 * Whether a caller may have everything that the messages of a body are about (G15). A batch goes on as it came or not at all, so
 * that one refused message refuses all of them.
 */
import type { GrantRef, Wanted } from '../access/decision.ts'
import type { Era } from '../mcp/eras.ts'
import type { Message, MessageBody } from '../mcp/messages.ts'
import { isRemoved, methodAccess } from '../mcp/methods.ts'
import { type Target, targetsOf } from '../mcp/targets.ts'
import type { Asker, Permission, Permissions } from './permissions.ts'

/** What is decided over all messages. */
export type MessagesVerdict =
  | {
      readonly kind: 'allowed'
      /** The grant that gave the first of what they name; `undefined` where they name nothing. */
      readonly rule: GrantRef | undefined
      /** What they name, in their order. */
      readonly targets: readonly Target[]
    }
  | {
      readonly kind: 'refused'
      /** The messages that are not allowed, and why. */
      readonly refused: ReadonlyMap<Message, MessageRefusal>
    }
  | { readonly kind: 'unavailable'; readonly detail: string }

/** Why a message is refused. */
export type MessageRefusal =
  | { readonly kind: 'denied'; readonly target: Target; readonly permission: Extract<Permission, { kind: 'denied' }> }
  | { readonly kind: 'malformed'; readonly detail: string }
  /** It may do anything, and the caller does not have everything; or the revision does not have it. */
  | typeof METHOD

/** The refusal of a method that is none: for this caller, or in this revision. */
export const METHOD = Object.freeze({ kind: 'method' } as const)

/**
 * The messages whose methods the revision no longer has, if there are any; they are unknown whatever is behind the gateway, and
 * whatever their parameters are.
 */
export function removedFrom({ messages }: MessageBody, { era }: Era): ReadonlyMap<Message, MessageRefusal> | undefined {
  const removed = messages.filter((message) => message.kind !== 'response' && isRemoved(message.method, era))
  return removed.length === 0 ? undefined : new Map(removed.map((message) => [message, METHOD]))
}

/** Judges what `asker` sent. At once where every answer comes at once. */
export function judgeMessages(
  { messages }: MessageBody,
  asker: Asker,
  permissions: Permissions,
): MessagesVerdict | Promise<MessagesVerdict> {
  const isBeyond = (method: string) => methodAccess(method) === 'everything' && !permissions.everything(asker)
  const questions = messages.flatMap((message) =>
    message.kind !== 'response' && isBeyond(message.method)
      ? [{ message, refusal: METHOD, wanted: undefined }]
      : questionsOf(message),
  )
  const answers = questions.map(({ wanted }) => (wanted === undefined ? undefined : permissions.ask(asker, wanted)))
  if (!answers.some((answer) => answer instanceof Promise)) {
    return verdictOf(questions, answers as (Permission | undefined)[])
  }
  return Promise.all(answers).then((settled) => verdictOf(questions, settled))
}

type Question =
  | { readonly message: Message; readonly target: Target; readonly wanted: Wanted }
  | { readonly message: Message; readonly refusal: MessageRefusal; readonly wanted: undefined }

const NOTHING_ASKED: MessagesVerdict = { kind: 'allowed', rule: undefined, targets: [] }

function questionsOf(message: Message): Question[] {
  if (message.kind === 'response') return []
  const { method, params } = message
  const found = targetsOf(method, params)
  if (found.kind === 'malformed') {
    return [{ message, refusal: { kind: 'malformed', detail: found.detail }, wanted: undefined }]
  }
  return found.targets.map((target) => ({
    message,
    target,
    wanted:
      target.kind === 'tool'
        ? { kind: 'tool', name: target.name, arguments: params?.arguments }
        : target.kind === 'prompt'
          ? { kind: 'prompt', name: target.name }
          : { kind: 'resource', uri: target.name },
  }))
}

function verdictOf(questions: readonly Question[], answers: readonly (Permission | undefined)[]): MessagesVerdict {
  if (questions.length === 0) return NOTHING_ASKED
  const refused = new Map<Message, MessageRefusal>()
  const targets: Target[] = []
  let rule: GrantRef | undefined
  for (const [index, question] of questions.entries()) {
    const answer = answers[index]
    if (question.wanted === undefined) refused.set(question.message, question.refusal)
    else if (answer?.kind === 'unavailable') return answer
    else if (answer?.kind === 'allowed') {
      rule ??= answer.rule
      targets.push(question.target)
    } else if (answer !== undefined && !refused.has(question.message)) {
      refused.set(question.message, { kind: 'denied', target: question.target, permission: answer })
    }
  }
  return refused.size === 0 ? { kind: 'allowed', rule, targets } : { kind: 'refused', refused }
}
