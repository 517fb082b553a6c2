import { expect, test } from 'vitest'
import { atEndOfTurn, endOfTurn } from '../../src/core/turn.ts'

const microtasks = () => new Promise<void>((resolve) => process.nextTick(resolve))

test('all of a turn go on at its end, in their order and right after each other', async () => {
  const seen: string[] = []
  const first = endOfTurn().then(() => seen.push('first'))
  await microtasks()
  const second = endOfTurn().then(() => seen.push('second'))
  setImmediate(() => seen.push('what comes next'))
  await microtasks()
  expect(seen).toEqual([])
  await Promise.all([first, second])
  expect(seen).toEqual(['first', 'second'])
})

test('who asks when it has ended waits for the next', async () => {
  await endOfTurn()
  let ended = false
  const next = endOfTurn().then(() => {
    ended = true
  })
  await microtasks()
  expect(ended).toBe(false)
  await next
})

test('one that fails does not keep the others waiting', async () => {
  const failing = endOfTurn().then(() => {
    throw new Error('broken')
  })
  const other = endOfTurn()
  await expect(failing).rejects.toThrow('broken')
  await other
})

test('what needs no promise goes on before who waits for one, and once', async () => {
  const seen: string[] = []
  const waiting = (name: string) => ({ goOn: () => void seen.push(name) })
  atEndOfTurn(waiting('first'))
  const ended = endOfTurn().then(() => seen.push('a promise'))
  atEndOfTurn(waiting('second'))
  await microtasks()
  expect(seen).toEqual([])
  await ended
  expect(seen).toEqual(['first', 'second', 'a promise'])
  await endOfTurn()
  expect(seen).toHaveLength(3)
})
