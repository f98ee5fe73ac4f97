// `chat` and a real server: found by its data directory, talked to, and taken up again when the connection breaks.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { makeFolder } from '../../helpers/folder.ts';
import { runCommand, startServer } from '../../helpers/process.ts';

const PIECES = 40;
const AGENT = `import { setTimeout as delay } from 'node:timers/promises';
export default async function* ({ message }) {
  for (let i = 0; i < ${PIECES}; i += 1) {
    yield message + i + ' ';
    await delay(5);
  }
}
`;
const ANSWER = `${Array.from({ length: PIECES }, (_, i) => `piece${i} `).join('')}\n`;

async function serve(t: Test) {
  const cwd = await makeFolder(t, { 'agents/slow.mjs': AGENT });
  const server = await startServer({ agent: 'slow', args: ['--host', '127.0.0.1', '--workers', '1'], cwd });
  t.teardown(() => server.stop());
  return { ...server, cwd };
}

/** Passes connections on to the server, and breaks the first one when it has brought `cutAt`. */
async function startBreakingProxy(t: Test, url: string, cutAt: string): Promise<string> {
  const sockets = new Set<Socket>();
  let cut = false;
  const proxy = createServer((client) => {
    const upstream = connect(Number(new URL(url).port), '127.0.0.1');
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}));
    client.pipe(upstream).pipe(client);
    upstream.on('data', (chunk: Buffer) => {
      if (cut || !chunk.includes(cutAt)) return;
      cut = true;
      setImmediate(() => [client, upstream].forEach((socket) => socket.destroy()));
    });
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    sockets.forEach((socket) => socket.destroy());
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
}

t.test('the server is found by its data directory, and answers', async (t) => {
  const { cwd, dataDir } = await serve(t);
  t.match(await runCommand(['chat'], { cwd, stdin: 'piece\n', env: { OAI_DATA_DIR: dataDir } }), { code: 0, stdout: ANSWER, stderr: '' });
});

t.test('it is found as the other commands find it: by .env, and by options; where none runs, nobody is asked', async (t) => {
  const { cwd, dataDir } = await serve(t);
  const elsewhere = await makeFolder(t, { '.env': `OAI_DATA_DIR=${dataDir}\n` });
  const talk = (folder: string, ...words: string[]) => runCommand(['chat', ...words], { cwd: folder, stdin: 'piece\n' });
  t.match(await talk(elsewhere), { code: 0, stdout: ANSWER });
  t.match(await talk(cwd, '--config-root', elsewhere), { code: 0, stdout: ANSWER });
  t.match(await talk(cwd, '--data-dir', dataDir), { code: 0, stdout: ANSWER });
  t.match(await talk(cwd, '--agent', 'other', '--data-dir', dataDir), { code: 1, stdout: '', stderr: /^oai-agent-server: no server of other runs in / });
  const none = /^oai-agent-server: no server runs in any data directory below \.oai-agent-server: name its data directory with --data-dir, or its URL\n$/;
  t.match(await talk(await makeFolder(t)), { code: 1, stdout: '', stderr: none });
});

t.test('an answer whose connection breaks comes whole, each piece once', async (t) => {
  const { url, cwd } = await serve(t);
  const proxy = await startBreakingProxy(t, url, 'piece9');
  t.match(await runCommand(['chat', proxy], { cwd, stdin: 'piece\n' }), { code: 0, stdout: ANSWER, stderr: '' });
});

const READER = `import { readFile } from 'node:fs/promises';
export default async function* ({ message }, { files }) {
  yield message;
  for (const { name, type, path } of files) yield ' ' + name + ' ' + type + ' ' + (await readFile(path, 'utf8'));
}
`;

t.test('/file sends a file with the next message, and with that one only', async (t) => {
  const cwd = await makeFolder(t, { 'agents/reader.mjs': READER, 'a note.txt': 'remember', 'b.json': '{"b":1}' });
  const server = await startServer({ agent: 'reader', args: ['--host', '127.0.0.1', '--workers', '1'], cwd });
  t.teardown(() => server.stop());
  const talk = (stdin: string) => runCommand(['chat', server.url], { cwd, stdin });
  t.match(await talk('/file "a note.txt"\n/file b.json\nfirst\nsecond\n'), {
    code: 0,
    stdout: 'first a note.txt text/plain remember b.json text/plain {"b":1}\nsecond\n',
  });
  t.match(await talk('/file none.txt\n/file\nfirst\n'), {
    code: 1,
    stdout: 'first\n',
    stderr: new RegExp(`^error: /file: there is no file ${cwd}/none\\.txt\nerror: /file: expected a path, such as /file photo\\.png\n$`),
  });
});
