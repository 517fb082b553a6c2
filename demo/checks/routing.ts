/** A1, A2: which route a request belongs to, and requests of which that cannot be said. */
import type { Chapter } from './stage.ts'

export const hosts: Chapter = async ({ walk, tokens }) => {
  walk.chapter('A1  Hosts: each service with its own auth, and wildcards')
  await walk.everywhere('A1', { host: 's1.example.com', user: 'hello:pass' }, '200 s1 hello /')
  await walk.everywhere('A1', { host: 's2.example.com', user: 'zoë:pässwörd' }, '200 s2 zoë /')
  await walk.everywhere('A1', { host: 's2.example.com', user: 'hello:pass' }, '401 Basic realm="s2", charset="UTF-8"')
  await walk.everywhere('A1', { host: 'S1.Example.COM.:8443', user: 'hello:pass' }, '200 s1 hello /')
  const notebook = 'notebook-ml-8080.apps.example.com'
  await walk.everywhere('A1', { host: notebook, token: tokens.alice }, '200 notebooks alice /')
  await walk.everywhere('A1', { host: `one-label-more.${notebook}`, token: tokens.alice }, '404')
  await walk.everywhere('A1', { host: 'nobody.example.com', token: tokens.alice }, '404')
}

export const paths: Chapter = async ({ walk, tokens }) => {
  walk.chapter('A2  Paths: the application sees the whole path')
  const host = 'example.com'
  const s1 = { host, user: 'hello:pass' }
  await walk.everywhere('A2', { ...s1, path: '/s1/items?page=2' }, '200 path-s1 hello /s1/items?page=2')
  await walk.everywhere('A2', { host, path: '/s2/items', token: tokens.alice }, '200 path-s2 alice /s2/items')
  await walk.everywhere('A2', { ...s1, path: '/s2/items' }, '403 Bearer')
  await walk.everywhere('A2', { ...s1, path: '/s10' }, '404')
  await walk.everywhere('A2', { ...s1, path: '/S1/items' }, '200 path-s1 hello /S1/items')
  const model = { host: 'models.example.com', token: tokens.alice }
  await walk.everywhere('A2', { ...model, path: '/fastapi/v1/predict' }, '200 model alice /fastapi/v1/predict')
  await walk.everywhere('A2', { ...model, path: '/fastapi/v2/predict' }, '404')

  walk.chapter('A2  Targets that two parsers could read differently: refused')
  for (const path of ['/s1/..%2fs2', '/s1%5cx', '/s1/%00', '/../s1', '/healthz/../s1', '/healthz;/../s1']) {
    await walk.everywhere('A2', { host, path }, '400')
  }
  const twice = { host, path: '/s1', headers: { authorization: ['Basic aGVsbG86cGFzcw==', 'Bearer x'] } }
  await walk.everywhere('A2', twice, '400')
}
