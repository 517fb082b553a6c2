/**
 * Whether a caller may have everything that the messages of a body are about (G15). A batch goes on as it came or not at all, so
 * that one refused message refuses all of them.
 */
import type { GrantRef, Wanted } from '../access/decision.ts'
import type { Era } from '../mcp/eras.ts'
import type { JsonObject, Message, MessageBody } from '../mcp/messages.ts'
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
  const questions: Question[] = []
  for (const message of messages) {
    if (message.kind === 'response') continue
    if (methodAccess(message.method) === 'everything' && !permissions.everything(asker)) {
      questions.push({ message, refusal: METHOD, wanted: undefined })
    } else addQuestions(questions, message)
  }
  if (questions.length === 0) return NOTHING_ASKED
  const answers: (Permission | undefined | Promise<Permission>)[] = []
  let isLater = false
  for (const { wanted } of questions) {
    const answer = wanted === undefined ? undefined : permissions.ask(asker, wanted)
    isLater ||= answer instanceof Promise
    answers.push(answer)
  }
  return isLater
    ? Promise.all(answers).then((settled) => verdictOf(questions, settled))
    : verdictOf(questions, answers as (Permission | undefined)[])
}

type Question =
  | { readonly message: Message; readonly target: Target; readonly wanted: Wanted }
  | { readonly message: Message; readonly refusal: MessageRefusal; readonly wanted: undefined }

const NOTHING_ASKED: MessagesVerdict = { kind: 'allowed', rule: undefined, targets: [] }

function addQuestions(questions: Question[], message: Exclude<Message, { kind: 'response' }>): void {
  const { method, params } = message
  const found = targetsOf(method, params)
  if (found.kind === 'malformed') {
    questions.push({ message, refusal: { kind: 'malformed', detail: found.detail }, wanted: undefined })
    return
  }
  for (const target of found.targets) questions.push({ message, target, wanted: wantedOf(target, params) })
}

function wantedOf({ kind, name }: Target, params: JsonObject | undefined): Wanted {
  if (kind === 'tool') return { kind, name, arguments: params?.arguments }
  return kind === 'prompt' ? { kind, name } : { kind, uri: name }
}

function verdictOf(questions: readonly Question[], answers: readonly (Permission | undefined)[]): MessagesVerdict {
  const targets: Target[] = []
  let refused: Map<Message, MessageRefusal> | undefined
  let rule: GrantRef | undefined
  for (let index = 0; index < questions.length; index++) {
    const question = questions[index] as Question
    const answer = answers[index]
    if (question.wanted === undefined) {
      refused ??= new Map()
      refused.set(question.message, question.refusal)
    } else if (answer?.kind === 'unavailable') return answer
    else if (answer?.kind === 'allowed') {
      rule ??= answer.rule
      targets.push(question.target)
    } else if (answer !== undefined && !refused?.has(question.message)) {
      refused ??= new Map()
      refused.set(question.message, { kind: 'denied', target: question.target, permission: answer })
    }
  }
  return refused === undefined ? { kind: 'allowed', rule, targets } : { kind: 'refused', refused }
}
