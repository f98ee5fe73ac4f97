// The one table of errors: every code that a response or an error event can carry, with its status and its words.

interface ErrorRow {
  readonly status: number;
  /** What is said where the place that throws has nothing more exact to say. */
  readonly message: string;
  /** True where waiting helps: the response then has `Retry-After`. */
  readonly retry?: true;
}

export const ERRORS = {
  MALFORMED_REQUEST: { status: 400, message: 'The request is malformed.' },
  MALFORMED_JSON: { status: 400, message: 'The body is not valid JSON.' },
  DUPLICATE_CREDENTIALS: { status: 400, message: 'Send one credential, once.' },
  DUPLICATE_VARIABLE: { status: 400, message: 'A variable is set by more than one header.' },
  UNAUTHORIZED: { status: 401, message: 'A valid token is required.' },
  FORBIDDEN: { status: 403, message: 'The token lacks the scope that this route asks for.' },
  NOT_FOUND: { status: 404, message: 'There is nothing at this path.' },
  MODE_NOT_ALLOWED: { status: 404, message: 'This server was started without the mode that the path belongs to.' },
  INTERACTION_NOT_FOUND: { status: 404, message: 'There is no such interaction, or it has been forgotten.' },
  TOKEN_NOT_FOUND: { status: 404, message: 'There is no such token.' },
  SESSION_NOT_FOUND: { status: 404, message: 'There is no such session.' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'The path does not take this method.' },
  REQUEST_TIMEOUT: { status: 408, message: 'The request did not arrive in time.' },
  INTERACTION_EXISTS: { status: 409, message: 'An interaction with this interaction_id exists already.' },
  SESSION_TAKEN: { status: 409, message: 'The session belongs to another caller.' },
  STOPPING: { status: 409, message: 'The server is being stopped.' },
  TOO_MANY_TOKENS: { status: 409, message: 'There are as many tokens as there may be; revoke some.' },
  EVENTS_EXPIRED: { status: 410, message: 'The events after Last-Event-ID are no longer kept.' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'The body is too large.' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, message: 'The body must be application/json, without Content-Encoding.' },
  VALIDATION_FAILED: { status: 422, message: 'The request does not have the expected form.' },
  RATE_LIMITED: { status: 429, message: 'Too many requests; wait before the next one.', retry: true },
  SESSION_BUSY: { status: 429, message: 'Too many interactions wait for this session.', retry: true },
  OWN_WORKERS_BUSY: { status: 429, message: 'As many interactions as may have a worker of their own have one.', retry: true },
  HEADERS_TOO_LARGE: { status: 431, message: 'The header fields are too large.' },
  RELOAD_FAILED: { status: 500, message: 'The new version did not start; the old one goes on serving.' },
  INTERNAL: { status: 500, message: 'The server failed; the request_id finds the reason in its log.' },
  LOGGING_DISABLED: { status: 503, message: 'This server keeps no log of interactions: DB_LOGGING_ENABLED is not set.' },
  LOG_UNAVAILABLE: { status: 503, message: 'The log cannot be read now; interactions go on, and are recorded.', retry: true },
  LOG_BUSY: { status: 503, message: 'Too many questions to the log wait for their turn.', retry: true },
  LOG_TIMEOUT: { status: 504, message: 'The log took too long to answer; ask for less, such as fewer days.' },

  CANCELLED: { status: 409, message: 'The interaction was cancelled.' },
  GUARDRAIL: { status: 422, message: 'A guardrail of the agent refused the interaction.' },
  AGENT_FAILED: { status: 500, message: 'The agent failed.' },
  WORKER_CRASHED: { status: 500, message: 'The worker that ran the interaction ended.' },
  WORKER_STUCK: { status: 500, message: 'The worker that ran the interaction stopped answering.' },
  MODEL_FAILED: { status: 502, message: 'The model could not be used.' },
  MODEL_AUTH_FAILED: { status: 502, message: 'The model refused the key.' },
  MAX_TURNS: { status: 502, message: 'The agent reached its limit of turns without an answer.' },
  OUTPUT_INVALID: { status: 502, message: 'The answer of the model does not fit the schema of the agent.' },
  QUEUE_FULL: { status: 503, message: 'All workers are busy and the queue is full.', retry: true },
  QUEUE_TIMEOUT: { status: 503, message: 'No worker became free in time.', retry: true },
  SHUTTING_DOWN: { status: 503, message: 'The server is shutting down.', retry: true },
  NO_WORKERS: { status: 503, message: 'No worker is running.', retry: true },
  SESSION_NOT_SAVED: { status: 503, message: 'The answer could not be stored in its session.', retry: true },
  STORE_UNAVAILABLE: { status: 503, message: 'The store of sessions cannot be reached.', retry: true },
  TIMEOUT: { status: 504, message: 'The interaction took longer than it may.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

const END_CODES = [
  'CANCELLED', 'GUARDRAIL', 'AGENT_FAILED', 'WORKER_CRASHED', 'WORKER_STUCK', 'MODEL_FAILED', 'MODEL_AUTH_FAILED', 'MAX_TURNS', 'OUTPUT_INVALID', 'QUEUE_FULL',
  'QUEUE_TIMEOUT', 'SHUTTING_DOWN', 'NO_WORKERS', 'SESSION_NOT_SAVED', 'STORE_UNAVAILABLE', 'TIMEOUT', 'INTERNAL',
] as const satisfies readonly ErrorCode[];

/** The codes that an interaction can end with; an error event carries them in lower case. */
export type EndCode = (typeof END_CODES)[number];

export function isEndCode(code: ErrorCode): code is EndCode {
  return (END_CODES as readonly ErrorCode[]).includes(code);
}

export interface FieldError {
  /** Dotted path of the field, as the client wrote it. */
  readonly path: string;
  readonly message: string;
}

export interface ErrorDetails {
  /** One sentence for the person who reads it; it may reach a client, so it names no path and no secret. */
  readonly message?: string;
  readonly errors?: readonly FieldError[];
  /** Seconds until a retry makes sense. */
  readonly retryAfterS?: number;
  /** Of the interaction that ended with it. */
  readonly interactionId?: string;
  /** Further response headers, such as Allow. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error whose words may reach a client. Everything else that is thrown is told as INTERNAL. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(code: ErrorCode, details: ErrorDetails = {}, options: { cause?: unknown } = {}) {
    super(details.message ?? ERRORS[code].message, options);
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }

  get status(): number {
    return ERRORS[this.code].status;
  }
}

/** The code as an error event and `GET /chat/{id}` carry it. */
export function eventCode(code: ErrorCode): string {
  return code.toLowerCase();
}
