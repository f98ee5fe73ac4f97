// How soon /logs answers over a table of many rows, with either database, and what chats notice of it.
import { join } from 'node:path';
import { QUESTION } from '../answer.ts';
import { startOursWith, type Contestant } from '../contestants.ts';
import { tellDeviations, type Aim, type Finding, type Row } from '../findings.ts';
import { fillFile, fillPostgres } from '../log_fill.ts';
import { logRecords } from '../log_records.ts';
import { OWN_USER, questionsOf, type Question } from '../log_questions.ts';
import type { Bench } from '../pair.ts';
import { postgresOf } from '../postgres.ts';
import type { Summary } from '../statistics.ts';

const MOST_LISTING_MS = 300;
const MOST_STATISTICS_MS = 2000;
const POSTGRES = 'PostgreSQL';
/** So many questions are asked at the same time, beside chats. */
const ASKERS = [1, 4] as const;
const ADMIN_TOKEN = 'the-admin-token-of-the-bench';
const UNKNOWN: Summary = { p50: NaN, p99: NaN, max: NaN };

interface Chats {
  /** Of a whole answer, and from the last piece of text of a stream to its end; in ms. */
  readonly took: Summary;
  readonly ending: Summary;
}

interface Measured {
  readonly name: string;
  /** One for each question. */
  readonly answered: readonly Summary[];
  readonly quiet: Chats;
  /** One for each of ASKERS. */
  readonly beside: readonly (Chats & { readonly questions: number })[];
  readonly deviations: readonly string[];
}

export async function measureLogTable(bench: Bench): Promise<Finding> {
  await using servers = bench.stack.use(new AsyncDisposableStack());
  const { rows, sessions, users } = bench.plan.logTable;
  const untilMs = Date.now();
  const questions = questionsOf(untilMs, rows);
  const records = () => logRecords({ records: rows, sessions, users, untilMs });
  const expected = questions.map(() => 0);
  for (const record of records()) {
    for (const [index, { matches }] of questions.entries()) if (matches(record)) expected[index] = (expected[index] ?? 0) + 1;
  }

  const postgres = await postgresOf(servers);
  if (typeof postgres === 'string') console.error(`\nlog-table: NOT MEASURED with PostgreSQL: ${postgres}`);
  const setting = { modelPort: bench.model.port, api: 'chat_completions', pace: 'fast', workers: bench.plan.workers } as const;
  const enabled = { DB_LOGGING_ENABLED: 'true', OAI_ADMIN_TOKEN: ADMIN_TOKEN };
  const measured: Measured[] = [];
  await using embedded = bench.stack.use(new AsyncDisposableStack());
  const server = await startOursWith(enabled, setting, embedded, (dataDir) => fillFile(join(dataDir, 'logs.db'), records()));
  measured.push(await measureOne(bench, 'embedded', server, questions, expected));
  await embedded.disposeAsync();
  if (typeof postgres !== 'string') {
    await fillPostgres(postgres, records(), rows);
    const server = await startOursWith({ ...enabled, LOGGING_DB_URL: postgres.url }, setting, servers);
    measured.push(await measureOne(bench, POSTGRES, server, questions, expected));
  }
  return report(bench, questions, expected, measured, typeof postgres === 'string' ? postgres : null);
}

async function measureOne(
  { generator, plan }: Bench,
  name: string,
  { port }: Contestant,
  questions: readonly Question[],
  expected: readonly number[],
): Promise<Measured> {
  const own = await mintOwn(port);
  const tokenOf = ({ isOwn }: Question): string | null => (isOwn ? own : null);
  const wrong: string[] = [];
  for (const [index, question] of questions.entries()) {
    const found = await totalOf(port, question, tokenOf(question));
    if (found !== null && found !== expected[index]) wrong.push(`${name} ${question.path}: ${found} rows instead of ${expected[index]}`);
  }
  const targets = questions.map((question) => ({ port, path: question.path, token: tokenOf(question), body: null }));
  const asked = await generator.run({ type: 'callers', targets, count: plan.logTable.times, atOnce: 1, warmUp: 1 });

  const chats = async (): Promise<Chats & { deviations: string[] }> => {
    const caller = { port, path: '/chat', token: null, body: JSON.stringify({ message: QUESTION }) };
    const whole = await generator.run({ type: 'callers', targets: [caller], count: plan.logTable.chats, atOnce: 1, warmUp: 50 });
    const stream = { port, kind: 'stream', path: '/chat/stream' } as const;
    const streamed = await generator.run({ type: 'first_tokens', targets: [stream], count: plan.logTable.chats });
    const deviations = [...tellDeviations(`${name} /chat`, whole.deviations), ...tellDeviations(`${name} /chat/stream`, streamed.deviations)];
    return { took: whole.took[0] ?? UNKNOWN, ending: streamed.ending[0] ?? UNKNOWN, deviations };
  };
  // Chats are warm before they count.
  await chats();
  const quiet = await chats();
  const beside: (Chats & { questions: number; deviations: string[] })[] = [];
  for (const askers of ASKERS) {
    const asking = askAgainAndAgain(port, questions, tokenOf, askers);
    const took = await chats();
    beside.push({ ...took, questions: await asking.stop() });
  }
  return {
    name,
    answered: asked.took,
    quiet,
    beside,
    deviations: [...wrong, ...tellDeviations(name, asked.deviations), ...quiet.deviations, ...beside.flatMap(({ deviations }) => deviations)],
  };
}

/** @returns a token of the user who is told of the own rows only */
async function mintOwn(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: OWN_USER, scopes: ['logs'] }),
  });
  return ((await response.json()) as { readonly token: string }).token;
}

/** @param token null: without one */
function get(port: number, path: string, token: string | null): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}${path}`, token === null ? {} : { headers: { authorization: `Bearer ${token}` } });
}

/** What is read of an answer of any route. */
interface Answer {
  readonly total?: number;
  readonly statistics?: { readonly total_interactions: number };
  readonly user_statistics?: readonly { readonly total_interactions: number }[];
  readonly total_users?: number;
}

/** @returns how many rows were found; null where the answer does not tell */
async function totalOf(port: number, { path, isStatistics }: Question, token: string | null): Promise<number | null> {
  const response = await get(port, path, token);
  if (response.status !== 200) return NaN;
  const { total, statistics, user_statistics: users = [], total_users: known = 0 } = (await response.json()) as Answer;
  if (!isStatistics) return total ?? NaN;
  if (statistics !== undefined) return statistics.total_interactions;
  // Of more users than are answered, not all rows are known.
  return users.length < known ? null : users.reduce((sum, user) => sum + user.total_interactions, 0);
}

/** Several at a time, from all of them in turn. */
function askAgainAndAgain(port: number, questions: readonly Question[], tokenOf: (question: Question) => string | null, askers: number): { stop(): Promise<number> } {
  let isOver = false;
  let answered = 0;
  const ask = async (): Promise<void> => {
    while (!isOver) {
      const question = questions[answered % questions.length] as Question;
      answered += 1;
      await (await get(port, question.path, tokenOf(question))).arrayBuffer();
    }
  };
  const asking = Promise.all(Array.from({ length: askers }, ask));
  return {
    async stop() {
      isOver = true;
      await asking;
      return answered;
    },
  };
}

function report(
  { plan }: Bench,
  questions: readonly Question[],
  expected: readonly number[],
  measured: readonly Measured[],
  missing: string | null,
): Finding {
  const row = (what: string, figures: (side: Measured) => readonly number[]): Row => {
    return { what, unit: 'ms', figures: measured.flatMap(figures), ratio: null };
  };
  const chats = (what: string, figure: (chats: Chats) => Summary): Row[] => [
    row(`${what}, without questions`, ({ quiet }) => [figure(quiet).p50, figure(quiet).p99]),
    ...ASKERS.map((askers, index) => row(`${what}, beside ${askers} at a time`, ({ beside }) => {
      const { p50, p99 } = figure(beside[index] as Chats);
      return [p50, p99];
    })),
  ];
  const asked = questions.map(({ path, isOwn }, index) => {
    const what = `${path}${isOwn ? ', own rows' : ''}  (${(expected[index] ?? NaN).toLocaleString('en')})`;
    return row(what, ({ answered }) => [answered[index]?.p50 ?? NaN, answered[index]?.max ?? NaN]);
  });
  return {
    title: `/logs over ${plan.logTable.rows.toLocaleString('en')} rows, one question at a time, median and longest; chats beside them, p50 and p99`,
    sides: measured.flatMap(({ name }) => [name, '']),
    rows: [...asked, ...chats('a chat', ({ took }) => took), ...chats('from the last text of a stream to its end', ({ ending }) => ending)],
    aims: measured.flatMap((side) => [
      aimOf(side, questions, { isStatistics: false, what: 'every filter', mostMs: MOST_LISTING_MS }),
      aimOf(side, questions, { isStatistics: true, what: 'the statistics', mostMs: MOST_STATISTICS_MS }),
    ]),
    deviations: measured.flatMap(({ deviations }) => deviations),
    notes: [
      'in brackets: how many rows match, all of which are counted for each answer',
      ...measured.map(({ name, beside }) => `${name}: questions beside the chats, ${ASKERS.join(' and ')} at a time: ${beside.map(({ questions: asked }) => asked).join(' and ')} in all`),
      ...(missing === null ? [] : [`NOT MEASURED with PostgreSQL: ${missing}`]),
    ],
  };
}

/** The slowest of those that it is about, each by its median. */
function aimOf(
  { name, answered }: Measured,
  questions: readonly Question[],
  { isStatistics, what, mostMs }: { readonly isStatistics: boolean; readonly what: string; readonly mostMs: number },
): Aim {
  const ms = Math.max(...answered.filter((_, index) => questions[index]?.isStatistics === isStatistics).map(({ p50 }) => p50));
  return { what: `${name}: ${what} in less than ${mostMs} ms`, measured: `${Math.round(ms)} ms`, met: ms < mostMs };
}
