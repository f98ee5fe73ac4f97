// The servers of this machine: what their data directories say of them, as long as their processes live.
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { dataDirsBelow, findLiveServers } from '../../bin/live_servers.ts';
import { makeFolder } from '../helpers/folder.ts';

/** No process has this id: Linux gives none above 4,194,304. */
const DEAD = 99_999_999;
const server = (port: number, pid = process.pid) => JSON.stringify({ pid, url: `http://127.0.0.1:${port}`, agent: 'a' });

t.test('those below a folder whose process lives, the newest first', async (t) => {
  const folder = await makeFolder(t, {
    '.oai-agent-server/old/server.json': server(1),
    '.oai-agent-server/new/server.json': server(2),
    '.oai-agent-server/dead/server.json': server(3, DEAD),
    '.oai-agent-server/orphan/server.json': JSON.stringify({ pid: DEAD, supervisor_pid: process.pid, url: 'http://127.0.0.1:5' }),
    '.oai-agent-server/group/server.json': server(4, 0),
    '.oai-agent-server/broken/server.json': '{',
    '.oai-agent-server/odd/server.json': JSON.stringify({ pid: process.pid, url: 'file:///etc/passwd' }),
    '.oai-agent-server/empty/x': '',
  });
  await utimes(join(folder, '.oai-agent-server/old/server.json'), 1000, 1000);
  await utimes(join(folder, '.oai-agent-server/orphan/server.json'), 900, 900);
  const found = await findLiveServers(await dataDirsBelow(folder));
  t.strictSame(found.map(({ url }) => url), ['http://127.0.0.1:2', 'http://127.0.0.1:1', 'http://127.0.0.1:5']);
});

t.test('a folder without any has none', async (t) => {
  t.strictSame(await dataDirsBelow(await makeFolder(t)), []);
});
