// Opens the stream of one model call: attempts until a first byte is there, never after it, so that no answer is asked for, and paid, twice.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { AgentLogger } from '../agents/agent.ts';
import { connectionFailed, cutFailed, errorCode, silenceFailed, statusFailed } from './failure.ts';
import { backoffMs, isRetriedError, isRetriedStatus, retryAfterMs } from './retry.ts';
import type { SilenceWatch } from './silence.ts';

interface CallPolicy {
  readonly timeoutMs: number;
  readonly retries: number;
  readonly secrets: readonly string[];
  readonly logger: AgentLogger;
}

/** An answer whose first byte is there. */
export interface OpenStream {
  /** Null: the body was empty. */
  readonly first: Uint8Array | null;
  /** The next chunk; null at the end. Throws what `openStream` throws. */
  next(): Promise<Uint8Array | null>;
  readonly isEventStream: boolean;
  readonly body: Dispatcher.ResponseData['body'];
}

/** Most that is read of an error's body, in bytes. */
const LARGEST_ERROR_BODY = 64 * 1024;

/** How long a body may take to end after its last event, so that its connection can serve again. */
const RELEASE_MS = 1_000;

type Attempt =
  | { readonly outcome: 'open'; readonly stream: OpenStream }
  | { readonly outcome: 'failed'; readonly error: Error; readonly retried: boolean; readonly waitMs: number | null; readonly reason: string };

/**
 * @param signal the interaction's own, which also ends a wait between attempts
 * @throws AppError MODEL_FAILED or MODEL_AUTH_FAILED; after an abort, the signal's reason
 */
export async function openStream(
  dispatcher: Dispatcher,
  post: Dispatcher.RequestOptions,
  policy: CallPolicy,
  watch: SilenceWatch,
  signal: AbortSignal,
): Promise<OpenStream> {
  for (let attempt = 1; ; attempt += 1) {
    const result = await tryOnce(dispatcher, post, policy, watch, signal);
    if (result.outcome === 'open') return result.stream;
    const waitMs = result.waitMs ?? backoffMs(attempt);
    // A server that asks for more patience than the agent has with silence is not asked again: to come back earlier would only be refused.
    if (!result.retried || attempt > policy.retries || waitMs > policy.timeoutMs) throw result.error;
    policy.logger.warn(`model call: ${result.reason}; attempt ${attempt + 1} of ${policy.retries + 1} in ${Math.round(waitMs)} ms`);
    await sleep(waitMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function tryOnce(
  dispatcher: Dispatcher,
  post: Dispatcher.RequestOptions,
  policy: CallPolicy,
  watch: SilenceWatch,
  signal: AbortSignal,
): Promise<Attempt> {
  watch.listen();
  try {
    const response = await dispatcher.request({ ...post, signal: watch.signal });
    if (response.statusCode >= 200 && response.statusCode < 300) return { outcome: 'open', stream: await firstByte(response, policy, watch, signal) };
    const waitMs = retryAfterMs(response.headers, Date.now());
    const error = statusFailed(response.statusCode, await errorBody(response.body), policy.secrets, waitMs);
    return { outcome: 'failed', error, retried: isRetriedStatus(response.statusCode), waitMs, reason: `status ${response.statusCode}` };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (watch.expired) throw silenceFailed(policy.timeoutMs);
    const reason = errorCode(error) || 'no connection';
    return { outcome: 'failed', error: connectionFailed(error), retried: isRetriedError(error), waitMs: null, reason };
  } finally {
    watch.heard();
  }
}

async function firstByte(response: Dispatcher.ResponseData, policy: CallPolicy, watch: SilenceWatch, signal: AbortSignal): Promise<OpenStream> {
  // Destroyed on return, the body would take its connection with it each time; `release` decides that.
  const chunks = response.body.iterator({ destroyOnReturn: false });
  const pull = async (): Promise<Uint8Array | null> => {
    watch.listen();
    const result = await chunks.next();
    return result.done === true ? null : (result.value as Uint8Array);
  };
  const first = await pull();
  const next = async (): Promise<Uint8Array | null> => {
    try {
      return await pull();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw watch.expired ? silenceFailed(policy.timeoutMs) : cutFailed(error);
    }
  };
  const type = String(response.headers['content-type'] ?? 'text/event-stream').toLowerCase();
  return { first, next, isEventStream: type.startsWith('text/event-stream'), body: response.body };
}

/** The beginning of an error's body. A longer one is cut together with its connection. */
async function errorBody(body: OpenStream['body']): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > LARGEST_ERROR_BODY) break;
  }
  return Buffer.concat(chunks).toString('utf8', 0, LARGEST_ERROR_BODY);
}

/**
 * Lets go of a body. After a whole answer it may run out for a second, so that its connection can be used again; otherwise the connection is closed
 * at once, which is what tells the upstream to stop.
 */
export function release(stream: OpenStream, whole: boolean): void {
  const { body } = stream;
  if (body.readableEnded || body.destroyed) return;
  // A destroyed body tells its end as an error; nobody is interested any more.
  body.on('error', () => {});
  if (!whole) {
    body.destroy();
    return;
  }
  const timer = setTimeout(() => body.destroy(), RELEASE_MS).unref();
  body.once('close', () => clearTimeout(timer));
  body.resume();
}
