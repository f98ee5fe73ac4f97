// A request of a command to a server, and what its failures are called.
import { Agent, request } from 'undici';
import type { z } from 'zod';
import { parsedJson, reasonIn } from '../answers.ts';
import { CommandError } from '../failure.ts';
import type { FoundServer } from './find_server.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** Of an answer; the longest that there is tells of 256 workers. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Nothing listens, or the connection broke: no process has answered. */
export class NoConnection extends CommandError {}
/** It has not answered in time. */
export class NoAnswer extends CommandError {}
/** It has answered, and not with what was asked for. */
export class Refused extends CommandError {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/**
 * @param timeoutMs for all of it; null: as long as the connection holds
 * @returns the text of the answer, which is one of success
 * @throws NoConnection, NoAnswer, Refused
 */
export async function ask(server: FoundServer, method: 'GET' | 'POST', path: string, timeoutMs: number | null): Promise<string> {
  const { url, token, tokenAdvice } = server;
  // An agent of our own: it follows no redirect and uses no proxy, whatever the environment says, so that the token goes there and nowhere else.
  const connect = { timeout: CONNECT_TIMEOUT_MS };
  const dispatcher = new Agent({ connections: 1, headersTimeout: 0, bodyTimeout: 0, maxResponseSize: MAX_BYTES, connect });
  const headers = token === null ? {} : { authorization: `Bearer ${token}` };
  const signal = timeoutMs === null ? null : AbortSignal.timeout(timeoutMs);
  try {
    const { statusCode, body } = await request(`${url}${path}`, { dispatcher, method, headers, signal });
    const text = await body.text();
    if (statusCode >= 200 && statusCode <= 299) return text;
    const advice = statusCode === 401 || statusCode === 403 ? `: ${tokenAdvice}` : '';
    throw new Refused(`${url} refuses: ${reasonIn(text) ?? `status ${statusCode}`}${advice}`, statusCode);
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const { code, name, message } = error as NodeJS.ErrnoException;
    if (name === 'TimeoutError') throw new NoAnswer(`${url} has not answered within ${(timeoutMs ?? 0) / 1000} s`, { cause: error });
    throw new NoConnection(`cannot reach ${url}: ${code ?? message}`, { cause: error });
  } finally {
    await dispatcher.destroy();
  }
}

/** @throws CommandError where it is none of `schema` */
export function understood<T>({ url }: FoundServer, schema: z.ZodType<T>, text: string): T {
  const { success, data } = schema.safeParse(parsedJson(text));
  if (!success) throw new CommandError(`${url} answers otherwise than expected: it is no server of this version`);
  return data;
}
