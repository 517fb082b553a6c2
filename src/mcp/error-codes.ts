/** The codes of JSON-RPC errors: those of JSON-RPC, those of MCP, and ours. */

/** JSON-RPC 2.0 §5.1. */
export const JsonRpcCode = {
  /** It is not JSON. */
  PARSE_ERROR: -32700,
  /** It is JSON and no message. */
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL_ERROR: -32603,
} as const

/** Codes that MCP defines. */
export const McpCode = {
  /** Up to 2025-11-25; from 2026-07-28 on it is {@link JsonRpcCode.INVALID_PARAMS}. */
  RESOURCE_NOT_FOUND: -32002,
  /** 2026-07-28: header fields are missing or say something else than the body; HTTP 400. */
  HEADER_MISMATCH: -32020,
  /** 2026-07-28: the client has not declared a capability that is needed; HTTP 400. */
  MISSING_CLIENT_CAPABILITY: -32021,
  /** 2026-07-28: the revision is not spoken here; HTTP 400, `data` names those that are. */
  UNSUPPORTED_PROTOCOL_VERSION: -32022,
  /** 2025-11-25 alone: a person has to visit a URL; no later revision may send it. */
  URL_ELICITATION_REQUIRED: -32042,
} as const

/**
 * Our own codes, outside of what JSON-RPC reserves (-32768 to -32000). They are an HTTP status and one more digit, which
 * tells what happened where the status of the answer is 200.
 */
export const GatewayCode = {
  /** No token, or one that is not good. */
  UNAUTHENTICATED: 4010,
  /** The user has to allow access at the upstream's provider; `data` is the text `Please visit: <url> , <url>`. */
  AUTHORIZATION_REQUIRED: 4011,
  /** As before, but the caller is no person: an owner of the virtual account has to connect it. There is no URL. */
  PERSON_REQUIRED: 4012,
  /** A page of a foreign origin asks (`Origin`). */
  FOREIGN_ORIGIN: 4030,
  /** The upstream knows the credential and does not allow this. */
  UPSTREAM_FORBIDDEN: 4031,
  /** No such server, or none that the caller may know of. */
  UNKNOWN_SERVER: 4040,
  /** The session is over, or was never this caller's: initialize again. */
  UNKNOWN_SESSION: 4041,
  METHOD_NOT_ALLOWED: 4050,
  /** The message is longer than the gateway takes, or has more keys or values; or the answers of a batch are too long together. */
  TOO_LARGE: 4130,
  /** The caller has as many calls under way at the server as one caller may have. */
  TOO_MANY_CALLS: 4290,
  /** The upstream cannot be reached. */
  UPSTREAM_UNREACHABLE: 5020,
  /** The upstream answered with something that is no answer. */
  UPSTREAM_NONSENSE: 5021,
  /** Something that the gateway needs (store, identity provider) cannot be reached. */
  UNAVAILABLE: 5030,
  /** The upstream took too long. */
  UPSTREAM_TIMEOUT: 5040,
} as const
