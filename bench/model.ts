// The upstream model as a process of its own: both streaming APIs of OpenAI over raw sockets, so cheap that it is not what is measured.
import { createServer, type Socket } from 'node:net';
import { ANSWER, nowUs, stampToken, TOKEN_COUNT, TOKEN_INTERVAL_MS, TOKENS } from './answer.ts';
import { API_PATHS, APIS, PACES, type Api, type Pace } from './apis.ts';
import { readRequests, type UpstreamRequest } from './model/requests.ts';
import { SHAPES } from './model/shapes.ts';
import { createWheel } from './model/wheel.ts';

const STREAM_HEAD =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';

const routes = new Map<string, { readonly api: Api; readonly pace: Pace }>();
for (const api of APIS) for (const pace of PACES) routes.set(`/${pace}/v1${API_PATHS[api]}`, { api, pace });

const rendered = { chat_completions: renderAnswer('chat_completions'), responses: renderAnswer('responses') };
const wheel = createWheel(TOKEN_INTERVAL_MS);

const server = createServer({ noDelay: true }, (socket) => {
  // A client that hangs up in mid-answer is no failure of the model.
  socket.on('error', () => socket.destroy());
  readRequests(socket, (request) => answer(socket, request));
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address === 'object') process.send?.({ type: 'ready', port: address.port });
});
process.on('disconnect', () => process.exit());

function answer(socket: Socket, request: UpstreamRequest): void {
  const route = routes.get(request.path);
  if (route === undefined) return refuse(socket, '404 Not Found', `no such path: ${request.path}`);
  if (!request.body.includes('"stream":true')) return refuse(socket, '400 Bad Request', 'this model only streams');
  if (route.pace === 'fast') socket.write(rendered[route.api]);
  else sendPaced(socket, route.api);
}

/** The whole response, each event a chunk of its own as real upstreams send them. */
function renderAnswer(api: Api): Buffer {
  const shape = SHAPES[api];
  const events = [...shape.opening(), ...TOKENS.map((token, index) => shape.delta(token, index)), ...shape.closing(ANSWER)];
  return Buffer.from(STREAM_HEAD + events.map(chunk).join('') + LAST_CHUNK);
}

function sendPaced(socket: Socket, api: Api): void {
  const shape = SHAPES[api];
  let text = '';
  let sent = 0;
  socket.write(STREAM_HEAD + shape.opening().map(chunk).join(''), 'latin1');
  wheel.join(() => {
    if (socket.destroyed) return false;
    const token = stampToken(nowUs());
    text += token;
    const event = chunk(shape.delta(token, sent));
    sent += 1;
    const over = sent === TOKEN_COUNT;
    socket.write(over ? event + shape.closing(text).map(chunk).join('') + LAST_CHUNK : event, 'latin1');
    return !over;
  });
}

/** Events are ASCII: their length in characters is their length in bytes. */
function chunk(event: string): string {
  return `${event.length.toString(16)}\r\n${event}\r\n`;
}

function refuse(socket: Socket, status: string, message: string): void {
  const body = JSON.stringify({ error: { message, type: 'invalid_request_error', param: null, code: null } });
  socket.write(`HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
}
