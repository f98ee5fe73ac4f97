// `status`, `restart` and `kill`: a server that runs is found, asked, and its answer shown.
import { findServer } from './manage/find_server.ts';
import { kill } from './manage/kill.ts';
import type { ManageCommand, ManageFlags } from './manage/option_table.ts';
import { restart } from './manage/restart.ts';
import { status } from './manage/status.ts';

/**
 * @param url of the server; undefined: the one that runs here
 * @throws UsageError; errors with an `exitCode` where it cannot be done, or the server is not as it should be
 */
export async function manage(command: ManageCommand, url: string | undefined, flags: ManageFlags): Promise<void> {
  const server = await findServer(command, url, flags);
  switch (command) {
    case 'status':
      return status(server, flags.json, print);
    case 'restart':
      return restart(server, print);
    case 'kill':
      return kill(server, print);
    default:
      command satisfies never;
  }
}

/** As one line, whatever a server has put into it. */
function print(line: string): void {
  process.stdout.write(`${line.replaceAll(/\p{Cc}/gu, ' ')}\n`);
}
