/** Where values begin and end. What is JSON and what is not is tested with the scan of messages. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { JsonReadError, JsonReader, OPEN_BRACE } from '../../src/mcp/json-reader.ts'

const limits = { maxDepth: 20, maxNumberBytes: 400 }
const readerOf = (text: string) => new JsonReader(Buffer.from(text), limits)

describe('a reader of JSON', () => {
  it('goes past one value and no further', () => {
    const value = fc.json({ maxDepth: 5 })
    fc.assert(
      fc.property(
        value,
        fc.constantFrom('', ' ', '\r\n'),
        fc.constantFrom(',', ' 1', ']', ''),
        (text, space, behind) => {
          const reader = readerOf(`${space}${text} ${behind}`)
          reader.skipValue(1)
          expect(reader.at).toBe(Buffer.byteLength(space + text))
        },
      ),
    )
  })

  it('visits members and elements', () => {
    const text = '{ "a" : 1 , "\\u00e9":[ true,{} ],"é":"x" }'
    const reader = readerOf(text)
    const seen: unknown[] = []
    expect(reader.next()).toBe(OPEN_BRACE)
    reader.object(1, (start, end) => {
      const from = reader.at
      if (reader.next() === 0x5b) {
        reader.array(2, () => {
          const element = reader.at
          reader.skipValue(3)
          seen.push(reader.bytes.toString('utf8', element, reader.at))
        })
      } else reader.skipValue(2)
      seen.push(reader.textOf(start, end), reader.bytes.toString('utf8', from, reader.at))
    })
    reader.end()
    expect(seen).toEqual(['a', '1', 'true', '{}', 'é', '[ true,{} ]', 'é', '"x"'])
  })

  it('says what a string says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, ascii) => {
        const printed = JSON.stringify(text)
        const sent = ascii
          ? printed.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
          : printed
        const reader = readerOf(sent)
        reader.skipValue(1)
        expect(reader.textOf(0, reader.at)).toBe(text)
      }),
    )
    expect(readerOf('"\\ud800"').textOf(0, 8)).toBe('\ud800')
  })

  it('says what is wrong and where', () => {
    const fault = (text: string) => {
      try {
        readerOf(text).skipValue(1)
        return undefined
      } catch (error) {
        return error instanceof JsonReadError ? [error.fault, error.message] : error
      }
    }
    expect(fault('[1,2')).toEqual(['not_json', 'expected a comma or an end at byte 4'])
    expect(fault('["a\n"]')).toEqual(['not_json', 'a control character in a string at byte 3'])
    expect(fault('['.repeat(21))).toEqual(['too_deep', 'more than 20 levels of objects and arrays'])
    expect(fault('1'.repeat(401))).toEqual(['long_number', 'a number of more than 400 characters at byte 0'])
  })
})
