// A scripted server that speaks OpenAI's two APIs on a free port of this machine, and remembers what it was sent.
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as tick, setTimeout as sleep } from 'node:timers/promises';
import { chatCompletionsEvents, wholeCompletion } from './chat_completions_wire.ts';
import { contentOf, directedStep, lastUserText, type Api, type Content, type ModelStep } from './model_steps.ts';
import { responsesEvents, wholeResponse, type WireEvent } from './responses_wire.ts';

export interface RecordedRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
  /** Resolves when the answer is over, one way or the other: true if all of it was sent. */
  readonly closed: Promise<boolean>;
}

export interface ModelServer {
  /** For OPENAI_BASE_URL. */
  readonly url: string;
  readonly requests: readonly RecordedRequest[];
  /** Steps for the next requests that have no directive, one each. */
  queue(...steps: readonly ModelStep[]): void;
  /** Connections that are open now. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export async function startModelServer(): Promise<ModelServer> {
  const requests: RecordedRequest[] = [];
  const queued: ModelStep[] = [];
  const failures = new Map<string, number>();

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(400, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { message: String(error) } }));
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '').split('?')[0] ?? '';
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString('utf8')) as Record<string, unknown>;
    const closed = once(response, 'close').then(() => response.writableFinished);
    requests.push({ path: request.url ?? '', headers: request.headers, body, closed });
    if (request.method !== 'POST' || !/\/(responses|chat\/completions)$/.test(path)) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":{"message":"Unknown path"}}');
      return;
    }
    const step = directedStep(body) ?? queued.shift() ?? {};
    if (fails(step, lastUserText(body), request, response)) return;
    const echoed = step.echo === 'authorization' ? (request.headers.authorization ?? 'none') : JSON.stringify(body);
    await perform(step, contentOf(step, echoed), path.endsWith('/responses') ? 'responses' : 'chat_completions', body, response);
  }

  function fails({ fail }: ModelStep, key: string, request: IncomingMessage, response: ServerResponse): boolean {
    if (fail === undefined) return false;
    const count = (failures.get(key) ?? 0) + 1;
    failures.set(key, count);
    if (fail.times !== undefined && count > fail.times) return false;
    if (fail.reset === true) {
      request.socket.resetAndDestroy();
      return true;
    }
    const retryAfter = fail.retryAfter === undefined ? {} : { 'retry-after': fail.retryAfter };
    response.writeHead(fail.status, { 'content-type': 'application/json', ...retryAfter });
    response.end(JSON.stringify({ error: { message: fail.message ?? `scripted ${fail.status}`, type: 'scripted', code: null } }));
    return true;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    queue: (...steps) => void queued.push(...steps),
    connections: () => new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count)))),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const GARBAGE: Readonly<Record<NonNullable<ModelStep['garbage']>, { readonly type: string; readonly body: string }>> = {
  bad_json: { type: 'text/event-stream', body: 'data: {"type": "response.output_text.de\n\n' },
  not_sse: { type: 'text/event-stream', body: 'these are not the events\nyou are looking for\n'.repeat(50) },
  html: { type: 'text/html', body: '<!doctype html><html><body><h1>It works!</h1></body></html>' },
  shape: { type: 'text/event-stream', body: 'data: {"type":"response.output_text.delta","delta":42,"choices":[{"delta":{"content":42}}]}\n\n' },
  error_event: { type: 'text/event-stream', body: 'event: error\ndata: {"type":"error","error":{"message":"scripted overload"}}\n\n' },
  huge_line: { type: 'text/event-stream', body: `data: "${'x'.repeat(17 * 1024 * 1024)}` },
  json_error: { type: 'application/json', body: '{"error":{"message":"scripted overload"}}' },
};

async function perform(
  step: ModelStep,
  content: Content,
  api: Api,
  body: Readonly<Record<string, unknown>>,
  response: ServerResponse,
): Promise<void> {
  const model = String(body['model']);
  if (step.stall === 'headers') return;
  if (step.garbage !== undefined) {
    const { type, body: garbage } = GARBAGE[step.garbage];
    response.writeHead(200, { 'content-type': type }).end(garbage);
    return;
  }
  if (body['stream'] !== true) {
    const whole = api === 'responses' ? wholeResponse(content, model) : wholeCompletion(content, model);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(whole));
    return;
  }
  const usageAsked = (body['stream_options'] as { include_usage?: boolean } | undefined)?.include_usage === true;
  const events = api === 'responses' ? responsesEvents(content, model) : chatCompletionsEvents(content, model, usageAsked, step.noDone !== true);
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
  response.flushHeaders();
  if (step.stall === 'body') return;
  await sendEvents(events, step, response);
}

async function sendEvents(events: readonly WireEvent[], step: ModelStep, response: ServerResponse): Promise<void> {
  let pieces = 0;
  if (step.cut === 0) return destroySoon(response);
  for (const event of events) {
    if (event.piece && (step.delayMs ?? 0) > 0) await sleep(step.delayMs);
    if (response.destroyed) return;
    await send(event.text, step.splitBytes, response);
    if (!event.piece) continue;
    pieces += 1;
    if (step.stall === pieces) return;
    if (step.cut === pieces) return destroySoon(response);
    if (step.stop === pieces) break;
  }
  response.end();
}

async function send(text: string, splitBytes: number | undefined, response: ServerResponse): Promise<void> {
  if (splitBytes === undefined) {
    response.write(text);
    return;
  }
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += splitBytes) {
    response.write(bytes.subarray(from, from + splitBytes));
    await tick();
  }
}

/** After what was written has left, so that the reader has seen it. */
async function destroySoon(response: ServerResponse): Promise<void> {
  await sleep(5);
  response.socket?.destroy();
}
