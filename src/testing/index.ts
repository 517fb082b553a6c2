/**
 * The entry point `sallyport/testing`: a kit that shows whether a token store keeps
 * the contract (B10), and an authorization server to test with.
 */
export { type RotatingServer, type RotatingServerOptions, rotatingServer, type TestTokens } from './rotating-server.ts'
export { type StoreTest, type StoreTestOptions, storeTests } from './store-tests.ts'
