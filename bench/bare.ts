// The opponent: what a competent engineer writes in an afternoon, one thread of node:http that proxies chats to a model.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parseArgs } from 'node:util';
import { INSTRUCTIONS, MODEL_ID } from './agent_file.ts';
import { APIS, type Api } from './apis.ts';
import { createUpstream, type Completion, type Upstream } from './bare/upstream.ts';

const { values: flags } = parseArgs({ options: { 'base-url': { type: 'string' }, api: { type: 'string' } } });
const upstream = createUpstream({
  baseUrl: flags['base-url'] ?? 'https://api.openai.com/v1',
  api: APIS.find((api): api is Api => api === flags.api) ?? 'chat_completions',
  apiKey: process.env['OPENAI_API_KEY'] ?? '',
  modelId: MODEL_ID,
  systemPrompt: INSTRUCTIONS,
});
const model = { model_id: MODEL_ID, provider: 'openai' };

const server = createServer((req, res) => {
  route(req, res, upstream).catch((error: unknown) => fail(res, 502, error instanceof Error ? error.message : String(error)));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') console.log(`bare: ready on http://127.0.0.1:${address.port}`);
});

async function route(req: IncomingMessage, res: ServerResponse, model: Upstream): Promise<void> {
  if (req.method !== 'POST' || (req.url !== '/chat' && req.url !== '/chat/stream')) return fail(res, 404, 'Not Found');
  const message = await readMessage(req);
  if (message === null) return fail(res, 422, 'message: expected a string');
  const gone = new AbortController();
  res.on('close', () => {
    if (!res.writableFinished) gone.abort();
  });
  if (req.url === '/chat') await chat(res, message, model, gone.signal);
  else await chatStream(res, message, model, gone.signal);
}

async function readMessage(req: IncomingMessage): Promise<string | null> {
  req.setEncoding('utf8');
  let text = '';
  for await (const piece of req) text += piece;
  const body: unknown = JSON.parse(text);
  return typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string' ? body.message : null;
}

async function chat(res: ServerResponse, message: string, model: Upstream, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  let firstToken = 0;
  let text = '';
  const completion = await model.complete(message, signal, (delta) => {
    if (text === '') firstToken = performance.now();
    text += delta;
  });
  const timing = { queue_ms: 0, time_to_first_token_ms: firstToken - started, total_ms: performance.now() - started };
  const content = output(text, completion);
  const body = JSON.stringify({ response: text, session_id: randomUUID(), interaction_id: randomUUID(), content, timing });
  res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) });
  res.end(body);
}

async function chatStream(res: ServerResponse, message: string, upstreamModel: Upstream, signal: AbortSignal): Promise<void> {
  const session_id = randomUUID();
  const interaction_id = randomUUID();
  res.writeHead(200, {
    'Content-Type': 'text/event-stream',
    'Cache-Control': 'no-store',
    'X-Accel-Buffering': 'no',
    'X-Interaction-ID': interaction_id,
    'X-Session-ID': session_id,
  });
  let number = 0;
  const send = (content: unknown) => res.write(`id: ${++number}\ndata: ${JSON.stringify({ content, session_id, interaction_id })}\n\n`);

  send({ type: 'start', agent: 'bare', model });
  let text = '';
  const onDelta = (delta: string) => {
    text += delta;
    send({ type: 'text', content: delta, message: 1 });
  };
  const drained = async () => {
    if (res.writableNeedDrain) await once(res, 'drain', { signal });
  };
  const completion = await upstreamModel.complete(message, signal, onDelta, drained);
  send({ type: 'output', ...output(text, completion) });
  res.end('data: [DONE]\n\n');
}

/** The content object, with the members that contract and clients expect. */
function output(content: string, { usage, finishReason }: Completion) {
  return { content, agent: 'bare', model, token_usage: usage, finish_reason: finishReason, tool_calls: [] };
}

function fail(res: ServerResponse, status: number, detail: string): void {
  if (res.headersSent) return void res.destroy();
  res.writeHead(status, { 'Content-Type': 'application/problem+json' });
  res.end(JSON.stringify({ type: 'about:blank', status, detail }));
}
