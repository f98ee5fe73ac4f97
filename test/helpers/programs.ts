// Programs of the machine that tests run and npm does not bring: where they are, and what becomes of a test without them.
import { accessSync, constants } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import type { Test } from 'tap';

/** @param names the first that there is counts @param folders looked through before the PATH @returns its path; null where there is none */
export function findProgram(names: readonly string[], folders: readonly string[]): string | null {
  const places = [...folders, ...(process.env['PATH'] ?? '').split(delimiter)];
  return names.flatMap((name) => places.map((folder) => join(folder, name))).find(isExecutable) ?? null;
}

/** Says loudly that a test did not run; where CI is set, it has failed. */
export function notTested(t: Test, reason: string): void {
  const text = `NOT TESTED: ${reason}`;
  if (process.env['CI']) t.fail(text);
  else t.pass(text, { skip: text });
}

/** A port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
