/** Keeps what was sent on streams, in order, so that a client can go on where its connection broke off (Last-Event-ID). */

/** Remembers the events of one session's streams; fits the SDKs' `EventStore`. */
export function orderedEventStore<Message>(): {
  storeEvent(streamId: string, message: Message): Promise<string>
  getStreamIdForEventId(eventId: string): Promise<string | undefined>
  replayEventsAfter(
    lastEventId: string,
    to: { send: (eventId: string, message: Message) => Promise<void> },
  ): Promise<string>
} {
  const events: { readonly streamId: string; readonly message: Message }[] = []
  const at = (eventId: string) => (/^event-\d+$/.test(eventId) ? Number(eventId.slice('event-'.length)) : -1)
  return {
    async storeEvent(streamId, message) {
      return `event-${events.push({ streamId, message }) - 1}`
    },
    async getStreamIdForEventId(eventId) {
      return events[at(eventId)]?.streamId
    },
    async replayEventsAfter(lastEventId, { send }) {
      const last = events[at(lastEventId)]
      if (last === undefined) throw new Error('no event of this id')
      for (const [index, { streamId, message }] of events.entries()) {
        // A priming event says nothing: it is only there for its id.
        const empty = typeof message === 'object' && message !== null && Object.keys(message).length === 0
        if (index > at(lastEventId) && streamId === last.streamId && !empty) await send(`event-${index}`, message)
      }
      return last.streamId
    },
  }
}
