// `check` prints what `serve` would use, and shows no value of a variable.
import t from 'tap';
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
`;

t.test('agent, file, framework, model, variables and options are printed', async (t) => {
  const cwd = await makeFolder(t, { 'agents/hello.yaml': AGENT, '.env': 'MY_SECRET=hunter2\nEMPTY=\n' });
  const { code, stdout, stderr } = await runCommand(['check', 'hello', '--workers', '3', '-t', '0.5'], { cwd, env: { OPENAI_API_KEY: 'sk-hunter2' } });
  t.equal(code, 0);
  t.equal(stderr, '');
  for (const line of [
    /^agent +hello$/m, /^description +says hello$/m, /^framework +declarative$/m, /^model +offline \(offline\)$/m, /^prompts +greet$/m,
    /^request_env +GITHUB_TOKEN$/m, /^tags +demo$/m, /^port +8123$/m, /^variables +EMPTY= \(\.env\), MY_SECRET=\*\*\* \(\.env\), OPENAI_API_KEY=\*\*\*$/m,
    /^option +workers = 3$/m, /^option +temperature = 0\.5$/m, /^warning: model: offline/m,
  ]) t.match(stdout, line);
  t.match(stdout, `${cwd}/agents/hello.yaml`);
  t.notMatch(stdout, 'hunter2');
});

t.test('an agent that does not load exits 78 with file and reason, without a stack', async (t) => {
  const cwd = await makeFolder(t, { 'agents/hello.yaml': 'name: hello\nsystem_promt: hi\nmodel: { provider: offline }\n', 'agents/thrown.ts': 'throw new Error("not today");\n' });
  const misspelt = await runCommand(['check', 'hello'], { cwd });
  t.match(misspelt, { code: 78, stdout: '', stderr: /^oai-agent-server: .*agents\/hello\.yaml.*system_promt.*system_prompt.*$/m });
  const throwing = await runCommand(['check', 'thrown'], { cwd });
  t.match(throwing, { code: 78, stdout: '', stderr: /^oai-agent-server: .*agents\/thrown\.ts.*not today.*$/m });
  t.notMatch(misspelt.stderr + throwing.stderr, /^ +at /m);
});
