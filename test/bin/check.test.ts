// `check` prints what `serve` would use, and shows no value of a variable.
import t from 'tap';
import { shownConfig } from '../../bin/shown_config.ts';
import { parseConfig, SERVE_OPTIONS } from '../../shared/config.ts';
import { VARIABLES } from '../../shared/variables.ts';
import { makeFolder } from '../helpers/folder.ts';
import { runCommand } from '../helpers/process.ts';

const AGENT = `name: hello
description: says hello
system_prompt: You say hello.
model: { provider: offline }
prompts: [{ name: greet, prompt: Greet me. }]
request_env: [GITHUB_TOKEN]
port: 8123
tags: [demo]
smoke_test: Say hello.
`;

t.test('agent, file, framework, model, variables and options are printed', async (t) => {
  const cwd = await makeFolder(t, { 'agents/hello.yaml': AGENT, '.env': 'MY_SECRET=hunter2\nEMPTY=\n' });
  const { code, stdout, stderr } = await runCommand(['check', 'hello', '--workers', '3', '-t', '0.5'], { cwd, env: { OPENAI_API_KEY: 'sk-hunter2' } });
  t.equal(code, 0);
  t.equal(stderr, '');
  for (const line of [
    /^agent +hello$/m, /^description +says hello$/m, /^framework +declarative$/m, /^model +offline \(offline\)$/m, /^prompts +greet$/m,
    /^request_env +GITHUB_TOKEN$/m, /^tags +demo$/m, /^port +8123$/m, /^variables +EMPTY= \(\.env\), MY_SECRET=\*\*\* \(\.env\), OPENAI_API_KEY=\*\*\*$/m,
    /^smoke_test +Say hello\.$/m, /^option +--workers = 3$/m, /^option +--temperature = 0\.5$/m, /^option +--max-tokens = the agent's$/m, /^option +--port = 8123$/m,
    /^option +--watch = off$/m, /^option +REDIS_URL = embedded$/m, /^option +TRUSTED_PROXIES = none$/m, /^option +KEEP_ALIVE_SECONDS = 5$/m,
    /^warning: model: offline/m,
  ]) t.match(stdout, line);
  t.match(stdout, `${cwd}/agents/hello.yaml`);
  t.notMatch(stdout, 'hunter2');
});

t.test('what is set is shown as it is written, addresses without their passwords, and what does not fit together is warned of', async (t) => {
  const file = 'FORCE_ATUH=true\nRATE_LIMIT_CHAT=3/minute\nKEEP_ALIVE_SECONDS=75\nDB_LOGGING_ENABLED=1\nREDIS_URL=redis://:hunter2@127.0.0.1:1/0\n';
  const cwd = await makeFolder(t, { 'agents/hello.yaml': AGENT, '.env': file });
  const { code, stdout } = await runCommand(['check', 'hello'], { cwd, env: { LOGGING_DB_URL: 'postgres://u:hunter2@127.0.0.1:2/logs' } });
  t.equal(code, 0);
  for (const line of [
    'RATE_LIMIT_CHAT = 3/minute', 'REDIS_URL = Redis at 127.0.0.1:1', 'LOGGING_DB_URL = PostgreSQL at 127.0.0.1:2/logs', 'SPOOL_MAX_MB = 1024',
  ]) t.ok(stdout.includes(`option       ${line}\n`), line);
  t.match(stdout, /^warning: KEEP_ALIVE_SECONDS=75 is not below DRAIN_TIMEOUT_SECONDS=25, so a stop waits/m);
  t.match(stdout, /^warning: \.env: FORCE_ATUH is no variable of the server; did you mean FORCE_AUTH\?$/m);
  t.notMatch(stdout, /hunter2|\[object|null|undefined/);
});

t.test('every option and every variable has its line, or is a part of another', async (t) => {
  const config = parseConfig('a', 'a', {}, { DB_LOGGING_ENABLED: 'true' }, { parallelism: 1, memoryMb: 1024 }, false);
  const names = shownConfig(config, null).map(([name]) => name);
  const options = Object.values(SERVE_OPTIONS).map(({ flag }) => /--[a-z-]+/.exec(flag)?.[0] ?? '');
  const variables = Object.keys(VARIABLES).filter((name) => !/^(REDIS|LOGGING_DB)_(?!URL)/.test(name));
  t.strictSame(names.toSorted(), [...options, ...variables].toSorted());
});

t.test('an agent that does not load exits 78 with file and reason, without a stack', async (t) => {
  const cwd = await makeFolder(t, { 'agents/hello.yaml': 'name: hello\nsystem_promt: hi\nmodel: { provider: offline }\n', 'agents/thrown.ts': 'throw new Error("not today");\n' });
  const misspelt = await runCommand(['check', 'hello'], { cwd });
  t.match(misspelt, { code: 78, stdout: '', stderr: /^oai-agent-server: .*agents\/hello\.yaml.*system_promt.*system_prompt.*$/m });
  const throwing = await runCommand(['check', 'thrown'], { cwd });
  t.match(throwing, { code: 78, stdout: '', stderr: /^oai-agent-server: .*agents\/thrown\.ts.*not today.*$/m });
  t.notMatch(misspelt.stderr + throwing.stderr, /^ +at /m);
});
