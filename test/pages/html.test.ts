/** Templates in which text stays text. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Html, type HtmlValue, html, safeUrl } from '../../src/pages/html.ts'
import { hostileText, skeleton, unescaped, WORST } from './hostile-text.ts'

/** A value that the types would not let in. */
const untyped = (value: unknown) => value as HtmlValue

describe('text between tags', () => {
  it('opens no tag and no entity, whatever it is, and is read back as it was', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const markup = String(html`${text}`)
        expect(markup).not.toMatch(/[<>"'\0]|&(?!(?:amp|lt|gt|quot|#39);)/)
        expect(unescaped(markup)).toBe(text.replaceAll('\0', '\ufffd'))
      }),
    )
  })

  it.each<[string, HtmlValue, string]>([
    ['a number', 4.5, '4.5'],
    ['zero', 0, '0'],
    ['an empty text', '', ''],
    ['null', null, ''],
    ['undefined', undefined, ''],
    ['false', false, ''],
    ['a list', ['<', 1, null, ['&']], '&lt;1&amp;'],
    ['markup', html`<b>${'<'}</b>`, '<b>&lt;</b>'],
    ['a list of markup', ['a', 'b'].map((name) => html`<li>${name}</li>`), '<li>a</li><li>b</li>'],
  ])('%s', (_, value, expected) => {
    expect(String(html`<p>${value}</p>`)).toBe(`<p>${expected}</p>`)
  })

  it('is no text: true, an object, a function, a symbol', () => {
    for (const value of [true, {}, { toString: () => '<b>' }, () => '', Symbol('s'), 1n, new Date(0)]) {
      expect(() => html`<p>${untyped(value)}</p>`).toThrow(TypeError)
    }
  })
})

describe('text in attributes', () => {
  it('neither leaves the quotes nor adds a tag, whatever it is', () => {
    const around = skeleton(String(html`<p title="${''}" class="a ${''} b" lang="${''}">${''}</p>`))
    fc.assert(
      fc.property(hostileText, hostileText, (one, other) => {
        const markup = String(html`<p title="${one}" class="a ${other} b" lang="${one}">${other}</p>`)
        expect(skeleton(markup)).toEqual(around)
        expect(unescaped(/title="([^"]*)"/.exec(markup)?.[1] ?? '')).toBe(one.replaceAll('\0', '\ufffd'))
      }),
    )
  })

  it('takes several values and empty ones', () => {
    expect(String(html`<p class="${1}${null}-${'b'}" title="${undefined}">x</p>`)).toBe('<p class="1-b" title="">x</p>')
  })

  it('is never markup or a list', () => {
    expect(() => html`<p title="${html`<b>`}"></p>`).toThrow(TypeError)
    expect(() => html`<p title="${['a']}"></p>`).toThrow(TypeError)
  })
})

describe('URLs', () => {
  it.each(['href', 'src', 'action', 'formaction', 'HREF', 'xlink:href', 'poster'])('are checked in %s', (name) => {
    const chunks = [`<a ${name}="`, '">x</a>']
    const template = (value: string) => String(html(Object.assign([...chunks], { raw: chunks }), value))
    expect(template('javascript:alert(1)')).toBe(`<a ${name}="#">x</a>`)
    expect(template('https://a.example/?a=1&b=2')).toBe(`<a ${name}="https://a.example/?a=1&amp;b=2">x</a>`)
  })

  it('are one value, so that two halves do not make a third thing', () => {
    expect(() => html`<a href="/${'/evil.example'}">x</a>`).toThrow('a URL must be a single value')
    expect(() => html`<a href="${'/a'}/b">x</a>`).toThrow('a URL must be a single value')
    expect(() => html`<a href="${'java'}${'script:alert(1)'}">x</a>`).toThrow('a URL must be a single value')
  })

  it.each([
    '/',
    '/a/b?c=d&e#f',
    '/a//b',
    'https://a.example',
    'http://127.0.0.1:8080/x',
    'HTTPS://a.example/',
    'https://a.example/?next=javascript:alert(1)',
  ])('%s is safe', (url) => {
    expect(safeUrl(url)).toBe(url)
  })

  it.each([
    '',
    '#',
    'a/b',
    '?a',
    '//evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '\t//evil.example',
    ' /a',
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'javascript&colon;alert(1)',
    'data:text/html,x',
    'vbscript:x',
    'file:///etc/passwd',
    'blob:https://a.example/x',
    'mailto:a@example.com',
    'https:/a.example',
    'https:a.example',
    'https://',
    'https://a b.example/',
    'https://login.example.com@evil.example/',
    'https://u:p@a.example/',
  ])('%j is not', (url) => {
    expect(safeUrl(url)).toBe('#')
  })

  it('lead nowhere but to http(s), and as a path only to the same origin', () => {
    const starts = fc.constantFrom(
      '/',
      '//',
      '\\',
      'http',
      'https',
      ':',
      '@',
      '.',
      'javascript:',
      ' ',
      '\t',
      'a',
      '%09',
    )
    const urls = fc.oneof(hostileText, fc.string({ unit: starts }), fc.webUrl({ withQueryParameters: true }))
    fc.assert(
      fc.property(urls, (url) => {
        const safe = safeUrl(url)
        if (safe === '#') return
        const { protocol, origin } = new URL(safe, 'https://here.example/dir/page')
        expect(protocol).toMatch(/^https?:$/)
        if (safe.startsWith('/')) expect(origin).toBe('https://here.example')
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('boolean attributes', () => {
  it('are there or not', () => {
    const box = (on: boolean, off: boolean) =>
      String(html`<input type="checkbox" ${on && 'checked'} ${off && 'disabled'}>`)
    expect(box(true, false)).toBe('<input type="checkbox" checked >')
    expect(box(false, true)).toBe('<input type="checkbox"  disabled>')
  })

  it('are none but those known, apart from what stands before', () => {
    expect(() => html`<input ${'onfocus=alert(1)'}>`).toThrow('boolean attribute')
    expect(() => html`<input ${'autofocus onfocus=alert(1)'}>`).toThrow('boolean attribute')
    expect(() => html`<input ${html`checked`}>`).toThrow(TypeError)
    expect(() => html`<input${'checked'}>`).toThrow('a space before')
    expect(() => html`<input ${'checked'}x>`).toThrow(TypeError)
    expect(() => html`<input ${'checked'}${'disabled'}>`).toThrow('a space before')
  })
})

describe('styles', () => {
  it('take a word, a number or a colour', () => {
    expect(String(html`<style>a { color: ${'#0a7'}; top: ${1.5}em }</style>${'<'}`)).toBe(
      '<style>a { color: #0a7; top: 1.5em }</style>&lt;',
    )
  })

  it.each(['</style>', '<', 'url(x)', 'red;', '}', 'a b', '"', '\\', '/*', '@import'])('but not %j', (value) => {
    expect(() => html`<style>a { color: ${value} }</style>`).toThrow('expected one word')
  })
})

describe('a template in which no value would be safe is refused, whatever the value', () => {
  it.each<[string, () => Html]>([
    ['single quotes', () => html`<p title='${'a'}'></p>`],
    ['no quotes', () => html`<p title=${'a'}></p>`],
    ['no quotes, fixed', () => html`<p title=a></p>`],
    ['a name of a tag', () => html`<${'p'}></p>`],
    ['half a name of a tag', () => html`<p${''}q></p>`],
    ['an end tag', () => html`</${'p'}>`],
    ['a name of an attribute', () => html`<p ${'title'}="x"></p>`],
    ['half a name of an attribute', () => html`<p ti${''}="x"></p>`],
    ['an event handler', () => html`<p onclick="f(${1})"></p>`],
    ['a style', () => html`<p style="color: ${'red'}"></p>`],
    ['a document in an attribute', () => html`<iframe srcdoc="${'a'}"></iframe>`],
    ['a script', () => html`<script>f(${1})</script>`],
    ['a comment', () => html`<!-- ${'a'} -->`],
    ['a stray <', () => html`a < b`],
    ['a tag that does not end', () => html`<p title="a"`],
    ['quotes that do not end', () => html`<p title="${'a'}`],
    ['a style that does not end', () => html`<style>`],
    ['quotes that end in an attribute', () => html`<p title="a"b></p>`],
  ])('%s', (_, make) => {
    expect(make).toThrow(TypeError)
  })

  it('and the message tells the place, not the value', () => {
    expect(() => html`<p onclick="${'the secret'}"></p>`).toThrow(
      /^html template, at "<p onclick=\\"": no value can be safe/,
    )
    expect(() => html`<style>${'the secret'}</style>`).toThrow(/^(?!.*secret)/)
  })
})

describe('Html', () => {
  it('cannot be made up', () => {
    const real = html`<b></b>`
    expect(Html.is(real)).toBe(true)
    const forged = [
      '<b>',
      { toString: () => '<b>' },
      Object.create(Html.prototype),
      Object.setPrototypeOf({ markup: '<b>' }, Html.prototype),
      Object.create(real),
      new Proxy(real, {}),
      structuredClone({ ...real }),
      null,
      undefined,
    ]
    for (const each of forged) expect(Html.is(each)).toBe(false)
    for (const each of forged.filter((value) => typeof value === 'object' && value !== null)) {
      expect(() => html`${untyped(each)}`).toThrow(TypeError)
    }
  })

  it('is not what a text is, for the compiler either', () => {
    const wants = (markup: Html) => markup
    // @ts-expect-error a text is not markup
    expect(Html.is(wants('<b>'))).toBe(false)
    // @ts-expect-error nor is something of the same shape
    expect(Html.is(wants({ toString: () => '<b>' }))).toBe(false)
  })

  it('escapes once, however deep it is nested', () => {
    const inner = html`<i>${WORST}</i>`
    expect(String(html`<b>${html`<u>${inner}</u>`}</b>`)).toBe(`<b><u>${inner}</u></b>`)
    expect(String(inner)).toContain('&lt;script&gt;')
    expect(String(inner)).not.toContain('&amp;lt;script')
  })
})
