// MCP servers that do not start: the agent does not load, and the reason names the entry.
import t from 'tap';
import { captureLog, freePort, mcpSettings, SCRIPTED } from '../../../../helpers/mcp.ts';
import { isAlive } from '../../../../helpers/processes.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { openMcpServers } from '../../../../../worker/chat/engine/mcp/servers.ts';

const scripted = (env: Record<string, string>) => ({ ...SCRIPTED, env });

t.test('the reason is told in one sentence, without what the server says of itself', async (t) => {
  const lines = captureLog(t);
  const cases: readonly [unknown, string, number][] = [
    [{ command: 'mcp-server-nowhere' }, 'mcps.files: the server cannot start: there is no command mcp-server-nowhere', 2],
    [{ command: './nowhere/server.sh' }, 'mcps.files: the server cannot start: there is no file server.sh', 2],
    [{ command: './agent.yaml' }, 'mcps.files: the server cannot start: there is no file agent.yaml', 2],
    [{ command: './quiet.yaml' }, 'mcps.files: the server cannot start: quiet.yaml is not executable', 2],
    [scripted({ FAIL: 'exit' }), 'mcps.files: the server ended (exit code 7)', 2],
    [scripted({ FAIL: 'error' }), 'mcps.files: the server answered the handshake with an error', 2],
    [{ url: `http://127.0.0.1:${await freePort()}/mcp` }, 'mcps.files: the server could not be reached (ECONNREFUSED)', 2],
    // A port that fetch refuses to speak to, whoever listens there.
    [{ url: 'http://127.0.0.1:1/mcp' }, 'mcps.files: the server could not be reached', 2],
    [{ ...SCRIPTED, only: ['echo', 'ehco'] }, 'mcps.files.only[1]: the server has no tool ehco; did you mean echo?', 4],
    [{ ...SCRIPTED, only: ['something'] }, 'mcps.files.only[0]: the server has no tool something; it has echo, env, about, wait, cancelled, die, fail, refuse, invalid, print, garble, change, big', 4],
  ];
  for (const [entry, message, line] of cases) {
    await t.rejects(openMcpServers(mcpSettings({ files: entry })), { name: 'AgentLoadError', message, line }, message);
  }
  t.ok(lines.includes('info MCP server files: cannot open /srv/secret: no such file'), 'its own words are in the log');
});

t.test('of several, the first of the file is told, and the others are closed', async (t) => {
  captureLog(t);
  const seen = new Set<number>();
  let left: readonly number[] = [];
  const changed = (_states: unknown, pids: readonly number[]) => {
    left = pids;
    for (const pid of pids) seen.add(pid);
  };
  const entries = { good: SCRIPTED, first: { command: 'nowhere-1' }, second: { command: 'nowhere-2' } };
  await t.rejects(openMcpServers(mcpSettings(entries, { changed })), { message: 'mcps.first: the server cannot start: there is no command nowhere-1' });
  t.strictSame([seen.size, left], [1, []]);
  t.notOk([...seen].some(isAlive));
});

nothingIsLeft(t);
