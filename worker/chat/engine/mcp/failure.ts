// Why an MCP server cannot be used, or a call of it failed, in words that name no secret, no path and no address.
import { InsufficientScopeError, ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client';
import { errorCode } from '../failure.ts';

/**
 * What is left after it: `gone`: the connection is lost, and what was sent may have been done; `unsent`: the server was not reached, nothing was done;
 * `session`: it does not know the session any more, and did nothing; `cut`: this one answer broke off; `refused`: the connection is as it was; `said`: so
 * it is, and the message is the server's own.
 */
type FailureKind = 'gone' | 'unsent' | 'session' | 'cut' | 'refused' | 'said';

export class McpFailure extends Error {
  readonly kind: FailureKind;

  /** @param message the rest of a sentence that begins with the server's name, unless it is the server's own */
  constructor(kind: FailureKind, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.name = 'McpFailure';
    this.kind = kind;
  }

  /** For the model, and whoever else reads on its side. */
  sentence(server: string): string {
    return this.kind === 'said' ? this.message : `The MCP server ${server} ${this.message}.`;
  }
}

/** The JSON-RPC code with which our transport tells that a stream ended without its answer: none that a server may send (JSON-RPC 2.0, 5.1). */
export const CUT_CODE = -31_999;

/** Codes of errors that come before a byte of the request is sent: the name is unknown, or nobody listens. */
const UNSENT = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT'];
/** Behind a proxy, a server that is down. */
const DOWN_STATUSES = [502, 503, 504];

/**
 * @param inSession whether the server had given this connection a session
 * @param otherwise what is said of an error that says nothing
 */
export function toFailure(error: unknown, inSession: boolean, otherwise = 'went away'): McpFailure {
  if (error instanceof McpFailure) return error;
  if (error instanceof ProtocolError) {
    return error.code === CUT_CODE ? new McpFailure('cut', 'broke off in mid-call') : new McpFailure('said', error.message);
  }
  if (error instanceof InsufficientScopeError) return statusFailure(403, inSession, error);
  if (error instanceof SdkHttpError) return statusFailure(error.status, inSession, error);
  if (error instanceof SdkError && error.code === SdkErrorCode.RequestTimeout) return new McpFailure('gone', 'did not answer in time', { cause: error });
  if (error instanceof SdkError && error.code === SdkErrorCode.InvalidResult) return new McpFailure('refused', 'sent an answer that is not valid MCP', { cause: error });
  if (error instanceof SdkError && error.code === SdkErrorCode.ClientHttpUnexpectedContent) {
    return new McpFailure('refused', 'sent something else than an answer of MCP', { cause: error });
  }
  const code = errorCode(error) === '' && error instanceof Error ? errorCode(error.cause) : errorCode(error);
  if (UNSENT.includes(code)) return new McpFailure('unsent', `could not be reached (${code})`, { cause: error });
  const isTelling = /^[A-Z_]{3,40}$/.test(code) && !(error instanceof SdkError);
  return new McpFailure('gone', isTelling ? `${otherwise} (${code})` : otherwise, { cause: error });
}

function statusFailure(status: number, inSession: boolean, cause: unknown): McpFailure {
  // 404 is the protocol's word for it (Streamable HTTP, session management); servers of the official SDK's examples say 400.
  if (inSession && (status === 404 || status === 400)) return new McpFailure('session', 'does not know the session any more', { cause });
  if (status === 401 || status === 403) return new McpFailure('refused', `refused the credentials (status ${status})`, { cause });
  const kind = DOWN_STATUSES.includes(status) ? 'gone' : 'refused';
  return new McpFailure(kind, `answered with status ${status}${status >= 300 && status < 400 ? ', a redirect to elsewhere, which is not followed' : ''}`, { cause });
}
