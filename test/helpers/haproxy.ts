// A real HAProxy of a test's own, with its configuration in a temporary folder.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { makeFolder } from './folder.ts';
import { spawnProcess } from './process.ts';
import { findProgram, notTested } from './programs.ts';
import { waitFor } from './wait_for.ts';

/**
 * Starts one for this test, which ends with it. Where there is no haproxy the test is skipped, and fails where CI is set:
 * `const logged = await haproxyOrSkip(t, { config, url }); if (logged === null) return;`
 * @param config the whole of it
 * @param url where it listens; it is there once it answers
 * @returns what it has logged so far, each time it is called
 */
export async function haproxyOrSkip(t: Test, { config, url }: { readonly config: string; readonly url: string }): Promise<(() => string) | null> {
  const program = findProgram(['haproxy'], ['/usr/sbin', '/usr/local/sbin']);
  if (program === null) {
    notTested(t, 'there is no haproxy on this machine');
    return null;
  }
  const file = join(await makeFolder(t), 'haproxy.cfg');
  await writeFile(file, config);
  const { process: child, output, exited } = spawnProcess(program, ['-db', '-f', file]);
  const end = (): void => void child.kill('SIGTERM');
  process.on('exit', end);
  t.teardown(async () => {
    end();
    await exited;
    process.off('exit', end);
  });
  const logged = (): string => output.stdout + output.stderr;
  await waitFor('haproxy', async () => {
    if (child.exitCode !== null) throw new Error(`haproxy has ended: ${logged()}`);
    return fetch(url, { headers: { connection: 'close' } }).then((answer) => answer.text(), () => null);
  });
  return logged;
}
