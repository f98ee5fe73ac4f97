// A real nginx of a test's own, on a free port, with its files in a temporary folder.
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { makeFolder } from './folder.ts';
import { spawnProcess } from './process.ts';
import { findProgram, freePort, notTested } from './programs.ts';
import { waitFor } from './wait_for.ts';

interface NginxOptions {
  /** What stands in `http`; `PORT` in it becomes the port to listen on. */
  readonly http: string;
  /** Whose its workers are, where this process may choose; left out: its own. */
  readonly user?: string;
}

/**
 * Starts one for this test, which ends with it. Where there is no nginx the test is skipped, and fails where CI is set:
 * `const nginx = await nginxOrSkip(t, { http }); if (nginx === null) return;`
 * @returns its address, `http://127.0.0.1:…`
 */
export async function nginxOrSkip(t: Test, { http, user = 'root' }: NginxOptions): Promise<string | null> {
  const program = findProgram(['nginx'], ['/usr/sbin', '/usr/local/sbin']);
  if (program === null) {
    notTested(t, 'there is no nginx on this machine');
    return null;
  }
  const folder = await makeFolder(t);
  // Its workers have to find the folders for what they buffer.
  await chmod(folder, 0o755);
  const port = await freePort();
  const file = join(folder, 'nginx.conf');
  await writeFile(file, configuration(folder, process.getuid?.() === 0 ? `user ${user};` : '', http.replaceAll('PORT', String(port))));
  const { process: master, output, exited } = spawnProcess(program, ['-p', folder, '-c', file]);
  // Not KILL: its workers would outlive it.
  const end = (): void => void master.kill('SIGTERM');
  process.on('exit', end);
  t.teardown(async () => {
    end();
    await exited;
    process.off('exit', end);
  });
  const url = `http://127.0.0.1:${port}`;
  await waitFor('nginx', async () => {
    if (master.exitCode !== null) throw new Error(`nginx has ended: ${output.stderr}`);
    // No server of these tests knows this path, be it nginx itself that answers.
    return fetch(`${url}/is-nginx-there`, { headers: { connection: 'close' } }).then((answer) => answer.text(), () => null);
  });
  return url;
}

function configuration(folder: string, user: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${join(folder, name)};`);
  return `${user}
daemon off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
error_log stderr;
events {}
http {
access_log off;
${temporary.join('\n')}
${http}
}
`;
}
