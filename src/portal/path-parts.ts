/** Names in the paths of pages, as groups of regular expressions. */

/** `group/server` in a path. */
export const SERVER = '([A-Za-z0-9][\\w.-]{0,63}/[A-Za-z0-9][\\w.-]{0,63})'

/** The name of a virtual account in a path. */
export const ACCOUNT = '([a-z0-9][a-z0-9._-]{0,63})'
