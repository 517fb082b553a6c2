/**
 * HTML in which text stays text. A template is read as the browser will read it, so that every value
 * is treated by the place it stands in; a template that cannot be read for certain is refused whatever the values are.
 */

/** What may stand in a template. A list is its elements one after the other; nothing comes of `null`, `undefined` and `false`. */
export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[]

/**
 * Markup, with every value escaped:
 *
 * ```ts
 * html`<p title="${note}">Hello <b>${name}</b></p>`
 * html`<ul>${names.map((name) => html`<li>${name}</li>`)}</ul>`
 * html`<input name="agree" type="checkbox" ${agreed && 'checked'}>`
 * ```
 *
 * | place | what becomes of a value |
 * | --- | --- |
 * | between tags | `Html` goes in as it is, all else as text |
 * | attribute, always in double quotes | text |
 * | `href`, `src`, `action`, … | text that passed {@link safeUrl}; must be the whole attribute |
 * | inside a tag | the name of a boolean attribute such as `checked` |
 * | `<style>` | a single word, number or colour |
 *
 * @throws TypeError when a value stands anywhere else (an event handler, `style`, a script, a tag's name), or is of a type that has no place there.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(strings, values)
}

/** Markup made by {@link html}. No text can pass for it: the private field is there only where the constructor put it. */
export class Html {
  readonly #markup: string

  constructor(strings: TemplateStringsArray, values: readonly HtmlValue[]) {
    this.#markup = compose(strings, values)
  }

  /** Whether `value` is markup, and not merely shaped like it. */
  static is(value: unknown): value is Html {
    return typeof value === 'object' && value !== null && #markup in value
  }

  toString(): string {
    return this.#markup
  }
}

/**
 * `url` when following it can lead only to a page: an http(s) URL, or a path on this origin; `#` for all else
 * (`javascript:`, `data:`, `//other.example`).
 */
export function safeUrl(url: string): string {
  // A browser drops tabs and line breaks, trims the rest, and takes a backslash for a slash (URL Standard §4.4).
  if (UNTIDY.test(url)) return '#'
  if (url.startsWith('/')) return url.startsWith('//') ? '#' : url
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return '#'
  const { username, password } = new URL(url)
  return username === '' && password === '' ? url : '#' // https://login.example.com@evil.example/
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNTIDY = /[\u0000-\u0020\u007f-\u009f\\]/

/** Attributes whose value a browser may go to or load. */
const URL_ATTRIBUTES = new Set(['action', 'cite', 'data', 'formaction', 'href', 'poster', 'src', 'xlink:href'])
/** Attributes whose value is code, styles or a whole document; escaping does not help there. */
const CODE_ATTRIBUTE = /^(?:on.*|style|srcdoc)$/
const BOOLEAN_ATTRIBUTES = new Set(
  'autofocus checked disabled hidden multiple open readonly required selected'.split(' '),
)
/** One word of CSS: a colour, a length, a name. */
const STYLE_WORD = /^[#\w.%-]*$/

/** Where in the markup the reader is. */
type Place =
  | { readonly kind: 'content' | 'style' | 'script' }
  /** Inside a start tag, where attributes are. */
  | { readonly kind: 'tag'; readonly tag: string }
  /** Inside the quotes; `empty` until something of the value is there. */
  | { readonly kind: 'attribute'; readonly tag: string; readonly attribute: string; readonly empty: boolean }

const CONTENT: Place = { kind: 'content' }

function compose(strings: TemplateStringsArray, values: readonly HtmlValue[]): string {
  let markup = ''
  let place = CONTENT
  for (const [index, chunk] of strings.entries()) {
    place = placeAfter(chunk, place)
    markup += chunk
    if (index === strings.length - 1) break
    markup += rendered(values[index], place, chunk, strings[index + 1] ?? '')
    if (place.kind === 'attribute') place = { ...place, empty: false }
  }
  if (place.kind !== 'content') throw misplaced(strings.at(-1) ?? '', 'the template ends inside a tag')
  return markup
}

const TEXT = /[^<]+/y
const DOCTYPE = /<!doctype html>/y
const END_TAG = /<\/[a-z][a-z0-9-]*\s*>/iy
const START_TAG = /<([a-z][a-z0-9-]*)(?=[\s/>]|$)/iy
const TAG_CLOSE = /\s*\/?>/y
/** An attribute with a value, whose closing quote may lie behind the next value; or without one. */
const ATTRIBUTE = /\s+([a-z][\w:-]*)(?:="([^"]*)("?)|(?=[\s/>]))/iy
const BLANK = /\s+$/y
const VALUE_END = /([^"]*)("?)/y

/** Where `chunk` leads, from `start`. */
function placeAfter(chunk: string, start: Place): Place {
  let place = start
  let at = 0
  function next(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at
    const match = pattern.exec(chunk)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  while (at < chunk.length) {
    if (place.kind === 'content') {
      if (next(TEXT) !== null || next(DOCTYPE) !== null || next(END_TAG) !== null) continue
      const tag = next(START_TAG)?.[1]?.toLowerCase()
      if (tag === undefined) throw misplaced(chunk.slice(at), 'expected a tag; write &lt; for a "<"')
      place = { kind: 'tag', tag }
    } else if (place.kind === 'tag') {
      if (next(TAG_CLOSE) !== null) {
        place = place.tag === 'style' || place.tag === 'script' ? { kind: place.tag } : CONTENT
        continue
      }
      const found = next(ATTRIBUTE)
      if (found === null && next(BLANK) === null) {
        throw misplaced(chunk.slice(at), 'expected an attribute with its value in double quotes')
      }
      const [, attribute = '', text, quote] = found ?? []
      if (quote === '') {
        place = { kind: 'attribute', tag: place.tag, attribute: attribute.toLowerCase(), empty: text === '' }
      }
    } else if (place.kind === 'attribute') {
      const [, text, quote] = next(VALUE_END) ?? []
      place = quote === '"' ? { kind: 'tag', tag: place.tag } : { ...place, empty: place.empty && text === '' }
    } else {
      const end = chunk.indexOf(`</${place.kind}>`, at)
      at = end === -1 ? chunk.length : end
      if (end !== -1) place = CONTENT
    }
  }
  return place
}

/** `value` as it may stand in `place`, between the chunks `before` and `after`. */
function rendered(value: HtmlValue, place: Place, before: string, after: string): string {
  if (place.kind === 'content') return contentOf(value)
  const text = textOf(value, before)
  if (place.kind === 'attribute') {
    if (CODE_ATTRIBUTE.test(place.attribute)) throw misplaced(before, `no value can be safe in "${place.attribute}"`)
    if (!URL_ATTRIBUTES.has(place.attribute)) return escaped(text)
    if (!place.empty || !after.startsWith('"')) throw misplaced(before, 'a URL must be a single value')
    return escaped(safeUrl(text))
  }
  if (place.kind === 'tag') {
    if (!/\s$/.test(before)) throw misplaced(before, 'expected a space before the value')
    if (text !== '' && !BOOLEAN_ATTRIBUTES.has(text))
      throw misplaced(before, 'expected the name of a boolean attribute')
    return text
  }
  if (place.kind === 'script') throw misplaced(before, 'no value can be safe in a script')
  if (!STYLE_WORD.test(text)) throw misplaced(before, 'expected one word, number or colour')
  return text
}

function contentOf(value: HtmlValue): string {
  if (Html.is(value)) return value.toString()
  return isList(value) ? value.map(contentOf).join('') : escaped(textOf(value, ''))
}

function textOf(value: HtmlValue, before: string): string {
  if (value === null || value === undefined || value === false) return ''
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  throw misplaced(before, 'expected a text or a number')
}

/** `Array.isArray` does not narrow read-only lists. */
function isList(value: HtmlValue): value is readonly HtmlValue[] {
  return Array.isArray(value)
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '\0': '\ufffd', // which HTML cannot hold
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"'\0]/g, (character) => ENTITIES[character] ?? '')
}

/** Names the place by the template's own text, never by a value. */
function misplaced(near: string, problem: string): TypeError {
  return new TypeError(`html template, at ${JSON.stringify(near.slice(-40))}: ${problem}`)
}
