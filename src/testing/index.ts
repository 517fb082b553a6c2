/**
 * The entry point `sallyport/testing`: an identity provider for tests of an application, a kit that shows whether a token store
 * keeps the contract (B10), and an authorization server to test that with.
 */
export { type RotatingServer, type RotatingServerOptions, rotatingServer, type TestTokens } from './rotating-server.ts'
export { type StoreTest, type StoreTestOptions, storeTests } from './store-tests.ts'
export { type TestIssuer, type TestIssuerOptions, testIssuer } from './test-issuer.ts'
