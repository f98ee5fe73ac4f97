// What the check of a token adds to a request, and what a caller with a valid one notices of others who would send ten thousand wrong ones a second; with
// each store of tokens.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { QUESTION } from '../answer.ts';
import { startOursWith, type Contestant } from '../contestants.ts';
import { tellDeviations, type Aim, type Finding, type Row } from '../findings.ts';
import { startGenerator } from '../generator.ts';
import type { CallersResult, WrongTokensResult } from '../load/jobs.ts';
import type { Bench } from '../pair.ts';
import { spawnUntilAnswers } from '../processes.ts';
import type { Summary } from '../statistics.ts';

const SIDES = ['embedded', 'Redis'] as const;
const ADMIN_TOKEN = 'the-admin-token-of-the-bench';
/** Answered from memory: what is left is the way of a request through the server. */
const PATH = '/prompts';
const CHAT = JSON.stringify({ message: QUESTION });
const WARM_UP = 200;
const WRONG_PER_SECOND = 10_000;
/** More than enough for that rate, were each answered at once. */
const WRONG_CONNECTIONS = 256;
const MOST_SLOWER = 1.2;
/** Until the wrong tokens come at their rate. */
const LEAD_MS = 500;
const UNKNOWN: Summary = { p50: NaN, p99: NaN, max: NaN };

interface Measured {
  /** Where nobody is asked for a token. */
  readonly unasked: Summary;
  readonly local: Summary;
  readonly withToken: Summary;
  readonly alone: Callers;
  readonly beside: Callers;
  readonly wrongPerSecond: number;
  readonly results: readonly (CallersResult | WrongTokensResult)[];
}

/** One at a time each, by turns. */
interface Callers {
  readonly request: Summary;
  readonly chat: Summary;
}

export async function measureAccess(bench: Bench): Promise<Finding> {
  await using servers = bench.stack.use(new AsyncDisposableStack());
  const redisPort = await startRedis(servers);
  const flooder = await startGenerator(servers);
  const measured: Measured[] = [];
  for (const env of [{}, { REDIS_PORT: String(redisPort) }]) {
    await using pair = servers.use(new AsyncDisposableStack());
    const setting = { modelPort: bench.model.port, api: 'chat_completions', pace: 'fast', workers: 1 } as const;
    const asking = await startOursWith({ ...env, OAI_ADMIN_TOKEN: ADMIN_TOKEN }, setting, pair);
    const unasking = await startOursWith({ ...env, AGENT_AUTH_ENABLED: 'false' }, setting, pair);
    measured.push(await measureOne(bench, flooder, asking, unasking));
  }
  const row = (what: string, unit: string, figure: (side: Measured) => number): Row => ({ what, unit, figures: measured.map(figure), ratio: null });
  const times = (what: string, at: 'p50' | 'p99', of: keyof Callers): Row[] => [
    row(`${what}, alone, ${at}`, 'ms', ({ alone }) => alone[of][at]),
    row(`${what}, beside wrong tokens, ${at}`, 'ms', ({ beside }) => beside[of][at]),
  ];
  return {
    title: `access: GET ${PATH} and POST /chat, one at a time`,
    sides: SIDES,
    rows: [
      row('AGENT_AUTH_ENABLED=false, p50', 'ms', ({ unasked }) => unasked.p50),
      row('AGENT_AUTH_ENABLED=false, p99', 'ms', ({ unasked }) => unasked.p99),
      row('added to that by the rule for local requests, p50', 'ms', ({ unasked, local }) => local.p50 - unasked.p50),
      row('added to that by a token, p50', 'ms', ({ unasked, withToken }) => withToken.p50 - unasked.p50),
      row('added to that by a token, p99', 'ms', ({ unasked, withToken }) => withToken.p99 - unasked.p99),
      row('wrong tokens answered', '/s', ({ wrongPerSecond }) => wrongPerSecond),
      ...times('a valid token', 'p50', 'request'),
      ...times('a valid token', 'p99', 'request'),
      ...times('its chat', 'p50', 'chat'),
      ...times('its chat', 'p99', 'chat'),
    ],
    aims: measured.flatMap((side, index) => aimsOf(SIDES[index] ?? '', side)),
    deviations: measured.flatMap(({ results }, index) => results.flatMap(({ deviations }) => tellDeviations(SIDES[index] ?? '', deviations))),
    notes: [
      'callers, wrong callers, server, model and Redis share the machine: on one of few cores they wait for each other',
      `${WRONG_CONNECTIONS} connections would send ${WRONG_PER_SECOND} wrong tokens/s together; beyond 100 a minute an address has one answer a second on each`,
    ],
  };
}

/** Both are held to it, at the median and at p99. */
function aimsOf(side: string, { alone, beside, wrongPerSecond }: Measured): Aim[] {
  const names = { request: `a GET ${PATH}`, chat: 'a chat' } as const;
  return (['request', 'chat'] as const).flatMap((of) => (['p50', 'p99'] as const).map((at) => {
    const slower = beside[of][at] / alone[of][at];
    return {
      what: `${side}: callers who would send ${WRONG_PER_SECOND} wrong tokens/s make ${names[of]} at most ${MOST_SLOWER} times as long, ${at}`,
      measured: `${slower.toFixed(2)} times, ${Math.round(wrongPerSecond)}/s were answered`,
      met: slower <= MOST_SLOWER,
    };
  }));
}

async function measureOne({ generator, plan }: Bench, flooder: Bench['generator'], { port }: Contestant, unasking: Contestant): Promise<Measured> {
  const token = await makeToken(port);
  const { requests, besideMs } = plan.access;
  const get = { port, path: PATH, body: null };
  const ways = [{ ...get, port: unasking.port, token: null }, { ...get, token: null }, { ...get, token }];
  const quiet = await generator.run({ type: 'callers', targets: ways, count: requests, atOnce: 1, warmUp: WARM_UP });
  const targets = [{ ...get, token }, { port, path: '/chat', token, body: CHAT }];
  const callers = { type: 'callers', targets, count: Number.MAX_SAFE_INTEGER, atOnce: 1, withinMs: besideMs } as const;
  const alone = await generator.run({ ...callers, warmUp: WARM_UP });
  const flood = flooder.run({ type: 'wrong_tokens', port, path: PATH, perSecond: WRONG_PER_SECOND, connections: WRONG_CONNECTIONS, durationMs: LEAD_MS + besideMs });
  await delay(LEAD_MS);
  const beside = await generator.run({ ...callers, warmUp: 0 });
  const wrong = await flood;
  const [unasked = UNKNOWN, local = UNKNOWN, withToken = UNKNOWN] = quiet.took;
  const asCallers = ({ took: [request = UNKNOWN, chat = UNKNOWN] }: CallersResult): Callers => ({ request, chat });
  return {
    unasked,
    local,
    withToken,
    alone: asCallers(alone),
    beside: asCallers(beside),
    wrongPerSecond: wrong.perSecond,
    results: [quiet, alone, beside, wrong],
  };
}

async function makeToken(port: number): Promise<string> {
  const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
  const response = await fetch(`http://127.0.0.1:${port}/tokens`, { method: 'POST', headers, body: '{"user_id":"bench","scopes":["chat","agent"]}' });
  const { token } = (await response.json()) as { token: string };
  return token;
}

async function startRedis(stack: AsyncDisposableStack): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await spawnUntilAnswers('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], port, stack);
  return port;
}
