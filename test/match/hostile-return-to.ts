/**
 * Values of a `returnTo` parameter as an attacker would write them, and the readers
 * that a `Location` meets: whatever one of them takes for another site has left ours.
 * Written without regard to how `safeReturnTo` works.
 */

/** The origin of these tests, one of those in `return-to.test.ts`. */
export const BASE = 'https://app.example.com'
const HOST = 'app.example.com'
const EVIL = 'evil.example'
/** For `words`, where one in front of a `${` would escape it. */
const BACKSLASH = '\\'

/** Values with something in common. */
interface Family {
  readonly name: string
  /** `refused`: there is no good reading. `stays`: it may be a strange page of ours. */
  readonly outcome: 'refused' | 'stays'
  readonly values: readonly string[]
}

/** A list of words, with backslashes as they are. */
const words = (text: TemplateStringsArray, ...values: string[]) =>
  String.raw(text, ...values)
    .trim()
    .split(/\s+/)

/** Every `front` with every `back`. */
const times = (fronts: readonly string[], backs: readonly string[]) =>
  fronts.flatMap((front) => backs.map((back) => front + back))

const hex = (code: number) => `%${code.toString(16).padStart(2, '0')}`
const encodedTwice = (text: string) => text.replaceAll('%', '%25')

const RAW_BLANKS = ['\t', '\n', '\r', '\r\n', '\t\n\r', ' ', '\0', '\x01', '\v', '\f', '\x1b', '\x1f', '\x7f']
/** Blanks, invisible characters and line ends beyond ASCII. */
const UNICODE_BLANKS = [
  ...'\u0085\u00a0\u00ad\u1680\u180e\u2000\u2003\u200b\u200c\u200d\u200e\u2028\u2029\u202e\u2060\u3000\ufeff',
]
const CONTROLS = [...Array(32).keys(), 0x7f]

const SCHEMES = [
  ...words`javascript:alert(1) javascript://%0aalert(1) javascript://${HOST}/%0aalert(1) JaVaScRiPt:alert(1)
    javascript&colon;alert(1) javascript&#58;alert(1) javascript%3aalert(1) data:text/html,<script>alert(1)</script>
    data:text/html;base64,PHNjcmlwdD4= data:,x DATA:text/html,x vbscript:msgbox(1) blob:${BASE}/0
    filesystem:${BASE}/temporary/x file:///etc/passwd file://${HOST}/x ftp://${HOST}/x ws://${HOST}/x wss://${HOST}/x
    mailto:a@${HOST} tel:1 sms:1 intent://${EVIL}#Intent;scheme=https;end about:blank about:srcdoc chrome://settings
    view-source:${BASE}/ feed:${BASE}/ jar:${BASE}!/x x: urn:x android-app://x ms-word:ofe|u|${BASE}/`,
  ...['jav\tascript:alert(1)', 'java\nscript:alert(1)', ' javascript:alert(1)', '\x01javascript:alert(1)'],
  ...['javascript\t:alert(1)', 'javascript:\talert(1)', '\u00a0javascript:alert(1)'],
]

/** What begins an authority, or does for some. */
const AUTHORITY_FRONTS = words`
  // /// //// ///// \\ /\ \/ \ \\\ /\/ /\\ \/\/ //\ ///\ /\// http:// https:// HTTPS:// hTTp:// http:/// https:////
  http:\\ https:\/ https:/\ https:/\/ http: https: http:/ https:/ https:\ ftp:// ws:// x:// :// : :/ :/// //:@ //@`

/** Hosts that begin, end or look like ours. */
const NEAR_HOSTS = words`
  ${HOST}.${EVIL} evil${HOST} evil-${HOST} ${EVIL}.${HOST}.${EVIL} a.${HOST} ${HOST}m ${HOST}. example.com
  apps.example.com a.b.apps.example.com .apps.example.com a..apps.example.com *.apps.example.com evilapps.example.com
  a.apps.example.com.evil a.apps.example.comx a.apps.example.com. a.evilapps.example.com app.example.co app.example
  app-example.com appexample.com ${HOST}.com localhost 127.0.0.1 APP.example.com App.Example.Com app.EXAMPLE.com
  a.APPS.example.com ${HOST}%2e${EVIL} ${HOST}%2f.${EVIL} ${HOST}%00.${EVIL} ${HOST}%0a.${EVIL} ${HOST}%5c.${EVIL}
  ${HOST}%23.${EVIL} ${HOST}%3f.${EVIL} ${HOST}%40${EVIL} ${HOST}%3a@${EVIL} %61pp.example.com app%2eexample%2ecom
  ${HOST}%20 ${HOST};${EVIL} ${HOST},${EVIL} ${HOST}&${EVIL} ${HOST}$${EVIL} ${HOST}!${EVIL} ${HOST}'${EVIL}
  ${HOST}(${EVIL} ${HOST}*.${EVIL} ${HOST}+${EVIL} ${HOST}=.${EVIL} ${HOST}~.${EVIL} ${HOST}|${EVIL} ${HOST}^${EVIL}
  ${HOST}"${EVIL} ${HOST}<${EVIL} ${HOST}{${EVIL} ${HOST}${BACKSLASH}${EVIL} ${HOST}\.${EVIL} ${HOST}\@${EVIL} -${HOST}
  xn--app-example-com xn--pp-6kc.example.com app.xn--exmple-cua.com xn--app.example.com
  [::1] [::ffff:127.0.0.1] [::] [${HOST}]
  [${HOST} ::1 [::1].${HOST} [v1.x] [fe80::1%25eth0] 2130706433 0x7f000001 0177.0.0.1 127.1 0 0x7f.1 127.0.0.1.
  1.1.1.1 ①②⑦.⓪.⓪.①`

/** To a newer URL parser (Node 24) these are names like any other, and then under our wildcard. */
const BAD_PUNYCODE = words`xn--.apps.example.com xn--a.apps.example.com xn--zzzzzz.apps.example.com
  xn---.apps.example.com`.filter((host) => !URL.canParse(`https://${host}/`))

/** Dots, slashes, letters and other characters that some take for ASCII. */
const LOOK_ALIKES = [
  ...[...'\u3002\uff0e\uff61\u2024\ufe52'].flatMap(
    (dot) => words`https://app${dot}example${dot}com/ ${BASE}${dot}${EVIL}/ //evil${dot}example /${dot}${dot}//${EVIL}`,
  ),
  ...[...'\uff0f\u2044\u2215\u29f8\u3003\u3033\u0337\u0338\uff3c\u2216\u29f5\ufe68'].flatMap(
    (slash) => words`/${slash}${EVIL} ${slash}${slash}${EVIL} https:${slash}${slash}${EVIL} ${BASE}${slash}.${EVIL}/`,
  ),
  ...['https://\u0430pp.example.com/', 'https://app.ex\u0430mple.com/', 'https://\uff41pp.example.com/'],
  ...['https://app.example.\u1d9com/', 'https://a\u0300pp.example.com/', 'https://app.example.c\u00ad\u00adom/'],
  ...[
    'https\uff1a//evil.example',
    'https\u02d0//evil.example',
    'http\u017f://evil.example',
    '\u210bttps://evil.example',
  ],
  ...[...'\uff20\ufe6b\uff1a\u2100\u2105\u2048\u2102\u2488'].map((char) => `${BASE}${char}.${EVIL}`),
  ...[...'\uff03\uff1f\uff0f\u2048\uff3c'].flatMap((char) => [
    `${BASE}${char}@${EVIL}`,
    `https://${EVIL}${char}@${HOST}`,
  ]),
]

/** Escapes that are a slash, a backslash or nothing once decoded. */
const ENCODED_OPENINGS = words`
  /%2f /%2F /%2f%2f /%2F%2f /%5c /%5C /%5c%5c /%2f%5c /%5c%2f /%5c/ /%2f/ %2f/ %2f%2f
  /%09/ /%0a/ /%0d/ /%0d%0a/ /%09%09/ /%09%2f /%0a%5c /%09 /%0a /%0d%0a /%00/ /%00 /%01/ /%0b/ /%0c/ /%1f/ /%7f/
  /%20/ /%20%2f /%c2%a0/ /%c2%85/ /%e2%80%8b/ /%e2%80%a8/ /%ef%bb%bf/ /%e3%80%80/ /%c2%ad/ /%e2%80%ae/ /%09%5c/
  /%0d%0a%2f /%e2%80%8b%2f /%20%20%2f /%c0%af /%c0%af%c0%af /%e0%80%af /%f0%80%80%af /%c1%9c /%c0%2f
  /%ef%bc%8f /%ef%bc%8f%ef%bc%8f /%ef%bc%bc /%e2%81%84 /%e2%88%95 /%e2%88%96 /%ef%b9%a8 /%e2%a7%b8`

/** Paths that are `//…` once somebody has taken the dot segments out, or the parameters off. */
const DOT_SEGMENTS = words`
  /.// /..// /./.// /../..// /./..// /x/..// /x/../.// /x/y/../..// /x/./..// /x/../// /x/../../..//
  /%2e// /%2e%2e// /%2E%2e// /.%2e// /%2e.// /x/%2e%2e// /x/.%2E// /%2e/%2e%2e// /x/%2e%2e/%2e// /x/..%2f/ /x/..%2f%2f
  /x/..%5c%5c /x/..%5c/ /x%2f..// /x%2f..%2f%2f /x/%2e%2e%2f/ /x/%2e%2e%2f%2f /.%2f/ /.%2f%2f /..%2f/ /..%2f%2f
  /..%5c/ /..%5c%5c /%2e%2e%2f%2f /%2e%2e%5c%5c /x/..%09// /x/.%09.// /x/.%0a.// /.%0d// /;// /;/ /;x=1/ /;%2f /%3b/
  /%3bx// /.%3b%5cx// /..%3b%ef%bc%8fx// /x/..%3b%5cy// /..;// /x/..;// /x/..;a=b// /x/..%3b// /.;// /x/.;/..;// /x/..;/%2f /x;y/..// /x/;/../..// /x/..%e2%80%8b//
  /%e2%80%a5// /%e2%80%a4// /x/%ef%bc%8e%ef%bc%8e//`

const USERINFO = words`
  @${EVIL}/ :x@${EVIL}/ :443@${EVIL}/ :@${EVIL}/ :443:x@${EVIL}/ %40@${EVIL}/ %2f@${EVIL}/ %23@${EVIL}/ %3f@${EVIL}/
  ;@${EVIL}/ &@${EVIL}/ @@${EVIL}/ @${EVIL}@${EVIL}/ @${EVIL}:443/ @${EVIL}#@${HOST}/ @${EVIL}?@${HOST}/
  @${EVIL}\@${HOST}/ \@${EVIL}/`

const PORTS = words`
  :80 :8443 :0 :00443x :65536 :99999 :443443 :1000000 :-1 :+443 :443:443 :443@ :0x1bb :４４３ :https :443.${EVIL} :443%2f
  :443%40${EVIL} :443; :443, :443\ :443%20 :%34%34%33 :`

/** Families of which no value has a good reading. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  'nothing, or no path': ['', ' ', ...words`. .. ./ ../ ../x x x/y ?x #x ? # ; @ * - % %2f 0 null undefined`],
  schemes: SCHEMES,
  'fronts of an authority': times(
    AUTHORITY_FRONTS,
    words`${EVIL} ${EVIL}/ ${EVIL}/x ${EVIL}%2f.. user@${EVIL} ${EVIL}:443/ ${HOST}@${EVIL} ${HOST}.${EVIL}/ ${HOST}\@${EVIL}`,
  ),
  'our host without a scheme': times(
    words`// \\ /\ /// https: https:/ https:\\ https:\/`,
    words`${HOST} ${HOST}/ ${HOST}/x`,
  ),
  'hosts near ours': times(['https://', '//'], times([...NEAR_HOSTS, ...BAD_PUNYCODE], ['', '/'])),
  'another scheme': words`http://${HOST} http://${HOST}/ http://${HOST}:443/ http://a.apps.example.com/ http:/x http:x`,
  'user information': times(
    words`${BASE} https:// https://x https://${EVIL}@${HOST} https://a.apps.example.com`,
    USERINFO,
  ),
  'user information on our host': times(
    ['https://'],
    times(words`x@ x:y@ @ :@ %40@ ${EVIL}%2f@ ${EVIL}@`, [`${HOST}/`]),
  ),
  ports: times(words`${BASE} https://a.apps.example.com`, times([...PORTS, ':4 43', ':443\t'], ['/x'])),
  'raw blanks': RAW_BLANKS.flatMap((blank) => [
    ...[`/${blank}/${EVIL}`, `${blank}//${EVIL}`, `/${blank}\\${EVIL}`, `/x${blank}y`, `/x${blank}`, `${blank}/x`],
    ...[`ht${blank}tps://${EVIL}`, `https:${blank}//${EVIL}`, `https:/${blank}/${EVIL}`, `https://${blank}${EVIL}`],
    ...[`${BASE}${blank}.${EVIL}`, `${BASE}${blank}@${EVIL}`, `${blank}${BASE}/`, `${BASE}/${blank}`, `/x?${blank}y`],
    ...[`/${blank}${EVIL}`, `/x#${blank}y`],
  ]),
  'blanks beyond ASCII': UNICODE_BLANKS.flatMap((blank) => [
    ...[`/${blank}/${EVIL}`, `${blank}//${EVIL}`, `${blank}/x`, `/x${blank}`, `${BASE}${blank}.${EVIL}/`],
    `https://${blank}${HOST}/`,
  ]),
  'look-alikes': LOOK_ALIKES,
  'not ASCII': ['/caf\u00e9', '/\ud83d\ude00', '/x?\u00e9', '/x#\u00e9', '/\ud800', '/\udfff', '/\ufffd', '/\u00ff'],
  backslashes: words`/x\y /x?\ /x#\ /x\..\..\\${EVIL} ${BASE}\ ${BASE}/\ /\\${BACKSLASH}${EVIL}`,
  'encoded openings': times(ENCODED_OPENINGS, words`${EVIL} /${EVIL} ${EVIL}/x`),
  'encoded openings, twice': times(ENCODED_OPENINGS.map(encodedTwice), words`${EVIL} /${EVIL}`),
  'encoded openings, three times': times(ENCODED_OPENINGS.map(encodedTwice).map(encodedTwice), [`/${EVIL}`]),
  'encoded openings of an absolute URL': times(
    words`${BASE} https://a.apps.example.com`,
    times(ENCODED_OPENINGS, [`/${EVIL}`]),
  ),
  'control characters, encoded': CONTROLS.map(hex).flatMap((code) => words`/${code}/${EVIL} /${code}${EVIL} /x${code}`),
  'control characters, encoded twice': CONTROLS.map((code) => `/${encodedTwice(hex(code))}/${EVIL}`),
  'dot segments': times(DOT_SEGMENTS, [EVIL, `/${EVIL}`]),
  'dot segments, encoded twice': times(DOT_SEGMENTS.filter((path) => path.includes('%')).map(encodedTwice), [
    `/${EVIL}`,
  ]),
  'dot segments of an absolute URL': times([BASE], times(DOT_SEGMENTS, [`/${EVIL}`])),
  'dot segments at different depths': words`
    /a/%252e%252e/%2f${EVIL} /a/..%252f%2f${EVIL} /a/..%2f%2f%252e%252e%252fok /a/%25252e%25252e//${EVIL}
    /%252e%252e%252f%252f${EVIL} /a%252f..%252f%252f${EVIL} /a/%2e%252e//${EVIL} /a/..%252f/%2e%252e/x`,
  'slashes and parameters that are such for some readers only': words`
    ${BASE}/:80%ef%bc%8f/..%252f/ ${BASE}/%252e;%252fhttps://${HOST} /a%e2%88%95b/..%e2%81%84%2fx
    /a%ef%bc%8fb/..%252f/${EVIL} /%252e;%252fx//${EVIL}`,
  'encoded without end': times(words`/%2525252f /%25252525252f /%${'25'.repeat(500)}2f /x/%2525252525`, [EVIL]),
  'response splitting': times(words`/x / ${BASE}/x`, [
    ...words`%0d%0aSet-Cookie:%20a=b %0aLocation:%20https://${EVIL} %250d%250aSet-Cookie:a=b %0d%0a%0d%0a<script>`,
    '\r\nSet-Cookie: a=b',
  ]),
  'very long': [
    ...[`/${'x'.repeat(2048)}`, `/?${'x'.repeat(100_000)}`, `${BASE}/${'x'.repeat(2048)}`, `//${'a'.repeat(5000)}`],
    ...[
      '/'.repeat(2048),
      '\\'.repeat(2048),
      `/${'%2f'.repeat(680)}`,
      `/?${'"'.repeat(2000)}`,
      `/x${'/..'.repeat(600)}//x`,
      `/${'x/../'.repeat(420)}y`,
    ],
  ],
  'two values in one': [`/x,//${EVIL}\n`, `//${EVIL},/x`, `${BASE},https://${EVIL}`, `${BASE}, https://${EVIL}`],
}

/** Families whose values may be pages of ours, with names that look like something else. */
const STAYS: Readonly<Record<string, readonly string[]>> = {
  'another site in the path': times(
    words`/ /x/ ${BASE}/`,
    words`${EVIL} @${EVIL} x@${EVIL} :@${EVIL} https:${EVIL} https://${EVIL} https:/${EVIL} javascript:alert(1) :80
      ;@${EVIL} x//${EVIL} x/%2f%2f${EVIL} %40${EVIL} .${EVIL} ..${EVIL} ...//${EVIL} -//${EVIL} *//${EVIL} $//${EVIL}
      ?//${EVIL} #//${EVIL} ?@${EVIL} #@${EVIL} %3f//${EVIL} %23//${EVIL} %3a//${EVIL} %3f/..//x %zz/${EVIL} % %2 %%2f`,
  ),
  'another site in query or fragment': times(
    words`/? /# ${BASE}? ${BASE}# /x?next= /x#next=`,
    words`//${EVIL} https://${EVIL} @${EVIL} /..//${EVIL} %0d%0aSet-Cookie:x=y %2f%2f${EVIL} javascript:alert(1)
      <script>alert(1)</script> "onload="x ..//..// %00`,
  ),
  'dot segments that end well': words`
    /.. /../ /../.. /x/.. /x/../ /%2e%2e /..//x/../../y /./x /x/./y /x/%2e%2e/y /../x /x/../../y /..%2fx /.%2fx /..%5cx
    /x/..%2f..%2fy /x/..%5cy /%2f${EVIL}/.. /%09/..//../x`,
  'ports of ours': times([BASE, 'https://a.apps.example.com'], words`:443 :443/x :0443/x :00443/x`),
}

export const HOSTILE: readonly Family[] = [
  ...Object.entries(REFUSED).map(([name, values]): Family => ({ name, outcome: 'refused', values })),
  ...Object.entries(STAYS).map(([name, values]): Family => ({ name, outcome: 'stays', values })),
]

/** What a fuzzer puts together. */
export const PIECES = [
  ...words`/ / / // \ . .. %2f %5c %2e %09 %0d%0a %25 %252f %252e %00 %c0%af %ef%bc%8f %3b %3f %23 %e2%80%8b ; : @ ? # & = ,
    * % %2 25 2f http: https: https:// javascript: ${HOST} ${BASE} a.apps.example.com ${EVIL} x [::1] :443 :80`,
  ...['\t', '\n', '\r', ' ', '\0', '\uff0f', '\u3002', '\u200b', '\u00ad', '\u2044', '\ud83d'],
]

/** Decoders that a `Location` may go through on its way. */
const DECODERS: readonly ((text: string) => string)[] = [
  (text) => {
    try {
      return decodeURIComponent(text)
    } catch {
      return text
    }
  },
  // ASCII only; then octet by octet, with `+` for a blank.
  (text) => text.replace(/%([0-7][0-9a-f])/gi, (_, octet: string) => String.fromCharCode(Number.parseInt(octet, 16))),
  (text) =>
    text
      .replaceAll('+', ' ')
      .replace(/%([0-9a-f]{2})/gi, (_, octet: string) => String.fromCharCode(Number.parseInt(octet, 16))),
]

/** Readers: what each takes for the text that counts. */
const READERS: readonly ((text: string) => string)[] = [
  (text) => text,
  // WHATWG URL
  (text) => text.replace(/[\t\n\r]/g, ''),
  (text) => text.trim(),
  // A field ends at its line.
  (text) => text.replace(/[\r\n].*/s, ''),
  (text) => text.replaceAll('\\', '/'),
  (text) => text.replace(/;[^/?#]*/g, ''),
  (text) => text.normalize('NFKC'),
]

/**
 * How `location` leads away from `origin` for somebody; `undefined` when it does for nobody. It is read whole, and as
 * what is behind the origin, which is what a proxy or another redirect may have left of it; as it is, decoded once and
 * decoded twice.
 */
export function wayOut(location: string, origin: string): string | undefined {
  if (!/^[\x21-\x7e]+$/.test(location)) return 'not visible ASCII'
  if (new URL(location).href !== location) return 'not in normal form'
  if (!location.startsWith(`${origin}/`)) return 'does not begin with the origin'
  for (const text of [location, ...decodings(location)]) {
    if (authorityOf(text) !== new URL(origin).host) return `authority, as ${JSON.stringify(text)}`
    if (new URL(text).origin !== origin) return `WHATWG URL, as ${JSON.stringify(text)}`
  }
  const path = location.slice(origin.length).replace(/[?#].*/, '')
  for (const text of [path, ...decodings(path)]) {
    for (const reader of READERS) {
      const seen = reader(text)
      if (/^[/\\]{2}/.test(seen)) return `two slashes, as ${JSON.stringify(seen)}`
      if (/[^\x20-\u{10ffff}]|\x7f/u.test(seen)) return `a control character, as ${JSON.stringify(seen)}`
      if (!URL.canParse(seen, origin)) return `no URL, as ${JSON.stringify(seen)}`
      const url = new URL(seen, origin)
      if (url.origin !== origin) return `WHATWG URL, as ${JSON.stringify(seen)}`
      if (url.pathname.startsWith('//')) return `dot segments, as ${JSON.stringify(seen)}`
    }
  }
  return undefined
}

/** `text` through one decoder, and through two. */
function decodings(text: string): Set<string> {
  const once = DECODERS.map((decode) => decode(text))
  return new Set([...once, ...once.flatMap((decoded) => DECODERS.map((decode) => decode(decoded)))])
}

/** RFC 3986 appendix B, and the host that is behind the last `@`. */
function authorityOf(text: string): string | undefined {
  return /^(?:[^:/?#]+:)?(?:\/\/([^/?#]*))?/.exec(text)?.[1]?.replace(/^.*@/, '')
}
