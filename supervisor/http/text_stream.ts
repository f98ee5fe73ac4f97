// Sends a long text in portions, at the speed at which its reader takes them.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { RequestContext } from './context.ts';

/** A reader that takes nothing for so long is gone. */
const GONE_AFTER_MS = 60_000;

/** Resolves when all is sent, or the reader is gone. @throws what the portions throw, which cuts the answer off: its reader sees that it is not whole */
export async function sendPortions(
  { response, request }: RequestContext,
  contentType: string,
  portions: AsyncIterable<string>,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  response.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...headers });
  response.setTimeout(GONE_AFTER_MS, () => response.destroy());
  try {
    for await (const portion of portions) {
      if (request.method === 'HEAD') break;
      if (!response.write(portion)) await drained(response);
      if (response.destroyed) return;
    }
  } catch (error) {
    // Without its reader the question was given up: nothing has failed.
    if (response.destroyed) return;
    throw error;
  }
  response.end();
}

/** Resolves when more can be written, or nothing any more. */
async function drained(response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const settled = new AbortController();
  await Promise.race([once(response, 'drain', settled), once(response, 'close', settled)]).finally(() => settled.abort());
}
