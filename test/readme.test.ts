// The README and the page on agents say what the code does: their tables equal the code's, their examples run, their links lead somewhere.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { declarativeSchema, knownKeys } from '../shared/agent/schema.ts';
import { SERVE_OPTIONS } from '../shared/config.ts';
import { MODEL_VARIABLES, OPTION_VARIABLES, VARIABLES } from '../shared/variables.ts';
import { ERRORS, eventCode, isEndCode, type ErrorCode } from '../shared/errors.ts';
import { makeFolder } from './helpers/folder.ts';
import { nothingIsLeft } from './helpers/leftovers.ts';
import { anchorsOf, codeBlocksOf, linksOf, plain, rowsOf } from './helpers/markdown.ts';
import { LAUNCHER, PROJECT, runCommand, spawnProcess, startServer, type StartedServer } from './helpers/process.ts';

const PAGES = ['README.md', 'docs/agents.md'];
const TEXTS = new Map(PAGES.map((page) => [page, readFileSync(join(PROJECT, page), 'utf8')]));
const README = TEXTS.get('README.md') ?? '';
const AGENTS_PAGE = TEXTS.get('docs/agents.md') ?? '';
const BLOCKS = new Map([...TEXTS].map(([page, text]) => [page, codeBlocksOf(text)]));

/** The files that the pages show: blocks of code that begin with a comment that is a path. */
const FILES = Object.fromEntries(
  [...BLOCKS.values()].flat().flatMap(({ text }) => {
    const path = /^(?:#|\/\/) (agents\/\S+)\n/.exec(text)?.[1];
    return path === undefined ? [] : [[path, text] as const];
  }),
);
const AGENTS = Object.keys(FILES).filter((path) => dirname(path) === 'agents').map((path) => path.replace(/^agents\/(.*)\.\w+$/, '$1'));

/** The files of the pages, and the example, where a user would have them. */
async function makeUserFolder(t: Test): Promise<string> {
  const folder = await makeFolder(t, FILES);
  await cp(join(PROJECT, 'agents/my_agent'), join(folder, 'agents/my_agent'), { recursive: true });
  return folder;
}

t.test('the options of the README are those of the command line, with their defaults', async (t) => {
  const options = Object.values(SERVE_OPTIONS).map(({ flag, fallback, doc }) => [flag, fallback, doc]);
  t.strictSame(rowsOf(README, 'option of serve and check', 'default'), options);
});

t.test('the variables of the README are those that are read, with their defaults', async (t) => {
  const rows = rowsOf(README, 'variable', 'default');
  const own = Object.entries(VARIABLES).map(([name, { fallback, doc }]) => [name, fallback, plain(doc)]);
  t.strictSame(rows.filter(([name = '']) => name in VARIABLES), own);
  t.strictSame(rows.map(([name]) => name).toSorted(), [...Object.keys(VARIABLES), ...OPTION_VARIABLES, ...MODEL_VARIABLES].toSorted());
  const fallbacks: readonly string[] = Object.values(SERVE_OPTIONS).map(({ fallback }) => fallback);
  for (const name of OPTION_VARIABLES) {
    const fallback = rows.find(([variable]) => variable === name)?.[1];
    t.ok(fallbacks.includes(`$${name}, ${fallback}`), `${name}: ${fallback}`);
  }
});

t.test('the error codes of the README are those of the table of errors', async (t) => {
  const errors = Object.entries(ERRORS).map(([code, { status, message }]) => [
    code, String(status), isEndCode(code as ErrorCode) ? eventCode(code as ErrorCode) : '', message,
  ]);
  t.strictSame(rowsOf(README, 'code', 'status', 'event code'), errors);
});

t.test('the endpoints of the README are those of the server, with mode and scope', async (t) => {
  const server = await startServer({ agent: 'my_agent', args: ['--host', '127.0.0.1', '--workers', '1'] });
  t.teardown(() => server.stop());
  const { paths } = (await (await fetch(`${server.url}/openapi.json`, { headers: { connection: 'close' } })).json()) as OpenApi;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { tags, summary, 'x-scope': scope = 'open' }]) => [method.toUpperCase(), path, ...tags, scope, summary]),
  );
  // The files that the page /docs loads are nobody else's business.
  t.strictSame(rowsOf(README, 'method', 'path', 'mode', 'scope'), operations.filter(([, path]) => path?.startsWith('/docs/') === false));
});

interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly 'x-scope'?: string;
}

t.test('the keys of a definition are those of its schema, with their defaults', async (t) => {
  const rows = rowsOf(AGENTS_PAGE, 'key', 'default');
  const prefixes = { model: 'model.', tools: 'tools[].', mcps: 'mcps.<name>.', agents: 'agents[].', prompts: 'prompts[].', memory: 'memory.' };
  const nested = Object.entries(prefixes).flatMap(([key, prefix]) => knownKeys(declarativeSchema, [key]).map((name) => prefix + name));
  t.strictSame(rows.map(([key]) => key).toSorted(), [...knownKeys(declarativeSchema, []), ...nested].toSorted());
  const { model, ...definition } = declarativeSchema.parse({ model: {} });
  const defaults: Readonly<Record<string, unknown>> = { ...definition, ...prefixed('model.', model), ...prefixed('memory.', definition.memory), ...prefixed('mcps.<name>.', mcpDefaults()) };
  for (const [key = '', shown = ''] of rows) {
    t.equal(shown, defaults[key] === undefined ? '' : JSON.stringify(defaults[key]), key);
    if (rows.some((row) => row[0] === key && row[2] === 'not in this version')) {
      t.match(declarativeSchema.safeParse({ model: {}, [key]: {} }).error?.issues[0]?.message, /not supported/, key);
    }
  }
});

/** Of what an entry has beside its command. */
function mcpDefaults(): object {
  const { command: _command, ...defaults } = declarativeSchema.parse({ model: {}, mcps: { a: { command: 'a' } } }).mcps['a'] ?? { command: '' };
  return defaults;
}

function prefixed(prefix: string, values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [prefix + name, value]));
}

t.test('every agent of the pages loads as it is shown', async (t) => {
  const cwd = await makeUserFolder(t);
  t.ok(AGENTS.length > 5);
  for (const agent of AGENTS) {
    const { code, stdout, stderr } = await runCommand(['check', agent], { cwd, env: { OPENAI_API_KEY: 'sk-of-the-reader' } });
    t.equal(code, 0, `${agent}: ${stderr}`);
    t.match(stdout, new RegExp(`^agent +${agent}$`, 'm'));
  }
});

const skip = spawnSync('curl', ['--version']).status === 0 ? false : 'there is no curl on this machine';

for (const page of PAGES) {
  t.test(`the commands of ${page} print what it shows`, { skip }, async (t) => {
    const cwd = await makeUserFolder(t);
    let server: StartedServer | null = null;
    t.teardown(() => server?.stop());
    for (const [command, shown] of stepsOf(page)) {
      const agent = command.endsWith('npm start') ? 'my_agent' : /^npx oai-agent-server (?!chat|check)(\S+)$/.exec(command)?.[1];
      if (agent !== undefined) {
        await server?.stop();
        server = await startServer({ agent, args: ['--workers', '2'], cwd });
      }
      if (server === null) throw new Error(`${page}: no server runs before ${command}`);
      const printed = agent === undefined ? await runShell(command, server, cwd) : server.output.stdout;
      t.match(asShown(printed, server), patternOf(shown), command);
    }
  });
}

/** The commands in the page's consoles, each with what is shown below it. */
function stepsOf(page: string): (readonly [command: string, shown: string])[] {
  const consoles = (BLOCKS.get(page) ?? []).filter(({ language }) => language === 'console');
  return consoles.flatMap(({ text }) =>
    text.split(/^\$ /m).slice(1).map((step) => {
      const [command = '', ...shown] = step.split('\n');
      return [command, shown.join('\n')] as const;
    }),
  );
}

async function runShell(command: string, { url, dataDir }: StartedServer, cwd: string): Promise<string> {
  const words = command.replaceAll('localhost:8000', new URL(url).host).replaceAll('npx oai-agent-server', `"${process.execPath}" "${LAUNCHER}"`);
  const { exited, output } = spawnProcess('/bin/sh', ['-c', words], { cwd, env: { OAI_DATA_DIR: dataDir } });
  const { code } = await exited;
  return code === 0 ? output.stdout : `exit code ${code}: ${output.stderr}`;
}

/** With the address and the data directory of the pages. */
function asShown(printed: string, { url, dataDir, output }: StartedServer): string {
  const agent = /^oai-agent-server: (\S+) ready/m.exec(output.stdout)?.[1];
  return printed.replaceAll(url, 'http://127.0.0.1:8000').replaceAll(dataDir, `.oai-agent-server/${agent}`).trim();
}

/** `…` stands for any text. */
function patternOf(shown: string): RegExp {
  const literal = shown.trim().replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
  return new RegExp(`^${literal.replace(/^…\n/, '…').replaceAll('…', '[^]*?')}$`);
}

t.test('every link to a file or a heading leads there', async (t) => {
  for (const [page, text] of TEXTS) {
    for (const link of linksOf(text).filter((target) => !/^https?:/.test(target))) {
      const [path = '', anchor] = link.split('#');
      const file = path === '' ? join(PROJECT, page) : join(PROJECT, dirname(page), path);
      t.ok(existsSync(file), `${page}: ${link}`);
      if (anchor !== undefined) t.ok(anchorsOf(readFileSync(file, 'utf8')).includes(anchor), `${page}: ${link}`);
    }
  }
});

nothingIsLeft(t);
