// A server as one would write it for PM2 or a process manager: an answer is the version in ten pieces, and a stop is server.close().
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';

const [port, versionFile] = [Number(process.env['PLAIN_PORT']), process.env['PLAIN_VERSION'] ?? ''];
const PIECES = 10;
const version = readFileSync(versionFile, 'utf8').trim();
const answer = ` ${version}`.repeat(PIECES);

/** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
async function handle(request, response) {
  const { message } = JSON.parse(await text(request));
  const ids = { session_id: randomUUID(), interaction_id: randomUUID() };
  if (request.url === '/chat') {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ response: answer, ...ids }));
    return;
  }
  response.setHeader('content-type', 'text/event-stream');
  let id = 0;
  const tell = (content) => response.write(`id: ${(id += 1)}\ndata: ${JSON.stringify({ content, ...ids })}\n\n`);
  tell({ type: 'start' });
  for (let piece = 0; piece < PIECES; piece += 1) {
    tell({ type: 'text', content: ` ${version}`, message: 1 });
    await sleep(Number(message));
  }
  tell({ type: 'output', content: answer });
  response.end('data: [DONE]\n\n');
}

const server = createServer((request, response) => void handle(request, response).catch(() => response.destroy()));
server.listen(port, '127.0.0.1', () => process.send?.('ready'));
const stop = () => server.close(() => process.exit(0));
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
