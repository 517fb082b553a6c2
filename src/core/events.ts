/**
 * What a gate tells about its work: to listeners on the gate itself and to a
 * `node:diagnostics_channel`. Nothing is built when nobody listens, and a
 * listener that throws never harms the request.
 */
import diagnostics_channel from 'node:diagnostics_channel'
import { warnOfThrown } from './warnings.ts'

/** Stops listening. */
export type Unsubscribe = () => void

/** A source of events; `Events` maps an event's name to what its listeners receive. */
export interface EventSource<Events> {
  on<Name extends keyof Events & string>(name: Name, listener: (event: Events[Name]) => void): Unsubscribe
}

/** The sending side of an {@link EventSource}. */
export interface Emitter<Events> extends EventSource<Events> {
  /** Whether anybody listens; ask before building an event on a hot path. */
  heard(name: keyof Events & string): boolean
  emit<Name extends keyof Events & string>(name: Name, event: Events[Name]): void
}

/** An emitter for `names`; each event also goes to the diagnostics channel `sallyport:<name>`. */
export function createEmitter<Events>(names: readonly (keyof Events & string)[]): Emitter<Events> {
  type Listener = (event: Events[keyof Events & string]) => void
  const parts = new Map(
    names.map((name) => [
      name,
      // The list is never changed, only replaced: whoever is being told can subscribe again, and would be called for ever.
      { channel: diagnostics_channel.channel(`sallyport:${name}`), listeners: [] as readonly Listener[] },
    ]),
  )
  const part = (name: keyof Events & string) => {
    const found = parts.get(name)
    if (found === undefined) throw new TypeError(`no event named "${name}"; there are: ${names.join(', ')}`)
    return found
  }
  return {
    on(name, listener) {
      const its = part(name)
      const own: Listener = (event) => listener(event as Parameters<typeof listener>[0])
      its.listeners = [...its.listeners, own]
      return () => {
        its.listeners = its.listeners.filter((each) => each !== own)
      }
    },
    heard(name) {
      const { channel, listeners } = part(name)
      return listeners.length > 0 || channel.hasSubscribers
    },
    emit(name, event) {
      const { channel, listeners } = part(name)
      for (const listener of listeners) {
        try {
          const result: unknown = listener(event)
          // An asynchronous listener fits the type too; its rejection would end the process.
          if (result instanceof Promise) result.catch((error: unknown) => warnOf(listener, name, error))
        } catch (error) {
          warnOf(listener, name, error)
        }
      }
      if (channel.hasSubscribers) channel.publish(event)
    },
  }
}

function warnOf(listener: object, name: string, error: unknown): void {
  warnOfThrown(listener, 'SALLYPORT_LISTENER', `a listener of "${name}"`, error)
}
