/** Carries out what the gates decided; the last step that all adapters share. */
import { type IncomingMessage, type OutgoingHttpHeader, ServerResponse } from 'node:http'
import { keepAuth } from './auth-of.ts'
import type { Outcome } from './gate.ts'
import { answerUpgrade, closeAfter } from './last-answer.ts'
import { isUpgrade } from './node-request.ts'
import { addHeadersOnSend, writeReply } from './writer.ts'

/**
 * Answers, or goes on to the application.
 *
 * @param holder - where `authOf` looks
 * @param message - Node's own request
 * @param response - that of the framework; to an upgrade there may be none, or one that sends nothing
 * @param proceed - goes on to the application; what it returns is returned
 * @param inherited - headers that the framework keeps apart from the response until it sends it itself
 */
export function carryOut<T>(
  outcome: Outcome,
  holder: object,
  message: IncomingMessage,
  response: ServerResponse,
  proceed: () => T,
  inherited?: Readonly<Record<string, OutgoingHttpHeader | undefined>>,
): T | undefined {
  if (outcome.kind === 'reply') {
    if (!isUpgrade(message)) writeReply(response, outcome.reply, inherited)
    else if (response instanceof ServerResponse) {
      closeAfter(response)
      writeReply(response, outcome.reply, inherited)
    } else answerUpgrade(message, response, outcome.reply)
    return undefined
  }
  if (outcome.kind === 'pass') {
    keepAuth(holder, outcome.auth)
    if (outcome.headers !== undefined && response !== undefined) addHeadersOnSend(response, outcome.headers)
  }
  return proceed()
}
