import { expect, test } from 'vitest'
import { Abort } from '../../src/http/abort.ts'

test('who listens is told once, in turn, and not of what has been before', () => {
  const abort = new Abort()
  const seen: string[] = []
  abort.addEventListener('abort', () => seen.push('first'))
  abort.addEventListener('abort', () => seen.push('second'))
  expect(abort.aborted).toBe(false)
  abort.abort()
  abort.abort()
  abort.addEventListener('abort', () => seen.push('late'))
  abort.abort()
  expect(abort.aborted).toBe(true)
  expect(seen).toEqual(['first', 'second'])
})

test('who takes itself off is not told, and one that does so while it is told keeps nobody else from it', () => {
  const abort = new Abort()
  const seen: string[] = []
  const once = () => {
    seen.push('once')
    abort.removeEventListener('abort', once)
  }
  const never = () => seen.push('never')
  abort.addEventListener('abort', once)
  abort.addEventListener('abort', never)
  abort.addEventListener('abort', () => seen.push('last'))
  abort.removeEventListener('abort', never)
  abort.removeEventListener('abort', () => {})
  abort.abort()
  expect(seen).toEqual(['once', 'last'])
})

test('it is aborted by the time that anybody is told', () => {
  const abort = new Abort()
  const seen: boolean[] = []
  abort.addEventListener('abort', () => seen.push(abort.aborted))
  abort.abort()
  expect(seen).toEqual([true])
})
