// Proves that a test file has let go of everything: the process would end by itself.
import type { Test } from 'tap';
import { waitFor } from './wait_for.ts';

const KINDS = new Set(['TCPSocketWrap', 'TCPServerWrap', 'TCPConnectWrap', 'TLSWrap', 'ProcessWrap', 'MessagePort', 'Worker', 'FSReqPromise']);

/** The last test of a file: waits until no socket, server, process or thread is left. */
export function nothingIsLeft(t: Test): void {
  t.test('nothing is left behind', async () => {
    await waitFor(`the end of ${openResources().join(', ')}`, () => openResources().length === 0, 3_000);
  });
}

function openResources(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => KINDS.has(kind));
}
