// An entry of `mcps`: what it means in an environment, and what it may not say.
import { join } from 'node:path';
import t from 'tap';
import { readEntry, type EntrySettings, type McpEntry } from '../../../../../worker/chat/engine/mcp/entry.ts';
import type { HttpTarget, StdioTarget } from '../../../../../worker/chat/engine/mcp/target.ts';
import { AGENT_FILE, mcpSettings } from '../../../../helpers/mcp.ts';
import { PROJECT } from '../../../../helpers/process.ts';

const FOLDER = join(PROJECT, 'test/fixtures/agents');
/** The commands of the packages above the agent's file come first. */
const PATH_WITH_PACKAGES = `${PROJECT}/node_modules/.bin:/bin`;

function read(entry: unknown, settings: Partial<EntrySettings> = {}): McpEntry {
  const { definitions, ...rest } = mcpSettings({ files: entry }, settings);
  return readEntry('files', definitions['files'] as NonNullable<(typeof definitions)['files']>, rest);
}

t.test('a process gets what it needs to run, the variables of its entry, and nothing else of the server', async (t) => {
  const env = { PATH: '/bin', HOME: '/home/me', TERM: '() { :; }', OPENAI_API_KEY: 'sk-secret', TOKEN: 't-12345678' };
  const entry = read({ command: 'npx', args: ['-y', 'x', '--at={{ HOME }}'], env: { API: 'key {{TOKEN}}' } }, { env });
  t.strictSame(entry.target(null), {
    transport: 'stdio',
    command: 'npx',
    args: ['-y', 'x', '--at=/home/me'],
    env: { HOME: '/home/me', PATH: PATH_WITH_PACKAGES, API: 'key t-12345678' },
    cwd: FOLDER,
    secrets: ['sk-secret', 't-12345678', '/home/me'].toSorted((a, b) => b.length - a.length),
  });
  t.strictSame([entry.transport, entry.requestVariables, entry.timeoutMs], ['stdio', [], 30_000]);
});

t.test('its values are those of the start, whatever becomes of the environment', async (t) => {
  const env: Record<string, string> = { TOKEN: 'first' };
  const entry = read({ command: 'x', env: { TOKEN: '{{TOKEN}}' } }, { env });
  env['TOKEN'] = 'second';
  t.equal((entry.target(null) as StdioTarget).env['TOKEN'], 'first');
});

t.test('a command that is a path, and cwd, are relative to the file', async (t) => {
  const { command, cwd } = read({ command: './tools/run.sh', cwd: './tools' }).target(null) as StdioTarget;
  t.strictSame([command, cwd], [join(FOLDER, 'tools/run.sh'), join(FOLDER, 'tools')]);
});

t.test('a variable of request_env makes the connection the interaction\'s own', async (t) => {
  const env = { REGION: 'eu', PATH: '/bin' };
  const requestEnv = ['TOKEN', 'TENANT'];
  const url = read({ url: 'https://{{REGION}}.example.com/mcp?for={{TENANT}}', headers: { Authorization: 'Bearer {{TOKEN}}' } }, { env, requestEnv });
  t.strictSame(url.requestVariables, ['TENANT', 'TOKEN']);
  const target = url.target({ TOKEN: 'abc', TENANT: 'a&b=c/../é', REGION: 'ignored' }) as HttpTarget;
  t.equal(target.url.href, 'https://eu.example.com/mcp?for=a%26b%3Dc%2F..%2F%C3%A9');
  t.strictSame(target.headers, { Authorization: 'Bearer abc' });
  const stdio = read({ command: 'x', args: ['--token={{TOKEN}}'], env: { T: '{{TOKEN}}' } }, { env, requestEnv }).target({ TOKEN: '-abc', PATH: '/evil' }) as StdioTarget;
  t.strictSame([stdio.args, stdio.env], [['--token=-abc'], { PATH: PATH_WITH_PACKAGES, T: '-abc' }]);
});

t.test('values that a request cannot give are refused, without the value', async (t) => {
  const requestEnv = ['TOKEN'];
  const header = read({ url: 'https://example.com', headers: { Authorization: 'Bearer {{TOKEN}}' } }, { requestEnv });
  t.throws(() => header.target({ TOKEN: 'a\r\nX-Evil: 1' }), {
    code: 'AGENT_FAILED',
    message: 'The MCP server files cannot be given this TOKEN: it has characters that a header cannot have.',
  });
  const arg = read({ command: 'x', args: ['{{TOKEN}}'] }, { requestEnv });
  t.throws(() => arg.target({ TOKEN: '--config=/etc/passwd' }), { message: 'The MCP server files cannot be given this TOKEN: it begins with a dash.' });
  t.strictSame((arg.target({ TOKEN: 'plain' }) as StdioTarget).args, ['plain']);
});

t.test('what is wrong is told by key and line when the agent is loaded', async (t) => {
  const requestEnv = ['CALLER'];
  const env = { EMPTY: '', SET: 'x', QUOTED: 'a"b' };
  const cases: readonly [unknown, string][] = [
    [{ command: 'x', env: { TOKEN: 'a {{MISSING}}' } }, 'mcps.files.env.TOKEN: MISSING is not set; set it, or name it in request_env for each request to set'],
    [{ command: 'x', args: ['a', '{{EMPTY}}'] }, 'mcps.files.args[1]: EMPTY is not set; set it, or name it in request_env for each request to set'],
    [{ command: '{{CALLER}}' }, 'mcps.files.command: CALLER is set by requests (request_env), which may not decide what a server runs'],
    [{ command: 'x', cwd: '/tmp/{{CALLER}}' }, 'mcps.files.cwd: CALLER is set by requests (request_env), which may not decide where a server runs'],
    [{ url: 'https://{{CALLER}}/mcp' }, 'mcps.files.url: CALLER is set by requests (request_env), which may stand in the query of a url only'],
    [{ url: 'https://example.com/{{CALLER}}?a=b' }, 'mcps.files.url: CALLER is set by requests (request_env), which may stand in the query of a url only'],
    [{ command: 'x', cwd: './nowhere' }, 'mcps.files.cwd: there is no folder ./nowhere'],
    [{ url: '{{SET}}' }, 'mcps.files.url: expected an http or https URL'],
    [{ url: 'ftp://example.com' }, 'mcps.files.url: expected an http or https URL'],
    [{ url: 'https://me:secret@example.com' }, 'mcps.files.url: expected a URL without credentials'],
    [{ url: 'https://example.com', headers: { 'no header': 'x' } }, 'mcps.files.headers.no header: expected the name of a header'],
    [{ url: 'https://example.com', headers: { 'Mcp-Session-Id': 'x' } }, 'mcps.files.headers.Mcp-Session-Id: the connection sets this header itself'],
    [{ url: 'https://example.com', headers: { 'X-Name': 'a\nb' } }, 'mcps.files.headers.X-Name: has characters that a header cannot have'],
  ];
  for (const [entry, message] of cases) {
    // The line is that of the key: this origin tells how deep it stands.
    const line = message.slice(0, message.indexOf(':')).split(/[.[]/).length;
    t.throws(() => read(entry, { env, requestEnv }), { name: 'AgentLoadError', message, file: AGENT_FILE, line }, message);
  }
});

t.test('names of servers are such that their tools have names of their own', async (t) => {
  for (const name of ['a__b', 'a_', '_a', 'a b', 'a'.repeat(33), '']) t.throws(() => mcpSettings({ [name]: { command: 'x' } }), /expected a name/, name);
  for (const name of ['a', 'a_b-c', 'A1', 'a-', 'a'.repeat(32)]) t.doesNotThrow(() => mcpSettings({ [name]: { command: 'x' } }), name);
  t.throws(() => mcpSettings({ a: { command: 'x', env: { 'A=B': 'x' } } }), /expected a name of a variable/);
});
