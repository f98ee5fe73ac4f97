// A connection that is kept: when it tries again, for whom, and what it makes of a server's doubtful behaviour. The link is a stand-in.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { CallToolResult } from '@modelcontextprotocol/client';
import t, { type Test } from 'tap';
import { McpConnection, type Doubt } from '../../../../../worker/chat/engine/mcp/connection.ts';
import { McpFailure } from '../../../../../worker/chat/engine/mcp/failure.ts';
import type { Link, LinkWatch } from '../../../../../worker/chat/engine/mcp/link.ts';
import type { ToolList } from '../../../../../worker/chat/engine/mcp/tool_list.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';

type Watch = LinkWatch & Doubt;

interface Harness {
  readonly connection: McpConnection;
  /** Of each attempt, when it began. */
  readonly attempts: number[];
  readonly watch: () => Watch;
  readonly logged: string[];
  /** What the next attempts do. */
  connects: (attempt: number) => Promise<void>;
  link: Partial<Link>;
  readonly closed: boolean[];
}

const toolsOf = (...names: string[]): ToolList => ({ tools: names.map((name) => ({ name, description: '', parameters: { type: 'object' } })), notes: [] });
const gone = () => Promise.reject(new McpFailure('gone', 'went away'));
const context = new AsyncLocalStorage<string>();
/** As the engine does: its own clock aborts the signal. */
async function call(connection: McpConnection, timeoutMs = 10_000, abort = new AbortController()): Promise<CallToolResult> {
  const timer = setTimeout(() => abort.abort(new Error('timed out')), timeoutMs);
  try {
    return await connection.call('echo', {}, abort.signal, timeoutMs);
  } finally {
    clearTimeout(timer);
  }
}

function make(t: Test, returns = true): Harness {
  const attempts: number[] = [];
  const watches: Watch[] = [];
  const logged: string[] = [];
  const closed: boolean[] = [];
  const log = (text: string) => void logged.push(`${context.getStore() ?? 'nobody'}: ${text}`);
  const harness: Harness = {
    attempts,
    watch: () => watches.at(-1) as Watch,
    logged,
    closed,
    connects: () => Promise.resolve(),
    link: {},
    connection: new McpConnection({
      name: 's',
      returns,
      log: { info: log, warn: log, printed: log },
      changed: () => undefined,
      async connect(watch) {
        attempts.push(performance.now());
        watches.push(watch);
        await harness.connects(attempts.length);
        const link: Link = {
          list: async () => toolsOf('echo'),
          call: async () => ({ content: [{ type: 'text', text: context.getStore() ?? 'nobody' }] }),
          ping: async () => undefined,
          close: async (politely) => void closed.push(politely),
          ...harness.link,
        };
        return { link, list: toolsOf('echo') };
      },
    }),
  };
  t.teardown(() => harness.connection.close());
  return harness;
}

const aSecond = async (): Promise<void> => {
  const began = performance.now();
  await waitFor('a second', () => performance.now() - began > 1010);
};

t.test('it comes back later and later, in times that are not those of its neighbours', async (t) => {
  const harness = make(t);
  await harness.connection.open();
  harness.connects = (attempt) => (attempt < 4 ? gone() : Promise.resolve());
  harness.watch().closed('was ended by SIGKILL');
  t.strictSame([harness.connection.state, harness.connection.error], ['down', 'was ended by SIGKILL']);
  const lostAt = performance.now();
  await waitFor('its return', () => harness.connection.state === 'connected', 20_000);
  const [, second = 0, third = 0, fourth = 0] = harness.attempts;
  const delays = [second - lostAt, third - second, fourth - third];
  for (const [index, least] of [250, 500, 1000].entries()) t.ok((delays[index] as number) > least - 5, `${delays[index]}`);
  t.strictSame([harness.connection.error, harness.closed], [null, [false]]);
  t.strictSame(harness.logged, ['nobody: was ended by SIGKILL', 'nobody: went away', 'nobody: connected again']);
});

t.test('a call tries at once, once a second; all who call then wait for the same attempt', async (t) => {
  const harness = make(t, false);
  await harness.connection.open();
  await aSecond();
  harness.watch().closed('ended');
  harness.connects = gone;
  const outcomes = await Promise.allSettled([call(harness.connection), call(harness.connection), call(harness.connection)]);
  t.match(outcomes, [1, 2, 3].map(() => ({ status: 'rejected', reason: { message: 'is down' } })));
  t.equal(harness.attempts.length, 2);
  await t.rejects(call(harness.connection), { message: 'is down' });
  t.equal(harness.attempts.length, 2, 'somebody has just tried');
  await aSecond();
  t.equal(harness.attempts.length, 2, 'this one does not come back by itself');
  harness.connects = () => Promise.resolve();
  t.match(await call(harness.connection), { content: [{ type: 'text' }] });
  t.equal(harness.attempts.length, 3);
});

t.test('what a call begins belongs to whoever made the connection, not to the caller', async (t) => {
  const harness = make(t);
  await harness.connection.open();
  await aSecond();
  harness.watch().closed('ended');
  const result = await context.run('a caller', async () => {
    const answer = await call(harness.connection);
    return [context.getStore(), answer.content[0]];
  });
  t.strictSame(result, ['a caller', { type: 'text', text: 'nobody' }]);
  t.strictSame(harness.logged, ['nobody: ended', 'nobody: connected again']);
});

t.test('only what has certainly done nothing is sent again, and once', async (t) => {
  for (const [kind, calls] of [['unsent', 2], ['session', 2], ['gone', 1], ['cut', 1], ['refused', 1], ['said', 1]] as const) {
    const harness = make(t, false);
    let made = 0;
    harness.link = { call: async () => Promise.reject(new McpFailure(kind, `${kind} ${(made += 1)}`)) };
    await harness.connection.open();
    if (calls === 2) await aSecond();
    await t.rejects(call(harness.connection), { message: `${kind} ${calls}` }, kind);
    t.equal(made, calls, kind);
    t.equal(harness.connection.state, kind === 'cut' || kind === 'refused' || kind === 'said' ? 'connected' : 'down', kind);
  }
});

t.test('a call that timed out, a broken stream and a doubt ask for a sign of life, one at a time; a cancel does not', async (t) => {
  const harness = make(t, false);
  let pings = 0;
  let answer = Promise.withResolvers<void>();
  harness.link = {
    ping: () => {
      pings += 1;
      return answer.promise;
    },
    call: (_tool, _args, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })),
  };
  await harness.connection.open();
  const cancel = new AbortController();
  const cancelled = call(harness.connection, 10_000, cancel);
  await waitFor('the call', () => new Promise<true>((resolve) => setImmediate(() => resolve(true))));
  cancel.abort(new Error('cancelled'));
  await t.rejects(cancelled, { message: 'cancelled' });
  t.equal(pings, 0);
  await t.rejects(call(harness.connection, 20), { message: 'timed out' });
  harness.watch().doubt();
  await waitFor('the ping', () => pings > 0);
  t.equal(pings, 1);
  answer.resolve();
  answer = Promise.withResolvers<void>();
  await waitFor('another', () => {
    harness.watch().doubt();
    return pings === 2;
  });
  answer.reject(new McpFailure('gone', 'did not answer in time'));
  await waitFor('the loss', () => harness.connection.state === 'down');
  t.equal(harness.connection.error, 'did not answer in time');
});

t.test('a server that says again and again that its tools have changed is asked for them a few times a second', async (t) => {
  const harness = make(t);
  let lists = 0;
  harness.link = { list: async () => toolsOf(`tool ${(lists += 1)}`) };
  await harness.connection.open();
  const began = performance.now();
  while (performance.now() - began < 1000) {
    harness.watch().toolsChanged();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await waitFor('the last', () => harness.connection.list.tools[0]?.name === `tool ${lists}`);
  t.ok(lists >= 2 && lists <= 6, `${lists} lists`);
});

t.test('what is heard while it connects is not lost', async (t) => {
  const harness = make(t, false);
  harness.connects = async () => harness.watch().closed('ended');
  await harness.connection.open();
  await waitFor('the loss', () => harness.connection.state === 'down');
  t.equal(harness.connection.error, 'ended');
});

t.test('a close ends an attempt, says so to the server, and is the end', async (t) => {
  const harness = make(t);
  await harness.connection.open();
  await harness.connection.close();
  t.strictSame(harness.closed, [true]);
  await t.rejects(call(harness.connection), { message: 'is down' });
  t.equal(harness.attempts.length, 1);
});
