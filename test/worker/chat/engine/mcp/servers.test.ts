// The MCP servers of an agent over stdio: listed, called, and told about.
import t from 'tap';
import { callTool, captureLog, connected, EVERYTHING, openServers, SCRIPTED } from '../../../../helpers/mcp.ts';
import { makeContext } from '../../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { PROJECT } from '../../../../helpers/process.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';

t.test('a published server of the protocol\'s makers is listed and called', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { every: EVERYTHING });
  const { servers } = opened;
  const [facts] = servers.facts;
  t.match(facts, { name: 'every', transport: 'stdio', perInteraction: false });
  t.ok(facts?.tools.includes('get-sum'));
  const sum = servers.tools.find(({ name }) => name === 'every__get-sum');
  t.match(sum, { description: /sum of two numbers/i, parameters: { type: 'object', properties: { a: { type: 'number' } } }, timeoutMs: 30_000 });
  t.notOk(sum?.parameters['$schema']);
  t.strictSame(await callTool(servers.tools, 'every__get-sum', { a: 2, b: 40 }), { content: 'The sum of 2 and 40 is 42.', isError: false });
  t.match(await callTool(servers.tools, 'every__get-tiny-image'), { content: /\[image: image\/png, \d+ bytes\]/, isError: false });
  t.match(await callTool(servers.tools, 'every__get-sum', { a: 2 }), { content: /^The arguments are not valid: .*'b'/, isError: true });
  t.strictSame(opened.story.at(-1), 'connected');
});

t.test('another of theirs, which asks for folders: what it may not read is an error result', async (t) => {
  captureLog(t);
  const folder = `${PROJECT}/test/fixtures/mcp`;
  const files = { command: process.execPath, args: [`${PROJECT}/node_modules/@modelcontextprotocol/server-filesystem/dist/index.js`, folder] };
  const { servers } = await openServers(t, { files: { ...files, only: ['read_text_file', 'list_directory'] } });
  t.strictSame(servers.tools.map(({ name }) => name).toSorted(), ['files__list_directory', 'files__read_text_file']);
  t.match(await callTool(servers.tools, 'files__list_directory', { path: folder }), { content: /\[FILE\] stdio_server\.mjs/, isError: false });
  t.match(await callTool(servers.tools, 'files__read_text_file', { path: '/etc/passwd' }), { content: /denied|outside/i, isError: true });
});

t.test('a call is told in the words of the server, whatever becomes of it', async (t) => {
  captureLog(t);
  const { servers } = await openServers(t, { s: SCRIPTED });
  const call = (name: string, args?: unknown) => callTool(servers.tools, `s__${name}`, args);
  t.strictSame(await call('echo', { text: 'a\nb' }), { content: 'a\nb', isError: false });
  t.strictSame(await call('fail', { text: 'the disk is full' }), { content: 'the disk is full', isError: true });
  t.strictSame(await call('refuse'), { content: 'no such luck', isError: true });
  t.strictSame(await call('invalid'), { content: 'The MCP server s sent an answer that is not valid MCP.', isError: true });
  t.equal((await call('big', { units: 1024 * 1024 + 1 })).content.slice(1024 * 1024), '\n[cut: 1 more characters]');
  t.strictSame(await call('echo', []), { content: 'The arguments are not valid: arguments: must be object.', isError: true });
  t.strictSame(await call('echo', { text: 'still here' }), { content: 'still here', isError: false });
});

t.test('a process has an environment, a folder and a log of its own', async (t) => {
  const lines = captureLog(t);
  const env = { PATH: process.env['PATH'] ?? '', OPENAI_API_KEY: 'sk-of-the-server', GIVEN: 'given-value' };
  const { servers } = await openServers(t, { s: { ...SCRIPTED, env: { MINE: '{{GIVEN}}' }, cwd: '../mcp' } }, { env });
  const about = JSON.parse((await callTool(servers.tools, 's__about')).content) as { cwd: string; env: Record<string, string> };
  t.equal(about.cwd, `${PROJECT}/test/fixtures/mcp`);
  // The test runner puts itself into every process that a test starts.
  const own = Object.keys(about.env).filter((name) => name !== 'NODE_OPTIONS' && !name.startsWith('_TAPJS'));
  t.strictSame(own.toSorted(), ['MINE', 'PATH']);
  await callTool(servers.tools, 's__print', { text: 'I know given-value', count: 1 });
  await waitFor('the line', () => lines.length > 0);
  t.strictSame(lines, ['info MCP server s: I know ***']);
  await callTool(servers.tools, 's__garble', { text: 'no message' });
  t.strictSame(lines.at(-1), 'info MCP server s: no message');
});

t.test('pages are read to their end; a list that changes is read again, and the array is another only then', async (t) => {
  captureLog(t);
  const { servers } = await openServers(t, { s: { ...SCRIPTED, env: { PAGES: '5' } } });
  t.equal(servers.tools.length, 13);
  const before = servers.tools;
  await callTool(servers.tools, 's__echo', { text: 'x' });
  t.equal(servers.tools, before);
  await callTool(servers.tools, 's__change', { name: 'added' });
  await waitFor('the new tool', () => servers.tools.some(({ name }) => name === 's__added'));
  t.not(servers.tools, before);
  t.strictSame(await callTool(servers.tools, 's__added', { a: 1 }), { content: 'called added {"a":1}', isError: false });
});

t.test('tools that cannot be told to a model are left out, and it is logged', async (t) => {
  const lines = captureLog(t);
  const schema = { type: 'object', properties: { a: { type: 'nothing' } } };
  const tools = [
    { name: 'odd', description: 'd'.repeat(5000), inputSchema: schema },
    { name: 'odd', inputSchema: { type: 'object' } },
    { name: 'fat', inputSchema: { type: 'object', description: 'x'.repeat(70_000) } },
    ...Array.from({ length: 600 }, (_, index) => ({ name: `t${index}`, inputSchema: { type: 'object' } })),
  ];
  const { servers } = await openServers(t, { s: { ...SCRIPTED, env: { TOOLS: JSON.stringify(tools) } } });
  t.equal(servers.tools.length, 512);
  t.notOk(servers.tools.some(({ name }) => name === 's__fat'));
  t.equal(servers.tools.find(({ name }) => name === 's__odd')?.description.length, 4096);
  t.strictSame(await callTool(servers.tools, 's__odd', { a: 'x' }), { content: 'called odd {"a":"x"}', isError: false });
  await callTool(servers.tools, 's__odd', { a: 'y' });
  t.strictSame(lines, [
    'warn MCP server s: it lists the tool odd twice; the second is left out',
    'warn MCP server s: the tool fat is left out: the schema of its arguments is too large',
    'warn MCP server s: it lists more than an agent can be given; the first 512 tools are used',
    'warn MCP server s: the schema of the arguments of odd cannot be used; the server itself checks them',
  ]);
});

t.test('a cancel reaches the server, and its answer is not waited for', async (t) => {
  captureLog(t);
  const { servers } = await openServers(t, { s: SCRIPTED });
  const abort = new AbortController();
  const waiting = callTool(servers.tools, 's__wait', {}, makeContext({ signal: abort.signal }));
  await callTool(servers.tools, 's__echo', { text: 'so it has arrived' });
  abort.abort(new Error('nobody reads on'));
  await t.rejects(waiting, { message: 'nobody reads on' });
  await waitFor('the news', async () => (await callTool(servers.tools, 's__cancelled')).content.includes('nobody reads on'));
});

t.test('many calls at once get their own answers', async (t) => {
  captureLog(t);
  const { servers } = await openServers(t, { s: SCRIPTED });
  const texts = Array.from({ length: 200 }, (_, index) => `${index} ${'é'.repeat(index * 10)}`);
  const answers = await Promise.all(texts.map(async (text) => (await callTool(servers.tools, 's__echo', { text })).content));
  t.strictSame(answers, texts);
});

t.test('states and processes are told, under the name of the agent that has them', async (t) => {
  captureLog(t);
  const opened = await openServers(t, { one: SCRIPTED, two: SCRIPTED }, { prefix: 'billing' });
  await connected(opened);
  t.strictSame(opened.states(), [{ name: 'billing/one', state: 'connected', error: null }, { name: 'billing/two', state: 'connected', error: null }]);
  t.equal(opened.pids().length, 2);
  t.equal(opened.servers.facts[1]?.name, 'billing/two');
  t.ok(opened.servers.tools.some(({ name }) => name === 'two__echo'));
  t.equal(await opened.servers.openForInteraction(makeContext()), null);
  await opened.servers.close();
  t.strictSame(opened.pids(), []);
});

nothingIsLeft(t);
