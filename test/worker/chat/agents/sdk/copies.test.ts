// Which copy of the package runs an agent, and whether it traces.
import t from 'tap';
import { agentProcess, sdkModule } from '../../../../helpers/agent_process.ts';
import { startModelServer } from '../../../../helpers/model_server.ts';
import { nothingIsLeft } from '../../../../helpers/leftovers.ts';
import { directed } from '../../../../helpers/serve.ts';

const model = await startModelServer();
const HERE = { OPENAI_BASE_URL: model.url };
const echo = directed({ echo: 'authorization' });
const asks = (...keys: readonly string[]) => keys.map((key) => ({ message: echo, env: { OPENAI_API_KEY: key } }));
const KEY = { OPENAI_API_KEY: 'sk-base', ...HERE };

t.test('tracing is off, unless the environment or the code turns it on', async (t) => {
  const report = "export const report = () => sdk.getGlobalTraceProvider().createTrace({ name: 't' }) instanceof sdk.NoopTrace;";
  const isOff = async (env: object, more = '') => (await agentProcess(t, { 'agent.ts': sdkModule(more + report) }, { ...KEY, ...env })).report;
  t.equal(await isOff({}), true);
  t.equal(await isOff({ OPENAI_AGENTS_DISABLE_TRACING: '1' }), true);
  t.equal(await isOff({ OPENAI_AGENTS_DISABLE_TRACING: '0' }), false);
  t.equal(await isOff({}, 'sdk.setTracingDisabled(false);\n'), false);
});

t.test('the copy that the agent is made with runs it, whichever way it was imported', async (t) => {
  const made = "export default new Agent({ name: 'c', instructions: 'd' });\n";
  const required = `import { createRequire } from 'node:module';\nconst { Agent } = createRequire(import.meta.url)('@openai/agents');\n${made}`;
  t.strictSame((await agentProcess(t, { 'agent.ts': required }, KEY, ...asks('sk-1', 'sk-2'))).answers, ['Bearer sk-1', 'Bearer sk-2']);
  const core = `import { Agent } from '../node_modules/@openai/agents-core/dist/index.mjs';\n${made}`;
  const files = { 'agent.ts': "export { default } from './parts/made.ts';\n", 'parts/made.ts': core };
  t.strictSame((await agentProcess(t, files, KEY, ...asks('sk-1', 'sk-2'))).answers, ['Bearer sk-1', 'Bearer sk-2']);
});

t.test('the end', async (t) => {
  await model.close();
  nothingIsLeft(t);
});
