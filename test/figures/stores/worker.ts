/** An actor in a process of its own, to be stopped and killed. Its setup is its argument; it talks over IPC. */
import { messageOf } from '../../../src/core/errors.ts'
import { sealed } from '../../../src/store/sealed.ts'
import { createActor } from './actor.ts'
import { openStore } from './open-store.ts'
import type { FromProcess, Setup, ToProcess } from './protocol.ts'

const setup: Setup = JSON.parse(process.argv[2] ?? '')
const store = sealed(openStore(setup.backend, setup.url, setup.timeoutMs), [setup.sealingKey])

function send(message: FromProcess): void {
  if (process.connected) process.send?.(message)
}

const actor = createActor(setup, store, (report) => send({ kind: 'report', report }))
process.on('disconnect', () => process.exit(0))
process.on('message', async ({ id, order }: ToProcess) => {
  try {
    const answer = await actor.order(order)
    if (order.kind === 'close') await store.close()
    send({ kind: 'answer', id, answer })
    if (order.kind === 'close') process.disconnect()
  } catch (error) {
    send({ kind: 'answer', id, answer: { kind: 'error', message: messageOf(error) } })
  }
})
send({ kind: 'ready' })
