/** Which requests show a page to a person. The headers are those that the browsers send. */
import { describe, expect, it } from 'vitest'
import { kindOfRequest, type RequestKind } from '../../src/http/navigation.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { gateRequest } from './request.ts'

const CHROME = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8'
const FIREFOX = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

type Fields = Record<string, string>
const kindOf = (fields: Fields, method = 'GET', kind: 'http' | 'upgrade' = 'http') =>
  kindOfRequest(gateRequest({ method, kind, lines: [['Host', 'h'], ...Object.entries(fields)] }))
/** Fetch Metadata. */
const meta = (mode: string, dest?: string, more: Fields = {}): Fields => ({
  'Sec-Fetch-Mode': mode,
  ...(dest === undefined ? {} : { 'Sec-Fetch-Dest': dest }),
  ...more,
})

describe('A8 the kind of a request, by Fetch Metadata', () => {
  it.each<[string, Fields, RequestKind]>([
    [
      'a link, in Chrome',
      meta('navigate', 'document', { Accept: CHROME, 'Sec-Fetch-Site': 'none', 'Sec-Fetch-User': '?1' }),
      'navigation',
    ],
    [
      'a link from another site',
      meta('navigate', 'document', { Accept: FIREFOX, 'Sec-Fetch-Site': 'cross-site' }),
      'navigation',
    ],
    ['a frame', meta('navigate', 'iframe', { Accept: CHROME }), 'navigation'],
    ['a frame of a frameset', meta('navigate', 'frame', { Accept: CHROME }), 'navigation'],
    ['a mode without a destination', meta('navigate'), 'navigation'],
    ['a destination without a mode', { 'Sec-Fetch-Dest': 'document' }, 'navigation'],
    ['a navigation that asks for anything', meta('navigate', 'document', { Accept: '*/*' }), 'navigation'],
    ['a navigation without Accept', meta('navigate', 'document'), 'navigation'],
    [
      'a navigation that prefers JSON, as a JSON viewer may',
      meta('navigate', 'document', { Accept: 'application/json' }),
      'navigation',
    ],
    [
      'navigation preload of a service worker',
      meta('navigate', 'document', { 'Service-Worker-Navigation-Preload': 'true' }),
      'navigation',
    ],
    ['an Android WebView', meta('navigate', 'document', { 'X-Requested-With': 'com.example.app' }), 'navigation'],
    ['an embed', meta('navigate', 'embed', { Accept: CHROME }), 'script'],
    ['an object', meta('navigate', 'object', { Accept: CHROME }), 'script'],
    ['a fenced frame', meta('navigate', 'fencedframe', { Accept: CHROME }), 'script'],
    ['a navigation to no destination', meta('navigate', 'empty', { Accept: CHROME }), 'script'],
    ['an embed without a mode', { 'Sec-Fetch-Dest': 'embed', Accept: CHROME }, 'script'],
    ['fetch, XHR, EventSource', meta('cors', 'empty', { Accept: '*/*' }), 'script'],
    [
      'fetch that asks for HTML, as Turbo does',
      meta('cors', 'empty', { Accept: 'text/html, application/xhtml+xml' }),
      'script',
    ],
    ['fetch of the same origin', meta('same-origin', 'empty', { Accept: 'text/html' }), 'script'],
    ['fetch without CORS', meta('no-cors', 'empty', { Accept: 'text/html' }), 'script'],
    ['a mode that is not navigate', meta('no-cors', 'document', { Accept: CHROME }), 'script'],
    ['a mode in another case', meta('Navigate', 'document', { Accept: CHROME }), 'script'],
    ['two modes', meta('navigate, cors', 'document', { Accept: CHROME }), 'script'],
    ['an empty mode', meta('', 'document', { Accept: CHROME }), 'script'],
    ['a WebSocket', meta('websocket', 'websocket'), 'script'],
    ['FedCM', meta('no-cors', 'webidentity', { Accept: 'application/json' }), 'script'],
    ['a service worker', meta('same-origin', 'serviceworker', { 'Service-Worker': 'script' }), 'script'],
  ])('%s', (_, fields, kind) => {
    expect(kindOf(fields)).toBe(kind)
  })

  it.each(
    'audio audioworklet font image json manifest paintworklet report script sharedworker style track video worker xslt'.split(
      ' ',
    ),
  )('%s is no page', (destination) => {
    for (const mode of ['no-cors', 'cors', 'same-origin', 'navigate']) {
      expect(kindOf(meta(mode, destination, { Accept: CHROME }))).toBe('script')
    }
  })
})

describe('A8 the kind of a request, without Fetch Metadata', () => {
  it.each<[string, Fields, RequestKind]>([
    ['Chrome on plain http', { Accept: CHROME, 'Upgrade-Insecure-Requests': '1' }, 'navigation'],
    ['Firefox', { Accept: FIREFOX }, 'navigation'],
    ['Safari 16.3', { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }, 'navigation'],
    ['Lynx', { Accept: 'text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01' }, 'navigation'],
    ['XHTML alone', { Accept: 'application/xhtml+xml' }, 'navigation'],
    ['in capitals', { Accept: 'Text/HTML' }, 'navigation'],
    ['with parameters', { Accept: 'text/html;level=1;charset=utf-8 ; q=0.4' }, 'navigation'],
    ['with Sec-Fetch-Site alone, as some proxies leave it', { Accept: CHROME, 'Sec-Fetch-Site': 'none' }, 'navigation'],
    ['HTML before JSON', { Accept: 'text/html, application/json' }, 'navigation'],
    ['HTML with more weight than JSON before it', { Accept: 'application/json;q=0.9, text/html' }, 'navigation'],
    [
      'HTML with the highest weight of several',
      { Accept: 'text/html;q=0.2, application/json;q=0.5, application/xhtml+xml;q=0.6' },
      'navigation',
    ],
    ['an Android WebView', { Accept: CHROME, 'X-Requested-With': 'com.example.app' }, 'navigation'],
    ['JSON that is not wanted', { Accept: 'application/json;q=0, text/html;q=0.1' }, 'navigation'],
    ['JSON before HTML', { Accept: 'application/json, text/html' }, 'script'],
    [
      'JSON before HTML, both with a weight',
      { Accept: 'application/json;q=0.5, text/html;q=0.5, */*;q=0.1' },
      'script',
    ],
    ['JSON with more weight', { Accept: 'text/html;q=0.9, application/json' }, 'script'],
    ['a JSON API', { Accept: 'text/html;q=0.9, application/vnd.api+json' }, 'script'],
    [
      'JSON twice, the second time with more weight',
      { Accept: 'application/json;q=0.1, text/html;q=0.5, application/ld+json;q=0.6' },
      'script',
    ],
    [
      'JSON twice, the first time with more weight',
      { Accept: 'application/json, text/html;q=0.9, application/ld+json;q=0.1' },
      'script',
    ],
    [
      'HTML twice, the first time with more weight',
      { Accept: 'text/html, application/xhtml+xml;q=0.1, application/json;q=0.5' },
      'navigation',
    ],
    ['JSON before and after HTML', { Accept: 'application/json, text/html, application/ld+json' }, 'script'],
    ['axios', { Accept: 'application/json, text/plain, */*' }, 'script'],
    ['jQuery', { Accept: 'text/html, */*; q=0.01', 'X-Requested-With': 'XMLHttpRequest' }, 'script'],
    ['jQuery, spelled otherwise', { Accept: 'text/html', 'X-Requested-With': 'xmlhttprequest' }, 'script'],
    ['curl, fetch, XHR', { Accept: '*/*' }, 'script'],
    ['any text', { Accept: 'text/*' }, 'script'],
    ['no Accept', {}, 'script'],
    ['an empty Accept', { Accept: '' }, 'script'],
    ['EventSource', { Accept: 'text/event-stream' }, 'script'],
    ['an image', { Accept: 'image/webp,image/apng,image/*,*/*;q=0.8' }, 'script'],
    ['a style sheet', { Accept: 'text/css,*/*;q=0.1' }, 'script'],
    ['HTML that is not wanted', { Accept: 'text/html;q=0, */*' }, 'script'],
    ['HTML that is not wanted, to three digits', { Accept: 'text/html;q=0.000' }, 'script'],
    ['a weight that is none', { Accept: 'text/html;q=high' }, 'script'],
    ['a weight over 1', { Accept: 'text/html;q=2' }, 'script'],
    ['a negative weight', { Accept: 'text/html;q=-1' }, 'script'],
    ['a type that begins like HTML', { Accept: 'text/html5, application/xhtml+xml2' }, 'script'],
  ])('%s', (_, fields, kind) => {
    expect(kindOf(fields)).toBe(kind)
  })

  it('reads the longest Accept in no time', () => {
    const ms = cpuMs(() => {
      for (const piece of [',', ';', ' ', 'text/html;', 'application/+', 'q=0,', '\t;q='])
        kindOf({ Accept: piece.repeat(16_000) })
    })
    expect(ms).toBeLessThan(1000)
  })
})

describe('A8 the kind of a request, by its method', () => {
  const page = meta('navigate', 'document', { Accept: CHROME })

  it.each<[string, RequestKind]>([
    ['GET', 'navigation'],
    ['HEAD', 'navigation'],
    ['POST', 'form'],
    ['PUT', 'script'],
    ['PATCH', 'script'],
    ['DELETE', 'script'],
    ['OPTIONS', 'script'],
    ['TRACE', 'script'],
    ['QUERY', 'script'],
    ['get', 'script'],
    ['post', 'script'],
  ])('%s', (method, kind) => {
    expect(kindOf(page, method)).toBe(kind)
    expect(kindOf({ Accept: FIREFOX }, method)).toBe(kind)
    expect(kindOf(meta('cors', 'empty', { Accept: FIREFOX }), method)).toBe('script')
    expect(kindOf({ Accept: '*/*' }, method)).toBe('script')
  })

  it('an upgrade is none to show, whatever its headers say', () => {
    expect(kindOf(page, 'GET', 'upgrade')).toBe('script')
    expect(kindOf({ Accept: FIREFOX }, 'GET', 'upgrade')).toBe('script')
  })
})

describe('A8 pages that are fetched ahead', () => {
  it.each<[string, Fields]>([
    ['a prefetch', { 'Sec-Purpose': 'prefetch' }],
    ['a prerender', { 'Sec-Purpose': 'prefetch;prerender' }],
    ['a prefetch through a proxy', { 'Sec-Purpose': 'prefetch;anonymous-client-ip' }],
    ['with blanks', { 'Sec-Purpose': ' prefetch ; prerender' }],
    ['on two lines', { 'Sec-Purpose': 'prefetch, prefetch' }],
    ['older Chrome and Safari', { Purpose: 'prefetch' }],
    ['older Firefox', { 'X-Moz': 'prefetch' }],
    ['in capitals', { Purpose: 'Prefetch' }],
  ])('%s', (_, fields) => {
    expect(kindOf({ ...meta('navigate', 'document'), ...fields })).toBe('prefetch')
    expect(kindOf({ Accept: FIREFOX, ...fields })).toBe('prefetch')
    expect(kindOf({ Accept: FIREFOX, ...fields }, 'POST')).toBe('prefetch')
    expect(kindOf({ Accept: FIREFOX, ...fields }, 'PUT')).toBe('script')
    expect(kindOf({ ...meta('no-cors', 'empty'), ...fields })).toBe('script')
    expect(kindOf({ Accept: '*/*', ...fields })).toBe('script')
  })

  it.each<[string, Fields]>([
    ['another purpose', { 'Sec-Purpose': 'prefetching' }],
    ['a purpose with the word in a parameter', { 'Sec-Purpose': 'x;y=prefetch' }],
    ['no purpose', { 'Sec-Purpose': '', Purpose: '', 'X-Moz': '' }],
  ])('not: %s', (_, fields) => {
    expect(kindOf({ ...meta('navigate', 'document'), ...fields })).toBe('navigation')
  })

  it('reads a field that an adapter gives as a list', () => {
    const request = gateRequest({ lines: [['Accept', FIREFOX]] })
    const listed = { ...request.headers, 'x-requested-with': ['XMLHttpRequest'] }
    expect(kindOfRequest({ ...request, headers: listed })).toBe('script')
    expect(kindOfRequest({ ...request, headers: { ...request.headers, 'sec-purpose': ['x', 'prefetch'] } })).toBe(
      'prefetch',
    )
  })
})
