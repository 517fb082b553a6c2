/** Events: to listeners, to the diagnostics channel, and harmless to whoever emits them. */
import diagnostics_channel from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEmitter } from '../../src/core/events.ts'

interface Events {
  testing: { n: number }
  other: string
}

const warnings: (Error & { code?: string })[] = []
const keep = (warning: Error) => void warnings.push(warning)
beforeEach(() => {
  warnings.length = 0
  process.on('warning', keep)
})
afterEach(() => void process.off('warning', keep))

const emitter = () => createEmitter<Events>(['testing', 'other'])
/** Warnings and rejections are delivered on later ticks. */
const soon = () => new Promise((resolve) => setImmediate(resolve))

describe('events', () => {
  it('reach every listener, in order, until it unsubscribes', () => {
    const { on, emit } = emitter()
    const heard: string[] = []
    const off = on('testing', ({ n }) => heard.push(`a${n}`))
    on('testing', ({ n }) => heard.push(`b${n}`))
    on('other', (text) => heard.push(text))
    emit('testing', { n: 1 })
    off()
    off()
    emit('testing', { n: 2 })
    emit('other', 'x')
    expect(heard).toEqual(['a1', 'b1', 'b2', 'x'])
  })

  it('a listener that is added twice is called twice, and each subscription ends alone', () => {
    const { on, emit } = emitter()
    let count = 0
    const listener = () => void count++
    const off = on('testing', listener)
    on('testing', listener)
    emit('testing', { n: 1 })
    expect(count).toBe(2)
    off()
    emit('testing', { n: 1 })
    expect(count).toBe(3)
  })

  it('two emitters share no listeners', () => {
    const [one, two] = [emitter(), emitter()]
    one.on('testing', () => expect.fail('not mine'))
    two.emit('testing', { n: 1 })
    expect(two.heard('testing')).toBe(false)
  })

  it('need not be built when nobody listens', () => {
    const { on, heard } = emitter()
    expect(heard('testing')).toBe(false)
    const off = on('testing', () => {})
    expect([heard('testing'), heard('other')]).toEqual([true, false])
    off()
    expect(heard('testing')).toBe(false)
  })

  it.each(['tseting', '', 'constructor'])('there is none named %j', (name) => {
    const { on, emit, heard } = emitter()
    const unknown = name as 'testing'
    for (const call of [() => on(unknown, () => {}), () => emit(unknown, { n: 1 }), () => heard(unknown)]) {
      expect(call).toThrow(`no event named "${name}"; there are: testing, other`)
    }
  })
})

describe('a listener that fails harms nobody', () => {
  it.each<[string, unknown, string]>([
    ['an error', new Error('boom'), 'boom'],
    ['an error without a stack', Object.assign(new Error('flat'), { stack: undefined }), 'flat'],
    ['a text', 'boom', 'boom'],
    ['nothing', undefined, 'undefined'],
    ['what has no text', Object.create(null), 'no text'],
  ])('%s', async (_, thrown, text) => {
    const { on, emit } = emitter()
    const heard: number[] = []
    on('testing', () => {
      throw thrown
    })
    on('testing', ({ n }) => heard.push(n))
    emit('testing', { n: 1 })
    expect(heard).toEqual([1])
    await soon()
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({ code: 'SALLYPORT_LISTENER' })
    expect(warnings[0]?.message).toContain('a listener of "testing" threw')
    expect(warnings[0]?.message).toContain(text)
  })

  it('nor one that fails later', async () => {
    const { on, emit } = emitter()
    on('testing', async () => {
      await soon()
      throw new Error('later')
    })
    emit('testing', { n: 1 })
    await soon()
    await soon()
    expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('later')])
  })

  it('nor one that subscribes, unsubscribes or emits while it is called', () => {
    const { on, emit } = emitter()
    const heard: string[] = []
    let off = () => {}
    const again = () => {
      off()
      off = on('testing', again)
      heard.push('again')
    }
    off = on('testing', again)
    const offOther = on('testing', () => heard.push('other'))
    on('testing', ({ n }) => {
      offOther()
      if (n > 0) emit('testing', { n: n - 1 })
    })
    emit('testing', { n: 1 })
    expect(heard.toSorted()).toEqual(['again', 'again', 'other'])
  })
})

describe('the diagnostics channel', () => {
  it('has every event too, and counts as a listener', () => {
    const heard: unknown[] = []
    const subscriber = (message: unknown, name: string | symbol) => heard.push([name, message])
    const { emit, heard: isHeard } = emitter()
    diagnostics_channel.subscribe('sallyport:testing', subscriber)
    try {
      expect([isHeard('testing'), isHeard('other')]).toEqual([true, false])
      emit('testing', { n: 1 })
      emit('other', 'x')
    } finally {
      diagnostics_channel.unsubscribe('sallyport:testing', subscriber)
    }
    emit('testing', { n: 2 })
    expect(heard).toEqual([['sallyport:testing', { n: 1 }]])
    expect(isHeard('testing')).toBe(false)
  })

  it('hears also when a listener throws', async () => {
    let heard = 0
    const subscriber = () => void heard++
    const { on, emit } = emitter()
    on('testing', () => {
      throw new Error('boom')
    })
    diagnostics_channel.subscribe('sallyport:testing', subscriber)
    emit('testing', { n: 1 })
    diagnostics_channel.unsubscribe('sallyport:testing', subscriber)
    expect(heard).toBe(1)
    await soon()
  })
})
