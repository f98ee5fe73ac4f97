// Wrong usage is one line on stderr and exit code 2.
import t from 'tap';
import { makeFolder } from '../helpers/folder.ts';
import { runCommand } from '../helpers/process.ts';

const EXPECTED_USAGE: readonly (readonly [words: string, line: RegExp])[] = [
  ['', /missing required args .* expected oai-agent-server serve <agent> \[options\]/],
  ['serve', /missing required args .* expected oai-agent-server serve <agent> \[options\]/],
  ['check', /missing required args .* expected oai-agent-server check <agent> \[options\]/],
  ['hello more', /Unused args: `more`; expected oai-agent-server serve <agent>/],
  ['chat http://localhost more', /Unused args: `more`; expected oai-agent-server chat \[url\]/],
  ['chat localhost', /expected a URL such as http:\/\/127\.0\.0\.1:8000, got "localhost"/],
  ['chat --data-dir', /--data-dir: expected a value/],
  ['chat --port 1', /unknown option --port: expected one of --agent, --data-dir, --config-root, /],
  ['tokens', /missing required args .* expected oai-agent-server tokens <action> \[id\] \[options\]/],
  ['tokens make', /tokens: expected create, list or revoke, got "make"/],
  ['tokens revoke', /tokens revoke: expected the id of a token, as tokens list shows it/],
  ['tokens list one', /tokens list: expected options only, got "one"/],
  ['tokens list --ttl 5', /tokens list: --ttl is an option of another action/],
  ['tokens revoke a --json', /tokens revoke: --json is an option of another action/],
  ['tokens create --frob', /unknown option --frob: expected one of --user-id, --scopes, /],
  ['tokens create --port 1', /unknown option --port: expected one of --user-id, /],
  ['tokens create --scopes', /--scopes: expected words of chat, agent, logs, logs:all, admin, got ""/],
  ['tokens create --scopes chat,boss', /--scopes: expected words of .*, got "chat,boss"/],
  ['tokens create --scopes chat chat', /--scopes: expected at least one of .*, each once/],
  ['tokens create --ttl soon', /--ttl: expected a time such as 3600, 90s, 15m, 12h or 30d, got "soon"/],
  ['tokens create --ttl 0', /--ttl: expected a whole number of seconds from 1 to 315360000/],
  ['tokens create --ttl 4000d', /--ttl: expected a whole number of seconds from 1 to 315360000/],
  ['tokens create --user-id=', /--user-id: expected a string of 1–256 characters without controls/],
  ['tokens list --url localhost', /--url: expected a URL such as http:\/\/127\.0\.0\.1:8000, got "localhost"/],
  ['tokens list --url http://a:b@localhost', /--url: expected a URL such as/],
  ['hello --ttl 5', /unknown option --ttl: expected one of --port, /],
  ['status ftp://localhost:8000', /status: expected a URL such as http:\/\/127\.0\.0\.1:8000, got "ftp:\/\/localhost:8000"/],
  ['status http://localhost more', /Unused args: `more`; expected oai-agent-server status \[url\]/],
  ['restart --port 1', /unknown option --port: expected one of --agent, --data-dir, --config-root, /],
  ['kill --json', /unknown option --json: expected one of --agent, /],
  ['kill --agent a/b', /--agent: expected the name of an agent, got "a\/b"/],
  ['nobody', /no agent nobody in .*; agents there: check, hello$/],
  ['a/b.yaml', /no agent's file at .*\/a\/b\.yaml/],
  ['hello --frob', /unknown option --frob: expected one of --port, /],
  ['hello --port', /--port: expected a value/],
  ['hello --port 1e3', /--port: expected a whole number from 0 to 65535, got "1e3"/],
  ['hello --port=0x10', /--port: expected a whole number from 0 to 65535, got "0x10"/],
  ['--port -1 hello', /--port: expected a whole number from 0 to 65535, got "-1"/],
  ['hello --workers 0', /--workers: expected a whole number from 1 to 256, got "0"/],
  ['hello --temperature 3', /--temperature: expected a number from 0 to 2, got "3"/],
  ['hello --host=', /--host: expected an address, got ""/],
  ['hello -p 1 --port=1', /--port: expected once, it was given twice/],
  ['hello --allowed-modes', /--allowed-modes: expected words of chat, agent, logs, tokens, health, got ""/],
  ['hello --allowed-modes chatter', /--allowed-modes: expected words of .*, got "chatter"/],
  ['hello --allowed-modes chat health more', /Unused args: `more`/],
];

t.test('wrong usage is one line that says what was expected, and exit code 2', async (t) => {
  const cwd = await makeFolder(t, { 'agents/hello.yaml': 'name: hello\nmodel: { provider: offline }\n', 'agents/check.yaml': 'name: check\n' });
  for (const [words, line] of EXPECTED_USAGE) {
    const { code, stdout, stderr } = await runCommand(words.split(' ').filter((word) => word !== ''), { cwd });
    t.equal(code, 2, words);
    t.match(stderr, /^oai-agent-server: [^\n]+\n$/, words);
    t.match(stderr.trimEnd(), line, words);
    t.equal(stdout, '', words);
  }
});

t.test('a command word reaches an agent of that name after serve, or after --', async (t) => {
  const cwd = await makeFolder(t, { 'agents/other.yaml': '' });
  for (const words of [['serve', 'status'], ['--', 'status'], ['serve', 'check'], ['serve', 'tokens']]) {
    const { stderr } = await runCommand(words, { cwd });
    t.match(stderr, `no agent ${words[1]} in `);
  }
});

t.test('a wrong variable, in the environment or in .env, exits 78 and is named', async (t) => {
  const cwd = await makeFolder(t, { 'agents/hello.yaml': 'name: hello\nmodel: { provider: offline }\n', '.env': 'DRAIN_TIMEOUT_SECONDS=soon\n' });
  t.match(await runCommand(['hello'], { cwd, env: { PORT: 'http' } }), {
    code: 78,
    stderr: 'oai-agent-server: PORT: expected a whole number from 0 to 65535, got "http"\n',
  });
  t.match(await runCommand(['hello'], { cwd }), { code: 78, stderr: /^oai-agent-server: DRAIN_TIMEOUT_SECONDS: expected .* got "soon"\n$/ });
});

t.test('a malformed .env exits 78 with file and line', async (t) => {
  const cwd = await makeFolder(t, { 'agents/hello.yaml': 'name: hello\nmodel: { provider: offline }\n', '.env': 'A=1\nwhat is this\n' });
  t.match(await runCommand(['hello'], { cwd }), { code: 78, stderr: `oai-agent-server: ${cwd}/.env:2: expected NAME=value, a comment or an empty line\n` });
});

t.test('--help and --version answer on stdout', async (t) => {
  t.match(await runCommand(['--help']), { code: 0, stdout: /serve <agent>.*check <agent>.*chat \[url\].*--allowed-modes <m…>/s, stderr: '' });
  t.match(await runCommand(['chat', '--help']), { code: 0, stdout: /chat \[url\]/, stderr: '' });
  t.match(await runCommand(['tokens', '--help']), { code: 0, stdout: /tokens <action> \[id\].*--user-id <id>.*--json/s, stderr: '' });
  t.match(await runCommand(['--version']), { code: 0, stdout: /^oai-agent-server\/\d+\.\d+\.\d+ /, stderr: '' });
});
