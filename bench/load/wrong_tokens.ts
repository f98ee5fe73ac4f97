// Callers with wrong tokens, each of which sends its next request when it has its answer: as many a second as the server answers, or as they want.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createDeviationLog } from './deviations.ts';
import type { WrongTokensJob, WrongTokensResult } from './jobs.ts';

/** A second: what the callers may send comes evenly, and not all at once. */
const PORTIONS = 100;
const STATUS_LINE = Buffer.from('HTTP/1.1 ');
const STATUS_END = STATUS_LINE.length + 3;
const ID_BYTES = 8;
const SECRET_BYTES = 16;

/** Each request with another token of the right form that there is not. */
export async function runWrongTokens({ port, path, perSecond, connections, durationMs }: WrongTokensJob): Promise<WrongTokensResult> {
  const deviations = createDeviationLog();
  const idle: Socket[] = [];
  let sent = 0;
  let answered = 0;
  const onStatus = (socket: Socket, status: string): void => {
    answered += 1;
    idle.push(socket);
    if (status !== '401' && status !== '429') deviations.add(`status ${status} for a wrong token`);
  };
  const sockets = await Promise.all(Array.from({ length: connections }, () => openConnection(port, onStatus)));
  idle.push(...sockets);
  const head = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer `;
  const began = performance.now();
  for (let now = began; now - began < durationMs; now = performance.now()) {
    const due = Math.floor(((now - began) / 1000) * perSecond);
    for (; sent < due; sent += 1) {
      const socket = idle.shift();
      if (socket === undefined) break;
      socket.write(`${head}${wrongToken()}\r\n\r\n`, 'latin1');
    }
    await delay(1000 / PORTIONS);
  }
  const elapsedS = (performance.now() - began) / 1000;
  if (sockets.some(({ destroyed }) => destroyed)) deviations.add('a connection of wrong tokens was closed');
  for (const socket of sockets) socket.destroy();
  return { perSecond: answered / elapsedS, deviations: deviations.result() };
}

/** Answers are looked at for their status alone. */
async function openConnection(port: number, onStatus: (socket: Socket, status: string) => void): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let carried: Buffer = Buffer.alloc(0);
  socket.on('error', () => undefined);
  socket.on('data', (piece: Buffer) => {
    const bytes = carried.length === 0 ? piece : Buffer.concat([carried, piece]);
    let from = 0;
    for (let at = bytes.indexOf(STATUS_LINE); at !== -1 && at + STATUS_END <= bytes.length; at = bytes.indexOf(STATUS_LINE, from)) {
      from = at + STATUS_END;
      onStatus(socket, bytes.toString('latin1', at + STATUS_LINE.length, from));
    }
    carried = bytes.subarray(Math.max(from, bytes.length - STATUS_END + 1));
  });
  return socket;
}

function wrongToken(): string {
  const digits = randomBytes(ID_BYTES + SECRET_BYTES).toString('hex');
  return `oas_${digits.slice(0, 2 * ID_BYTES)}_${digits.slice(2 * ID_BYTES)}`;
}
