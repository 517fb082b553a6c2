/** Opens the callers' sessions: the MCP handshake, and consent where the gateway asks for it. */
import { type Answer, ask } from './ask.ts'
import { consent } from './consent.ts'
import { type Caller, INITIALIZE, INITIALIZED, PATH, requestHeaders } from './context.ts'

const VISIT = /Please visit: (https?:\/\/[^\s",]+(?: , https?:\/\/[^\s",]+)*)/

/** The session id of each caller, by number. One after the other: the nth to consent gets the nth token. */
export async function openSessions(port: number, callers: readonly Caller[], path = PATH): Promise<string[]> {
  const sessions: string[] = []
  for (const { token } of callers) {
    let answer = await post(port, token, undefined, INITIALIZE, path)
    const links = VISIT.exec(answer.body)?.[1]?.split(' , ') ?? []
    for (const link of links) await consent(link)
    if (links.length > 0) answer = await post(port, token, undefined, INITIALIZE, path)
    const session = answer.headers['mcp-session-id']
    if (answer.status !== 200 || typeof session !== 'string') {
      throw new Error(`initialize at port ${port}: ${answer.status} ${answer.body}`)
    }
    const { status, body } = await post(port, token, session, INITIALIZED, path)
    if (status !== 202) throw new Error(`notifications/initialized at port ${port}: ${status} ${body}`)
    sessions.push(session)
  }
  return sessions
}

/** Sends a message as a caller does. */
export function post(
  port: number,
  token: string,
  session: string | undefined,
  body: string,
  path = PATH,
): Promise<Answer> {
  return ask(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers: requestHeaders(token, session), body })
}
