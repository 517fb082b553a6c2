import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createEmitter } from '../../src/core/events.ts'
import { warn, warnOfThrown } from '../../src/core/warnings.ts'

let warnings: { readonly text: string; readonly code: unknown }[] = []

beforeEach(() => {
  warnings = []
  vi.spyOn(process, 'emitWarning').mockImplementation((text, options) => {
    warnings.push({ text: String(text), code: (options as { readonly code?: string }).code })
  })
})
afterEach(() => vi.restoreAllMocks())

describe('a warning', () => {
  it.each(['a\nb', 'a\r\nb', 'a\u2028b', 'a\u0085b', 'a\x1b[2Jb', 'a\0b'])(
    'is one line, whatever is in it: %j',
    (text) => {
      warn('SALLYPORT_X', text)
      expect(warnings).toEqual([{ text: expect.stringMatching(/^a ?(\[2J)?b$/), code: 'SALLYPORT_X' }])
      expect(warnings[0]?.text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u)
    },
  )

  it('is not long', () => {
    warn('SALLYPORT_X', 'x'.repeat(100_000))
    expect(warnings[0]?.text).toHaveLength(1_001)
  })
})

describe('what the application throws with every request', () => {
  it('is told once a minute for each that throws, with how often it came', () => {
    const start = performance.now()
    const now = vi.spyOn(performance, 'now').mockReturnValue(start)
    const [one, other] = [{}, {}]
    for (let count = 0; count < 20; count++) warnOfThrown(one, 'SALLYPORT_X', 'one', 'boom')
    warnOfThrown(other, 'SALLYPORT_X', 'the other', new Error('bang'))
    expect(warnings).toHaveLength(2)
    expect(warnings[0]?.text).toBe('one threw: boom')
    expect(warnings[1]?.text).toMatch(/^the other threw: Error: bang at .*warnings\.test/)
    now.mockReturnValue(start + 60_000)
    warnOfThrown(one, 'SALLYPORT_X', 'one', 'boom')
    expect(warnings[2]?.text).toBe('one threw (and 19 times in between): boom')
  })

  it('is told of a listener, and not of what it does when it works', () => {
    const { on, emit } = createEmitter<{ testing: number }>(['testing'])
    on('testing', (n) => {
      if (n % 2 === 0) throw new Error(`boom\n(node:1) a line that is none ${n}`)
    })
    for (let n = 0; n < 20; n++) emit('testing', n)
    expect(warnings).toHaveLength(1)
    expect(warnings[0]?.text).toMatch(
      /^a listener of "testing" threw: Error: boom \(node:1\) a line that is none 0 at /,
    )
  })
})
