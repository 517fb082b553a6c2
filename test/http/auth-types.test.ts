/** What `authOf(req)` returns is told apart by its `type`, without a cast. */
import type { Auth } from 'sallyport'
import { expect, expectTypeOf, test } from 'vitest'

/** As an application would: it compiles only while each `type` says what there is. */
function greet(auth: Auth): string {
  switch (auth.type) {
    case 'none':
      expectTypeOf(auth.subject).toEqualTypeOf<undefined>()
      return 'hello'
    case 'basic':
      expectTypeOf(auth.claims).toEqualTypeOf<undefined>()
      return `hello ${auth.subject.toUpperCase()}`
    default:
      return `hello ${auth.subject} of ${auth.integration}, ${auth.claims.email}`
  }
}

test('a token has claims, a password has none, and of an open route nobody is known', () => {
  const route = '/'
  expect(greet({ type: 'none', route })).toBe('hello')
  expect(greet({ type: 'basic', route, id: 'x', subject: 'ann' })).toBe('hello ANN')
  const claims = { email: 'ann@example.com' }
  const person = { route, id: 'x', subject: 'ann', integration: 'corp', claims } as const
  expect(greet({ type: 'session', ...person })).toBe('hello ann of corp, ann@example.com')
})
