// MCP servers over streamable HTTP: listed, called, lost and found again.
import t, { type Test } from 'tap';
import { startMcpHttpServer, type McpHttpServer } from '../../../../fixtures/mcp/http_server.ts';
import { callTool, captureLog, connected, EVERYTHING, freePort, openServers } from '../../../../helpers/mcp.ts';
import { makeContext } from '../../../../helpers/interaction.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { spawnProcess } from '../../../../helpers/process.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';

async function start(t: Test, port = 0): Promise<McpHttpServer> {
  const server = await startMcpHttpServer(port);
  t.teardown(() => server.close());
  return server;
}

const portOf = ({ url }: McpHttpServer): number => Number(new URL(url).port);

t.test('a published server of the protocol\'s makers: called, killed in mid-call, and found again', async (t) => {
  captureLog(t);
  const port = await freePort();
  const run = async () => {
    const spawned = spawnProcess(EVERYTHING.command, [...EVERYTHING.args, 'streamableHttp'], { env: { PORT: String(port) } });
    t.teardown(() => spawned.process.kill('SIGKILL'));
    await waitFor('the server', () => spawned.output.stderr.includes('listening on port'), 30_000);
    return spawned;
  };
  const first = await run();
  const opened = await openServers(t, { every: { url: `http://127.0.0.1:${port}/mcp`, timeout_ms: 60_000 } });
  const { tools } = opened.servers;
  t.strictSame(await callTool(tools, 'every__get-sum', { a: 2, b: 40 }), { content: 'The sum of 2 and 40 is 42.', isError: false });
  t.match(await callTool(tools, 'every__get-sum', { a: 'x', b: 40 }), { isError: true });
  const long = callTool(tools, 'every__trigger-long-running-operation', { duration: 60, steps: 2 });
  await callTool(tools, 'every__echo', { message: 'so it has arrived' });
  const began = performance.now();
  first.process.kill('SIGKILL');
  await first.exited;
  t.match(await long, { content: /^The MCP server every (went away|could not be reached|broke off)/, isError: true });
  t.ok(performance.now() - began < 5000);
  await waitFor('the loss', () => opened.states()[0]?.state !== 'connected');
  t.match(await callTool(tools, 'every__echo', { message: 'x' }), { content: 'The MCP server every is down.', isError: true });
  await run();
  await connected(opened);
  t.strictSame(await callTool(tools, 'every__echo', { message: 'again' }), { content: 'Echo: again', isError: false });
  t.equal(opened.servers.tools, tools);
});

t.test('answers come as JSON or as a stream of events', async (t) => {
  captureLog(t);
  const server = await start(t);
  const { servers } = await openServers(t, { web: { url: server.url, headers: { 'X-Key': 'k-12345678' } } });
  t.match(servers.facts, [{ name: 'web', transport: 'http', perInteraction: false, tools: server.tools }]);
  t.strictSame(await callTool(servers.tools, 'web__echo', { a: 1 }), { content: 'echo {"a":1}', isError: false });
  server.streams = true;
  t.strictSame(await callTool(servers.tools, 'web__echo', { a: 2 }), { content: 'echo {"a":2}', isError: false });
  t.ok(server.requests.every(({ headers }) => headers['x-key'] === 'k-12345678'));
  await servers.close();
  t.equal(server.requests.at(-1)?.verb, 'DELETE', 'the session is given back');
  await waitFor('the end of its connections', async () => (await server.open()) === 0);
});

t.test('a server that forgets the session is given another, and the call is repeated once', async (t) => {
  captureLog(t);
  const server = await start(t);
  const opened = await openServers(t, { web: { url: server.url } });
  await waitFor('a second, after which it may be tried again', async () => {
    const began = performance.now();
    return waitFor('a second', () => performance.now() - began > 1000);
  });
  server.sessions.clear();
  t.strictSame(await callTool(opened.servers.tools, 'web__echo', { a: 1 }), { content: 'echo {"a":1}', isError: false });
  t.equal(server.sessions.size, 1);
  t.equal(server.requests.filter(({ method }) => method === 'tools/call').length, 2);
});

t.test('a list that changes is read again', async (t) => {
  captureLog(t);
  const server = await start(t);
  const { servers } = await openServers(t, { web: { url: server.url } });
  await waitFor('the stream of news', () => server.requests.some(({ verb }) => verb === 'GET'));
  server.tools = [...server.tools, 'added'];
  server.notify('notifications/tools/list_changed');
  await waitFor('the new tool', () => servers.tools.some(({ name }) => name === 'web__added'));
});

t.test('an answer that breaks off is an error at once, and the server is as it was', async (t) => {
  captureLog(t);
  const server = await start(t);
  const opened = await openServers(t, { web: { url: server.url, timeout_ms: 60_000 } });
  server.streams = true;
  for (const tool of ['drop', 'end']) t.strictSame(await callTool(opened.servers.tools, `web__${tool}`), { content: 'The MCP server web broke off in mid-call.', isError: true });
  server.streams = false;
  t.match(await callTool(opened.servers.tools, 'web__drop'), { content: /^The MCP server web went away/, isError: true });
  await connected(opened);
  t.strictSame(await callTool(opened.servers.tools, 'web__echo'), { content: 'echo {}', isError: false });
});

t.test('a status that is none of success is told without the body', async (t) => {
  captureLog(t);
  const server = await start(t);
  const opened = await openServers(t, { web: { url: server.url } });
  for (const [status, content] of [[401, 'refused the credentials (status 401)'], [403, 'refused the credentials (status 403)'], [500, 'answered with status 500']] as const) {
    server.status = status;
    t.strictSame(await callTool(opened.servers.tools, 'web__echo'), { content: `The MCP server web ${content}.`, isError: true });
    t.equal(opened.states()[0]?.state, 'connected');
  }
  server.status = 503;
  t.strictSame(await callTool(opened.servers.tools, 'web__echo'), { content: 'The MCP server web answered with status 503.', isError: true });
  t.match(opened.states(), [{ state: /down|connecting/, error: 'answered with status 503' }]);
  server.status = null;
  await connected(opened);
});

t.test('headers are never sent on to another origin', async (t) => {
  captureLog(t);
  const [server, other] = [await start(t), await start(t)];
  const { servers } = await openServers(t, { web: { url: server.url, headers: { Authorization: 'Bearer of-this-server' } } });
  server.redirect = other.url;
  t.match(await callTool(servers.tools, 'web__echo'), { content: /^The MCP server web answered with status 307, a redirect to elsewhere/, isError: true });
  t.strictSame(other.requests, []);
});

t.test('an answer that is too large is an error, and costs no more than that', async (t) => {
  captureLog(t);
  const server = await start(t);
  const opened = await openServers(t, { web: { url: server.url } });
  for (const streams of [false, true]) {
    server.streams = streams;
    t.match(await callTool(opened.servers.tools, 'web__huge', { units: 17 * 1024 * 1024 }), { content: /^The MCP server web /, isError: true });
    await connected(opened);
  }
  t.equal((await callTool(opened.servers.tools, 'web__huge', { units: 10 })).content, 'x'.repeat(10));
});

t.test('a cancel reaches the server, and closes the stream that the answer would have come on', async (t) => {
  captureLog(t);
  const server = await start(t);
  server.streams = true;
  const { servers } = await openServers(t, { web: { url: server.url } });
  const abort = new AbortController();
  const waiting = callTool(servers.tools, 'web__wait', {}, makeContext({ signal: abort.signal }));
  const call = await waitFor('the call', () => server.requests.find(({ method }) => method === 'tools/call'));
  abort.abort(new Error('nobody reads on'));
  await t.rejects(waiting, { message: 'nobody reads on' });
  await waitFor('the news', () => server.requests.some(({ method }) => method === 'notifications/cancelled'));
  await call.closed;
});

t.test('a server that is gone and comes back elsewhere in time is found again, without a call', async (t) => {
  captureLog(t);
  const server = await start(t);
  const opened = await openServers(t, { web: { url: server.url } });
  await waitFor('the stream of news', () => server.requests.some(({ verb }) => verb === 'GET'));
  await server.close();
  await waitFor('the loss', () => opened.states()[0]?.state !== 'connected');
  t.match(opened.states()[0]?.error, /^(could not be reached \(ECONNREFUSED\)|went away)/);
  const again = await start(t, portOf(server));
  await connected(opened);
  t.equal(again.sessions.size, 1);
});

t.test('a server that ends its streams of news at once is not asked for ever more of them', async (t) => {
  captureLog(t);
  const server = await start(t);
  server.news = 'short';
  const opened = await openServers(t, { web: { url: server.url } });
  const asked = () => server.requests.filter(({ verb }) => verb === 'GET').length;
  await waitFor('the third', () => asked() === 3);
  const began = performance.now();
  await waitFor('longer than between the others', () => performance.now() - began > 2000);
  t.equal(asked(), 3);
  t.strictSame(opened.story, ['connecting', 'connected']);
});

t.test('a server without a stream of news is found lost by the next call, which tries again', async (t) => {
  captureLog(t);
  const server = await start(t);
  server.news = false;
  const opened = await openServers(t, { web: { url: server.url } });
  await callTool(opened.servers.tools, 'web__echo');
  await server.close();
  t.match(await callTool(opened.servers.tools, 'web__echo'), { content: /^The MCP server web (is down|went away)/, isError: true });
  const again = await start(t, portOf(server));
  again.news = false;
  await connected(opened);
  t.strictSame(await callTool(opened.servers.tools, 'web__echo'), { content: 'echo {}', isError: false });
});

nothingIsLeft(t);
