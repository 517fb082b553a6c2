/** What the four services have in common: how they are started, what they answer, and their WebSocket. */
import type { IncomingMessage, Server } from 'node:http'
import type { Auth, Gate } from 'sallyport'
import type { UpgradeListener } from 'sallyport/node'
import { WebSocketServer } from 'ws'
import { appPage } from '../pages/app.ts'

/** Starts a service behind `gates`. */
export type StartService = (gates: Gate[], port: number, host: string) => Promise<Server>

/** What a service answers once the guard has let a request in, so that the walk sees what the application saw. */
export interface Report {
  readonly server: string
  readonly url: string
  readonly route: string | undefined
  readonly subject: string | undefined
  /** Whom the token is for. */
  readonly audience: unknown
}

/** The report of `server` on a request for `url`. */
export function report(server: string, url: string | undefined, auth: Auth | undefined): Report {
  return { server, url: url ?? '', route: auth?.route, subject: auth?.subject, audience: auth?.claims?.aud }
}

/** The answer of `server`: a page for people who have signed in with their browser, else the report. */
export function answer(
  server: string,
  { url = '', headers }: IncomingMessage,
  auth: Auth | undefined,
): { readonly type: string; readonly body: string } {
  return auth?.type === 'session' && headers.accept?.includes('text/html')
    ? { type: 'text/html; charset=utf-8', body: appPage(server, url, auth) }
    : { type: 'application/json; charset=utf-8', body: JSON.stringify(report(server, url, auth)) }
}

/** An `upgrade` listener that says one thing, the report, and waits for the client to hang up. */
export function chat(reportOf: (req: IncomingMessage) => Report): UpgradeListener {
  const sockets = new WebSocketServer({ noServer: true })
  return (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (webSocket) => webSocket.send(JSON.stringify(reportOf(req))))
  }
}
