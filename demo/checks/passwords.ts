/** A5, A12: basic authentication, and where its passwords come from. */
import { createGuard, SallyportError } from 'sallyport'
import type { Chapter } from './stage.ts'

const host = 's1.example.com'
const challenge = '401 Basic realm="s1", charset="UTF-8"'

export const basic: Chapter = async ({ walk }) => {
  walk.chapter('A5  Basic auth: a browser prompts, curl --user works')
  await walk.everywhere('A5', { host }, challenge)
  await walk.everywhere('A5', { host, user: 'hello:pass' }, '200 s1 hello /')
  await walk.everywhere('A5', { host, user: 'hello:wrong' }, challenge)
  await walk.everywhere('A5', { host, user: 'nobody:pass' }, challenge)
  await walk.everywhere('A5', { host, headers: { authorization: 'Basic !!!' } }, challenge)
  await walk.everywhere('A5', { host: 's2.example.com', user: 'zoë:pässwörd' }, '200 s2 zoë /')
}

export const secrets: Chapter = async ({ walk }) => {
  walk.chapter('A12 Secrets by reference')
  await walk.everywhere('A12', { host, user: 'hello:pass' }, '200 s1 hello /')
  await walk.everywhere('A12', { host: 'ops.example.com', user: 'ops:ops-password' }, '200 ops ops /')
  await walk.once(
    'A12',
    'ready() of a guard whose secret env:SALLYPORT_NOT_SET is not set',
    'ERR_NOT_READY, and names it',
    async () => {
      const password = { secret: 'env:SALLYPORT_NOT_SET' }
      const guard = createGuard({ routes: [{ name: 'x', auth: { type: 'basic', username: 'x', password } }] })
      try {
        await guard.ready()
        return 'ready'
      } catch (error) {
        if (!(error instanceof SallyportError)) throw error
        return `${error.code}, and ${error.message.includes(password.secret) ? 'names it' : `says ${error.message}`}`
      } finally {
        await guard.close()
      }
    },
  )
}
