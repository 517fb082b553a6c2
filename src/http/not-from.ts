/** An adapter that is used in another framework: all of them export a `sallyport`, and editors import the first that they find. */

const ENTRY_POINTS = 'sallyport/express, sallyport/koa, sallyport/fastify or sallyport/node'

/** @param wanted - what it should have been given, where that is not what its framework gives */
export function notFrom(framework: 'Express' | 'Koa' | 'Fastify' | 'node:http', wanted?: string): TypeError {
  const given = wanted ?? `what ${framework} gives its middleware`
  return new TypeError(
    `this sallyport is that of ${framework}, and expected ${given}: import the one of your framework, ${ENTRY_POINTS}`,
  )
}
