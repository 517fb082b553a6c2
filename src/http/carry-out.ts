/** Carries out what the gates decided; the last step that all adapters share. */
import type { OutgoingHttpHeader, ServerResponse } from 'node:http'
import { keepAuth } from './auth-of.ts'
import type { Outcome } from './gate.ts'
import { closeAfter } from './last-answer.ts'
import { isUpgrade } from './node-request.ts'
import { addHeadersOnSend, writeReply } from './writer.ts'

/**
 * Answers, or goes on to the application.
 *
 * @param holder - where `authOf` looks
 * @param proceed - goes on to the application; what it returns is returned
 * @param inherited - headers that the framework keeps apart from the response until it sends it itself
 */
export function carryOut<T>(
  outcome: Outcome,
  holder: object,
  response: ServerResponse,
  proceed: () => T,
  inherited?: Readonly<Record<string, OutgoingHttpHeader | undefined>>,
): T | undefined {
  if (outcome.kind === 'reply') {
    if (isUpgrade(response.req)) closeAfter(response)
    writeReply(response, outcome.reply, inherited)
    return undefined
  }
  if (outcome.kind === 'pass') {
    keepAuth(holder, outcome.auth)
    if (outcome.headers !== undefined) addHeadersOnSend(response, outcome.headers)
  }
  return proceed()
}
