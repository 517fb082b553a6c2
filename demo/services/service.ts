/** What the four services have in common: how they are started, what they answer, and their WebSocket. */
import type { IncomingMessage, Server } from 'node:http'
import type { Auth, Guard } from 'sallyport'
import type { UpgradeListener } from 'sallyport/node'
import { WebSocketServer } from 'ws'

/** Starts a service behind `guard`. */
export type StartService = (guard: Guard, port: number, host: string) => Promise<Server>

/** What a service answers once the guard has let a request in, so that the walk sees what the application saw. */
export interface Report {
  readonly server: string
  readonly url: string
  readonly route: string | undefined
  readonly subject: string | undefined
}

/** The report of `server` on a request for `url`. */
export function report(server: string, url: string | undefined, auth: Auth | undefined): Report {
  return { server, url: url ?? '', route: auth?.route, subject: auth?.subject }
}

/** An `upgrade` listener that says one thing, the report, and waits for the client to hang up. */
export function chat(reportOf: (req: IncomingMessage) => Report): UpgradeListener {
  const sockets = new WebSocketServer({ noServer: true })
  return (req, socket, head) => {
    sockets.handleUpgrade(req, socket, head, (webSocket) => webSocket.send(JSON.stringify(reportOf(req))))
  }
}
