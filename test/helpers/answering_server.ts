// A server of one handler in this process, whose failures are told as the real one's are.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';
import { sendProblem, toAppError } from '../../supervisor/http/problem.ts';

/** @param handle answers with what it resolves to, as JSON @returns the server's address; it ends with the test */
export async function answerWith(t: Test, handle: (request: IncomingMessage, response: ServerResponse) => Promise<unknown>): Promise<string> {
  const server = createServer((request, response) => {
    handle(request, response).then(
      (value) => response.end(JSON.stringify(value)),
      (error: unknown) => sendProblem(response, toAppError(error), 'id'),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
