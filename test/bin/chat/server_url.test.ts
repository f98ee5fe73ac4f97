// `chat` without a URL talks to the newest server that still runs.
import { utimes } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { findServerUrl } from '../../../bin/chat/server_url.ts';
import { makeFolder } from '../../helpers/folder.ts';

/** No process has this id: Linux gives none above 4,194,304. */
const DEAD = 99_999_999;
const server = (port: number, pid = process.pid) => JSON.stringify({ pid, url: `http://127.0.0.1:${port}`, agent: 'a' });

t.test('the newest server below the folder whose process lives is taken', async (t) => {
  const folder = await makeFolder(t, {
    '.oai-agent-server/old/server.json': server(1),
    '.oai-agent-server/new/server.json': server(2),
    '.oai-agent-server/dead/server.json': server(3, DEAD),
    '.oai-agent-server/group/server.json': server(4, 0),
    '.oai-agent-server/broken/server.json': '{',
    '.oai-agent-server/odd/server.json': JSON.stringify({ pid: process.pid, url: 'file:///etc/passwd' }),
    '.oai-agent-server/empty/x': '',
  });
  await utimes(join(folder, '.oai-agent-server/old/server.json'), 1000, 1000);
  t.equal(await findServerUrl(folder, undefined), 'http://127.0.0.1:2');
});

t.test('a data directory that is named is the only one that counts', async (t) => {
  const folder = await makeFolder(t, { '.oai-agent-server/a/server.json': server(1), 'data/server.json': server(2), 'none/x': '' });
  t.equal(await findServerUrl(folder, join(folder, 'data')), 'http://127.0.0.1:2');
  t.equal(await findServerUrl(folder, join(folder, 'none')), 'http://127.0.0.1:8000');
});

t.test('without any it is port 8000 of this machine', async (t) => {
  t.equal(await findServerUrl(await makeFolder(t), undefined), 'http://127.0.0.1:8000');
});
