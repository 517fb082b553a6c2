/** The path of a target: one spelling, what is refused, and every other reading that WHATWG URL and Node's parser know. */
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPath } from '../../src/http/path.ts'
import { cpuMs } from '../support/cpu-time.ts'
import { hostileTargets } from './hostile-targets.ts'

describe('A2 the path of a target that every parser reads alike', () => {
  it.each([
    ['/', '/'],
    ['/?x=1', '/'],
    ['/orders', '/orders'],
    ['/orders/', '/orders'],
    ['/orders/42?x=/../admin', '/orders/42'],
    ['/orders?', '/orders'],
    ['/a.b/c..d/e.', '/a.b/c..d/e.'],
    ['/...', '/...'],
    ['/.well-known/openid-configuration', '/.well-known/openid-configuration'],
    ["/-_~!$&'()*+,=:@", "/-_~!$&'()*+,=:@"],
    ['/a|b{c}', '/a|b{c}'],
    ['/my%20file', '/my file'],
    ['/caf%C3%A9', '/café'],
    ['/%E2%82%AC/%F0%9F%94%91', '/€/🔑'],
    ['/100%25', '/100%'],
    ['/%2525', '/%25'],
  ])('%s is %s', (target, path) => {
    expect(readPath(target)).toEqual({ path, others: [] })
  })
})

describe('A2 the path of a target that parsers read differently', () => {
  it.each([
    ['/%61dmin', '/admin', ['/%61dmin']],
    ['//admin', '/admin', ['//admin', '/']],
    ['//h/admin', '/h/admin', ['//h/admin', '/admin']],
    ['///h/admin', '/h/admin', ['///h/admin', '/admin']],
    ['/a/../admin', '/admin', ['/a/../admin']],
    ['/a/./b', '/a/b', ['/a/./b']],
    ['/admin;x=1', '/admin;x=1', ['/admin']],
    ['/a;x/b', '/a;x/b', ['/a', '/a/b']],
    ['/admin%3Fx', '/admin?x', ['/admin']],
    ['/admin%23x', '/admin#x', ['/admin']],
    ['/caf%c3%a9', '/café', ['/caf%c3%a9']],
    ['/%C3%A9%c3%a9', '/éé', ['/%C3%A9%c3%a9']],
    ['/a%7Cb', '/a|b', ['/a%7Cb']],
  ])('%s is %s, or else %j', (target, path, others) => {
    const reading = readPath(target)
    expect(reading?.path).toBe(path)
    expect(reading?.others.toSorted()).toEqual(others.toSorted())
  })

  it('is every one of them when several things come together', () => {
    const { path, others } = readPath('/x/%2e%2e/%61dmin//y;z/../b') ?? {}
    expect([path, ...(others ?? [])]).toEqual(
      expect.arrayContaining(['/admin/b', '/admin//b', '/%61dmin/b', '/x/%2e%2e/%61dmin/b', '/admin/y', '/admin//y']),
    )
  })
})

describe('A2 a target that has no path is refused', () => {
  it.each([
    ['nothing', ''],
    ['no slash in front', 'admin'],
    ['an encoded slash', '/a%2fb'],
    ['an encoded slash in capitals', '/a%2Fb'],
    ['a backslash', '/a\\b'],
    ['a backslash in front', '/\\evil'],
    ['an encoded backslash', '/a%5cb'],
    ['NUL', '/a\0b'],
    ['an encoded NUL', '/a%00'],
    ['a percent sign alone', '/100%'],
    ['one digit', '/a%4'],
    ['no hexadecimal digits', '/a%zz'],
    ['an encoding of the nineties', '/a%u002e'],
    ['a full-width digit', '/a%4\uff11'],
    ['an overlong slash', '/a%c0%af'],
    ['an overlong dot', '/%c0%ae%c0%ae/'],
    ['Latin-1', '/caf%e9'],
    ['a surrogate', '/%ed%a0%80'],
    ['a character cut short', '/%e2%82'],
    ['raw UTF-8', '/café'],
    ['a space', '/a b'],
    ['a tab', '/a\tb'],
    ['a line feed', '/a\nb'],
    ['a no-break space', '/a\u00a0'],
    ['DEL', '/a\u007f'],
    ['a fragment', '/a#b'],
    ['dots past the root', '/..'],
    ['dots past the root after others', '/a/../../b'],
    ['encoded dots past the root', '/%2e%2e/b'],
    ['dots past the root once slashes are merged', '//..//..'],
    ['dots past the root once parameters are dropped', '/..;x/b'],
  ])('%s', (_, target) => {
    expect(readPath(target)).toBeUndefined()
  })

  it('more readings than an honest target can have, in little time', () => {
    const ms = cpuMs(() => {
      for (const part of [
        'a;/..;/%2e/',
        'a;x//%2e%2e/;b/./',
        ';',
        '/',
        '%61',
        '%25',
        './',
        '%2e',
        'a/../',
        ';/',
        '%3f;%23',
      ]) {
        readPath(`/${part.repeat(16_000 / part.length)}`)
      }
      expect(readPath(`/${'a;/..;/%2e/'.repeat(1400)}`)).toBeUndefined()
    })
    // Some 20 ms; the readings without a bound take seconds.
    expect(ms).toBeLessThan(1000)
  })
})

describe('A2 properties of paths', () => {
  const sane = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter((text) => text.isWellFormed() && !/^\.{1,2}$|[/\\\0;?#]/.test(text))

  it('ordinary paths are never refused and have one reading, as browsers encode them', () => {
    fc.assert(
      fc.property(
        fc.array(
          sane.filter((text) => !/["<>^`{}[\]|]/.test(text)),
          { minLength: 1 },
        ),
        (segments) => {
          const target = `/${segments.map((each) => encodeURI(each)).join('/')}`
          expect(readPath(target)).toEqual({ path: `/${segments.join('/')}`, others: [] })
        },
      ),
    )
  })

  it('as encodeURIComponent encodes them, they keep their path', () => {
    fc.assert(
      fc.property(fc.array(sane, { minLength: 1 }), (segments) => {
        const target = `/${segments.map(encodeURIComponent).join('/')}`
        expect(readPath(target)?.path).toBe(`/${segments.join('/')}`)
      }),
    )
  })

  const targets = hostileTargets(['admin', 'healthz', 'caf\u00e9'])

  it('never throws; the path starts with one slash and ends with none, and has no dot segments', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          targets,
          fc.string(),
          fc.string({ unit: 'binary' }).map((text) => `/${text}`),
        ),
        (target) => {
          const reading = readPath(target)
          if (reading === undefined) return
          expect(reading.path).toMatch(/^\/(?:[^/]|$)/)
          expect(reading.path).not.toMatch(/.\/$|\/\/|\/\.{1,2}(?:\/|$)/)
          expect(reading.others).not.toContain(reading.path)
        },
      ),
      { numRuns: 5000 },
    )
  })

  it('WHATWG URL finds one of the readings, decoded or not, with or without a base', () => {
    fc.assert(
      fc.property(targets, (target) => {
        const reading = readPath(target)
        if (reading === undefined) return
        const readings = [reading.path, ...reading.others]
        const urls = [
          `http://h${target}`,
          ...(URL.canParse(target, 'http://h') ? [new URL(target, 'http://h').href] : []),
        ]
        for (const url of urls) {
          const { pathname } = new URL(url)
          const decoded = withoutTrailingSlashes(decodeURIComponent(pathname))
          expect(readings).toContain(decoded)
          // Undecoded it is a reading as it stands, but for what has only one encoding.
          if (!/%|["<>^`{|}]/.test(pathname)) expect(readings).toContain(withoutTrailingSlashes(pathname))
        }
      }),
      { numRuns: 5000 },
    )
  })

  it('the query never matters', () => {
    fc.assert(
      fc.property(targets, fc.string(), (target, query) => {
        fc.pre(!target.includes('?'))
        expect(readPath(`${target}?${query}`)).toEqual(readPath(target))
      }),
    )
  })
})

describe("A2 what Node's own parser delivers", () => {
  let server: Server
  const urls: string[] = []
  beforeAll(async () => {
    server = createServer((request, response) => {
      urls.push(request.url ?? '')
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  })
  afterAll(() => server.close())

  function send(target: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
      let answer = ''
      socket.on('data', (chunk) => {
        answer += chunk.toString('latin1')
      })
      socket.on('error', reject)
      socket.on('close', () => resolve(answer.slice(9, 12)))
      socket.write(Buffer.from(`GET ${target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`, 'latin1'))
    })
  }

  it('is the very target that was sent, so that a target is judged as the application gets it', async () => {
    await fc.assert(
      fc.asyncProperty(hostileTargets(['admin', 'healthz']), async (target) => {
        fc.pre(/^[\0-\xff]*$/.test(target) && !/[\r\n]/.test(target))
        urls.length = 0
        const status = await send(target)
        expect(urls).toEqual(status === '200' ? [target.replace(/ .*/s, '')] : [])
      }),
      { numRuns: 500 },
    )
  })

  it('a target with a fragment or a backslash arrives, and has no path', async () => {
    for (const target of ['/a#b', '/a\\b', '/a%00', '/a%2fb', '/..']) {
      urls.length = 0
      expect(await send(target)).toBe('200')
      expect(urls).toEqual([target])
      expect(readPath(target)).toBeUndefined()
    }
  })
})

function withoutTrailingSlashes(path: string): string {
  return path.replace(/(?<=.)\/+$/s, '')
}
