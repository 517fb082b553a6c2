/**
 * WebSocket (and other) upgrades through the same gate (B12). Node tells every
 * `upgrade` listener of a server about every upgrade, so a refusal by one listener
 * would still reach the others. The guarded listener therefore stands in front of
 * the event itself: it is emitted once the gate has let the request pass.
 */
import diagnostics_channel from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import type { IncomingMessage, Server } from 'node:http'
import { type Duplex, Readable } from 'node:stream'
import { keepAuth } from './auth-of.ts'
import { checkGates, decide } from './decide.ts'
import type { Gate, Outcome } from './gate.ts'
import { answerOnSocket } from './last-answer.ts'
import { headOf, NodeRequest } from './node-request.ts'

/** A listener of a server's `upgrade` event. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** Published by Node for each connection that a server accepts, before anything is read from it. */
const CONNECTION_CHANNEL = 'net.server.socket'

/**
 * Guards upgrades: `server.on('upgrade', guardUpgrade(guard, handler))`.
 *
 * A refused upgrade gets the gate's answer and reaches neither `handler` nor any other `upgrade` listener of the
 * server. In `handler`, `authOf(request)` tells who it is. Register it before the server listens: on a connection that is
 * older, the first upgrade still reaches the others.
 *
 * @param gate - a gate, or several of which the first that does not skip decides
 * @throws TypeError for no gates, for something that is none, and for a handler that is none
 */
export function guardUpgrade(gate: Gate | readonly Gate[], handler: UpgradeListener): UpgradeListener {
  if (typeof handler !== 'function') {
    throw new TypeError('guardUpgrade needs a listener for what is let through: (req, socket, head) => …')
  }
  const gates = checkGates(isList(gate) ? gate : [gate], 'guardUpgrade')
  const admitted = new WeakSet<IncomingMessage>()
  const guarded = new WeakSet<Server>()

  /** Calls `proceed` if the gates let the request pass, else answers it. */
  function judge(request: IncomingMessage, socket: Duplex, proceed: () => void): void {
    const outcome = decide(gates, new NodeRequest(request, socket, headOf(request), request, undefined, 'upgrade'))
    if ('then' in outcome) {
      // Nobody else listens while the gate thinks: an unheard error would end the process, an unheard end keep a socket
      // open (Node's servers allow half-open ones) whose client has gone.
      const gone = () => socket.destroy()
      socket.on('error', ignore).on('end', gone)
      void outcome.then((later) => {
        socket.off('end', gone)
        if (!socket.destroyed) {
          socket.off('error', ignore)
          settle(later, request, socket, proceed)
        } else if (later.kind === 'reply' && later.reply.body instanceof Readable) later.reply.body.destroy()
      })
    } else settle(outcome, request, socket, proceed)
  }

  function standInFront(server: Server): void {
    if (guarded.has(server) || !server.listeners('upgrade').includes(listener)) return
    guarded.add(server)
    const emit: (event: string, ...args: unknown[]) => boolean = server.emit.bind(server)
    server.emit = (event: string, ...args: unknown[]): boolean => {
      const [request, socket] = args as [IncomingMessage, Duplex]
      if (event !== 'upgrade' || !server.listeners('upgrade').includes(listener)) return emit(event, ...args)
      judge(request, socket, () => {
        admitted.add(request)
        emit(event, ...args)
      })
      return true
    }
  }

  const door = { standInFront }
  function listener(this: unknown, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (admitted.has(request)) {
      handler(request, socket, head)
      return
    }
    // Another listener may have called it, as one that chooses by path does; that one decides who else hears of it.
    if (this instanceof EventEmitter) door.standInFront(this as Server)
    judge(request, socket, () => handler(request, socket, head))
  }
  onConnection(new WeakRef(door))
  return listener
}

/** Shows the door every server that accepts a connection, for as long as the listener (which holds the door) is in use. */
function onConnection(held: WeakRef<{ standInFront(server: Server): void }>): void {
  const watch = (message: unknown): void => {
    const door = held.deref()
    if (door === undefined) {
      diagnostics_channel.unsubscribe(CONNECTION_CHANNEL, watch)
      return
    }
    const { server } = (message as { socket: { server?: Server } }).socket
    if (server !== undefined) door.standInFront(server)
  }
  diagnostics_channel.subscribe(CONNECTION_CHANNEL, watch)
}

function settle(outcome: Outcome, request: IncomingMessage, socket: Duplex, proceed: () => void): void {
  if (outcome.kind === 'reply') {
    answerOnSocket(request, socket, outcome.reply)
    return
  }
  if (outcome.kind === 'pass') keepAuth(request, outcome.auth)
  proceed()
}

function isList(gate: Gate | readonly Gate[]): gate is readonly Gate[] {
  return Array.isArray(gate)
}

function ignore(): void {}
