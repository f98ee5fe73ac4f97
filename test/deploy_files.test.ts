// The files of deploy/: what they set is known to the server, their times fit together, and their ports and paths are there.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parse, parseAllDocuments } from 'yaml';
import { markValues } from '../bin/arguments.ts';
import { parseConfig } from '../shared/config.ts';
import { MODEL_VARIABLES, OPTION_VARIABLES, VARIABLES } from '../shared/variables.ts';
import type { App } from '../supervisor/app.ts';
import { routeTable } from '../supervisor/routes/table.ts';
import { PROJECT } from './helpers/process.ts';

const read = (path: string): string => readFileSync(join(PROJECT, 'deploy', path), 'utf8');
const UNIT = read('systemd/oai-agent-server.service');
const DOCKERFILE = read('Dockerfile');
const HEALTH = read('health.js');
const HAPROXY = read('haproxy.cfg');

interface Compose {
  readonly services: Record<string, { command: string[]; environment: Record<string, string>; restart: string; stop_grace_period: string }>;
}
interface Probe {
  readonly httpGet: { path: string; port: string };
  readonly periodSeconds: number;
  readonly failureThreshold: number;
}
interface StatefulSet {
  readonly spec: { template: { spec: { terminationGracePeriodSeconds: number; containers: [Container] } } };
}
interface Container {
  readonly args: string[];
  readonly env: { name: string; value: string }[];
  readonly ports: { name: string; containerPort: number }[];
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}
const COMPOSE = parse(read('compose.yaml'), { merge: true }) as Compose;
const POD = (parse(read('kubernetes/statefulset.yaml')) as StatefulSet).spec.template.spec;
const [CONTAINER] = POD.containers;
const SECRET = parse(read('kubernetes/secret.example.yaml')) as { stringData: Record<string, string> };
const SERVICES = parseAllDocuments(read('kubernetes/service.yaml')).map((document) => document.toJS() as { spec: { ports: { targetPort: string }[] } });

const linesOf = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([, value = '']) => value);
const pairsOf = (words: readonly string[]): Record<string, string> =>
  Object.fromEntries(words.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]));
const IMAGE = pairsOf(linesOf(DOCKERFILE, /^ENV (.*)$/gm).flatMap((line) => line.split(' ')));
const SERVERS = Object.entries(COMPOSE.services).filter(([name]) => name.startsWith('server-')).map(([, service]) => service);

/** Ways to run a server: the words of its command line, its variables, and how long it is given to stop, in seconds. */
const WAYS = [
  {
    name: 'unit',
    words: (linesOf(UNIT, /^ExecStart=.*oai-agent-server\.js (.*)$/gm)[0] ?? '').split(' '),
    env: pairsOf(linesOf(UNIT, /^Environment=(.*)$/gm)),
    graceS: Number(linesOf(UNIT, /^TimeoutStopSec=(\d+)$/gm)[0]),
  },
  ...SERVERS.map((server) => ({ name: 'compose', words: server.command, env: { ...IMAGE, ...server.environment }, graceS: Number.parseInt(server.stop_grace_period, 10) })),
  {
    name: 'kubernetes',
    words: CONTAINER.args,
    env: { ...IMAGE, ...Object.fromEntries(CONTAINER.env.map(({ name, value }) => [name, value])), ...SECRET.stringData },
    graceS: POD.terminationGracePeriodSeconds,
  },
];
const OTHER_VARIABLES = ['NODE_ENV'];

const config = ({ words, env }: (typeof WAYS)[number]) => {
  const delay = words.indexOf('--drain-delay');
  const ours = Object.fromEntries(Object.entries(env).filter(([name]) => name in VARIABLES).map(([name, value]) => [name, value.replace(/\$\{.*\}/, 'x'.repeat(20))]));
  return parseConfig('a', 'a', delay === -1 ? {} : { drainDelay: words[delay + 1] as string }, ours, { parallelism: 2, memoryMb: 1024 }, false);
};

t.test('their variables and options are the server\'s', async (t) => {
  const known: readonly string[] = [...Object.keys(VARIABLES), ...OPTION_VARIABLES, ...MODEL_VARIABLES, ...OTHER_VARIABLES];
  t.equal(WAYS.length, 4);
  for (const way of WAYS) {
    for (const name of Object.keys(way.env)) t.ok(known.includes(name), `${way.name}: ${name}`);
    t.ok(Object.keys(way.env).length > 4);
    t.doesNotThrow(() => markValues(way.words), way.name);
  }
  for (const name of linesOf(HEALTH, /process\.env\.(\w+)/g)) t.ok(known.includes(name), `health.js: ${name}`);
  const example = linesOf(read('.env.example'), /^(\w+)=/gm);
  for (const name of example) t.ok(read('compose.yaml').includes(`\${${name}`), `.env.example: ${name}`);
});

t.test('whoever stops a server gives it the time that it takes; idle connections run out in it', async (t) => {
  for (const way of WAYS) {
    const { drainDelayMs, drainTimeoutMs, keepAliveMs } = config(way);
    t.ok(way.graceS * 1000 > drainDelayMs + drainTimeoutMs + 10_000, `${way.name}: ${way.graceS} s`);
    t.ok(keepAliveMs < drainTimeoutMs, `${way.name}: connections are kept for ${keepAliveMs} ms`);
  }
  t.ok(COMPOSE.services['balancer']?.stop_grace_period === SERVERS[0]?.stop_grace_period, 'the balancer too');
});

t.test('whoever starts one gives it the time that a worker may take', async (t) => {
  const { bootTimeoutMs } = config(WAYS[0] as (typeof WAYS)[number]);
  t.ok(Number(linesOf(UNIT, /^TimeoutStartSec=(\d+)$/gm)[0]) * 1000 > bootTimeoutMs);
  t.ok(CONTAINER.startupProbe.periodSeconds * CONTAINER.startupProbe.failureThreshold * 1000 > bootTimeoutMs);
  t.ok(Number(linesOf(DOCKERFILE, /--start-period=(\d+)s/g)[0]) * 1000 > bootTimeoutMs);
});

t.test('ports are the image\'s, and paths are in the table of routes', async (t) => {
  const port = Number(IMAGE['PORT']);
  t.strictSame(linesOf(DOCKERFILE, /^EXPOSE (\d+)$/gm), [String(port)]);
  t.strictSame(CONTAINER.ports, [{ name: 'http', containerPort: port }]);
  for (const { spec } of SERVICES) t.strictSame(spec.ports.map(({ targetPort }) => targetPort), ['http']);
  t.strictSame(linesOf(HAPROXY, /^ {2}server \S+ [\d.]+:(\d+)$/gm), [String(port), String(port)]);
  // No route is asked for anything here.
  const routes = routeTable({ config: config(WAYS[0] as (typeof WAYS)[number]) } as App).filter(({ method, scope }) => method === 'GET' && scope === 'open').map(({ path }) => path);
  const { startupProbe, livenessProbe, readinessProbe } = CONTAINER;
  for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
    t.ok(routes.includes(httpGet.path), httpGet.path);
    t.equal(httpGet.port, 'http');
  }
  for (const path of [...linesOf(HEALTH, /\$\{url\}(\/\w+)/g), ...linesOf(HAPROXY, /http-check send meth GET uri (\S+)/g)]) t.ok(routes.includes(path), path);
});

t.test('the health check of the image ends before Docker gives up on it', async (t) => {
  const limitMs = Number((linesOf(HEALTH, /^const TIMEOUT_MS = ([\d_]+);$/gm)[0] ?? '').replaceAll('_', ''));
  t.ok(limitMs > 0 && limitMs < Number(linesOf(DOCKERFILE, /--timeout=(\d+)s/g)[0]) * 1000);
});

t.test('an end that was wanted is one: nothing starts a server again after exit code 0', async (t) => {
  t.match(UNIT, /^OOMPolicy=continue$/m, 'a trial or a tool that the kernel kills is not the server');
  t.match(UNIT, /^Restart=on-failure$/m);
  t.strictSame(SERVERS.map(({ restart }) => restart), ['on-failure', 'on-failure']);
});

t.test('in the image a process that reaps is the first one', async (t) => {
  t.match(DOCKERFILE, /apt-get install .*\btini\b/);
  t.match(DOCKERFILE, /^ENTRYPOINT \["\/usr\/bin\/tini", "-s", "--", "node", "\/opt\/oai-agent-server\/bin\/oai-agent-server\.js"\]$/m);
});
