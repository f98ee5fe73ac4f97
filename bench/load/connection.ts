// One kept-alive connection that asks the same again and again, and holds each answer against its check.
import { once } from 'node:events';
import { connect } from 'node:net';
import { QUESTION } from '../answer.ts';
import type { Check } from './checks.ts';
import type { Target } from './jobs.ts';
import { createResponseReader } from './response_reader.ts';

export interface Connection {
  /** Sends the request and waits for the end of its answer: null if that was whole, else what was wrong. */
  readonly exchange: () => Promise<string | null>;
  readonly isOpen: () => boolean;
  readonly close: () => void;
}

// All connections read into the same buffer: each read is handed over before the next one begins.
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Opens a connection to the target. */
export async function openConnection(target: Target, check: Check): Promise<Connection> {
  const request = renderRequest(target);
  let settle: ((verdict: string | null) => void) | null = null;
  let open = true;

  const end = (verdict: string | null) => {
    settle?.(verdict);
    settle = null;
  };
  const read = createResponseReader({ status: check.status, body: check.body, end: () => end(check.finish()) });
  const callback = (length: number) => {
    read(buffer.subarray(0, length));
    return true;
  };
  const socket = connect({ port: target.port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
  await once(socket, 'connect');
  socket.on('error', (error) => end(`connection failed: ${error.message}`));
  socket.on('close', () => {
    open = false;
    end('connection closed in mid-answer');
  });

  const exchange = () =>
    new Promise<string | null>((resolve) => {
      settle = resolve;
      socket.write(request);
    });
  return { exchange, isOpen: () => open, close: () => socket.destroy() };
}

function renderRequest(target: Target): Buffer {
  const body =
    target.kind === 'model'
      ? `{"model":"bench-model","stream":true,"messages":[{"role":"user","content":"${QUESTION}"}]}`
      : `{"message":"${QUESTION}"}`;
  const head = `POST ${target.path} HTTP/1.1\r\nHost: 127.0.0.1:${target.port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}`;
  return Buffer.from(`${head}\r\n\r\n${body}`);
}
