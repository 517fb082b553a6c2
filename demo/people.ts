/** The test accounts, and what their tokens say. */

/** What everybody's password is. */
export const PASSWORD = 'open-sesame'

/** Claims by account. */
export const PEOPLE: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  alice: {
    name: 'Alice Ames',
    email: 'alice@example.com',
    email_verified: true,
    groups: ['staff', 'dev-backend'],
    realm_access: { roles: ['auditor'] },
  },
  bob: { name: 'Bob Byrne', email: 'bob@example.com', email_verified: true, groups: ['staff'] },
  mallory: {
    name: 'Mallory Moss',
    email: 'mallory@example.com.evil.test',
    email_verified: true,
    groups: ['dev-backend'],
  },
  carol: { name: 'Carol Chen', email: 'carol@acme.test', email_verified: true, org: 'acme' },
  dave: { name: 'Dave Diaz', email: 'dave@initech.test', email_verified: true, org: 'initech' },
}
