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

/** Lets a request through to `proceed`, or answers it. */
type Judge = (request: IncomingMessage, socket: Duplex, proceed: () => void) => void

/** What a guarded listener is known by, and a server that has been seen to; the same in all copies of this module. */
const JUDGE: unique symbol = Symbol.for('sallyport.upgrade.judge')
const DOOR: unique symbol = Symbol.for('sallyport.upgrade.door')

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

  function listener(this: unknown, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (admitted.has(request)) {
      handler(request, socket, head)
      return
    }
    // Another listener may have called it, as one that chooses by path does; that one decides who else hears of it.
    if (this instanceof EventEmitter) standInFront(this as Server)
    judge(request, socket, () => handler(request, socket, head))
  }
  const atTheDoor: Judge = (request, socket, proceed) =>
    judge(request, socket, () => {
      admitted.add(request)
      proceed()
    })
  const guarded: UpgradeListener = Object.assign(listener, { [JUDGE]: atTheDoor })
  onConnection(new WeakRef(guarded))
  return guarded
}

/**
 * Makes every `upgrade` event of `server` one that comes only once all guarded listeners that are on it by then have let the request
 * pass. Whoever has kept or bound `server.emit` before goes past that, so Fastify's plugin calls this before the server listens:
 * for the other addresses of `localhost` Fastify has servers that hand their upgrades to a bound `emit` of the first.
 */
export function standInFront(server: Server & { [DOOR]?: true }): void {
  if (server[DOOR] === true) return
  server[DOOR] = true
  const { emit } = server
  // Every event goes through here; this costs half of a bound function and parameters of their own.
  server.emit = (...args: unknown[]): boolean => {
    if (args[0] !== 'upgrade') return Reflect.apply(emit, server, args)
    const [, request, socket] = args as [string, IncomingMessage, Duplex]
    let proceed = (): void => Reflect.apply(emit, server, args)
    for (const judge of judgesOf(server)) {
      const next = proceed
      proceed = () => judge(request, socket, next)
    }
    proceed()
    return true
  }
}

/** Those of the guarded listeners of `server`. */
function judgesOf(server: Server): Set<Judge> {
  const judges = new Set<Judge>()
  for (const { [JUDGE]: judge } of server.listeners('upgrade') as { readonly [JUDGE]?: Judge }[]) {
    if (judge !== undefined) judges.add(judge)
  }
  return judges
}

/** Stands in front of every server that accepts a connection and has the listener, for as long as that is in use. */
function onConnection(held: WeakRef<UpgradeListener>): void {
  const watch = (message: unknown): void => {
    const listener = held.deref()
    if (listener === undefined) {
      diagnostics_channel.unsubscribe(CONNECTION_CHANNEL, watch)
      return
    }
    const { server } = (message as { socket: { server?: Server & { [DOOR]?: true } } }).socket
    if (server === undefined || server[DOOR] === true) return
    if (server.listeners('upgrade').includes(listener)) standInFront(server)
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
