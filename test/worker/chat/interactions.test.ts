// The interactions of a worker: each begins if its claim can be won, has its own environment, and ends with exactly one frame.
import t from 'tap';
import { AppError } from '../../../shared/errors.ts';
import { CLAIM_STARTED, CLAIM_WITHDRAWN, FIRST_CLAIM_CELL, type InteractionTask, type WorkerFrame } from '../../../shared/protocol.ts';
import type { AgentContext, Answer, AnswerEnd, LoadedAgent } from '../../../worker/chat/agents/agent.ts';
import { createInteractions, type Interactions } from '../../../worker/chat/interactions.ts';
import type { Isolation, Scope } from '../../../worker/chat/isolation.ts';
import { waitFor } from '../../helpers/wait_for.ts';

type Run = (answer: Answer, context: AgentContext) => Promise<AnswerEnd>;

const MODEL = { model_id: 'm', provider: 'p' };
const GOOD: AnswerEnd = { usage: null, model: MODEL, finishReason: 'stop' };

interface Harness {
  readonly interactions: Interactions;
  readonly shared: Int32Array;
  /** Of each frame its type and what tells it from others. */
  readonly frames: readonly string[];
  readonly scopes: readonly Scope[];
  readonly left: readonly string[];
}

function serve(run: Run): Harness {
  const frames: string[] = [];
  const scopes: Scope[] = [];
  const left: string[] = [];
  const shared = new Int32Array(8);
  const isolation: Isolation = {
    base: { BASE: 'base', BOTH: 'base' },
    enter(scope, work) {
      scopes.push(scope);
      return work();
    },
    leave: ({ id }) => void left.push(id),
  };
  const line = {
    post: (frame: WorkerFrame) => void frames.push(shortly(frame)),
    postEvent: (id: string, json: string) => void frames.push(`event ${id} ${json}`),
    beforeFlush: () => {},
    postLog: (id: string | null, level: string, text: string) => void frames.push(`log ${id} ${level} ${text.split('\n')[0]}`),
    creditLog: () => {},
  };
  const agent: LoadedAgent = {
    facts: {
      name: 'a', description: '', framework: 'generator', model: null, tools: [], mcps: [], agents: [], prompts: [], requestEnv: [], allowReinitialize: false, smokeTest: null, maxItems: 1, port: null, tags: [],
      maxTurns: 1, warnings: [],
    },
    environment: { AGENT: 'agent', BOTH: 'agent' },
    modelFor: () => MODEL,
    run: (_input, context, answer) => run(answer, context),
    close: async () => {},
  };
  return { interactions: createInteractions('a', agent, isolation, line, shared), shared, frames, scopes, left };
}

function shortly(frame: WorkerFrame): string {
  if (frame.type === 'skipped') return `skipped ${frame.seat}`;
  if (frame.type !== 'ended') return `${frame.type} ${'id' in frame ? frame.id : ''}`;
  return `ended ${frame.id} ${frame.end.status === 'success' ? frame.end.contentJson : `${frame.end.code}: ${frame.end.message}`}`;
}

function taskOf(id: string, more: Partial<InteractionTask> = {}): InteractionTask {
  return { id, seat: 0, sessionId: 's', userId: 'u', message: 'hi', files: [], turns: [], turnCount: 0, env: {}, verbose: false, joinText: false, ...more };
}

const ended = ({ frames }: Harness, count = 1): Promise<true> =>
  waitFor('the end', () => frames.filter((frame) => frame.startsWith('ended ')).length === count);

t.test('what an interaction started does not outlive its failure', async (t) => {
  let signal: AbortSignal | undefined;
  const harness = serve(async (_answer, context) => {
    ({ signal } = context);
    throw new AppError('MAX_TURNS');
  });
  harness.interactions.run(taskOf('i'));
  await ended(harness);
  t.equal(signal?.aborted, true);
  t.match(harness.frames.at(-1), /^ended i MAX_TURNS/);
});

t.test('an interaction begins, answers and ends; then its environment is taken away', async (t) => {
  const harness = serve(async (answer) => {
    answer.text('hello');
    return GOOD;
  });
  harness.interactions.run(taskOf('i', { seat: 2 }));
  await ended(harness);
  t.strictSame(harness.frames, ['started i', 'event i {"type":"text","content":"hello","message":1}', 'ended i "hello"']);
  t.equal(harness.shared[FIRST_CLAIM_CELL + 2], CLAIM_STARTED);
  t.strictSame(harness.left, ['i']);
});

t.test('one whose claim was withdrawn is skipped: the agent never sees it', async (t) => {
  const harness = serve(async () => GOOD);
  harness.shared[FIRST_CLAIM_CELL + 1] = CLAIM_WITHDRAWN;
  harness.interactions.run(taskOf('i', { seat: 1 }));
  t.strictSame(harness.frames, ['skipped 1']);
  t.strictSame(harness.scopes, []);
});

t.test('its environment is the base, the agent\'s, and what the request set, in that order', async (t) => {
  let history: unknown;
  const harness = serve(async (_answer, context) => {
    ({ history } = context);
    return GOOD;
  });
  const turns = ['[{"type":"message","role":"user","content":"1"}]', '[{"type":"message","role":"user","content":"2"}]'];
  harness.interactions.run(taskOf('i', { env: { OWN: 'own', BOTH: 'own' }, turns }));
  await ended(harness);
  t.same(harness.scopes[0]?.env, { BASE: 'base', AGENT: 'agent', OWN: 'own', BOTH: 'own' });
  t.match(history, [{ content: '1' }, { content: '2' }]);
});

t.test('an error with words for a client is told with them, any other only as the agent\'s failure; both are in the log', async (t) => {
  const thrown: readonly [unknown, string][] = [
    [new AppError('MODEL_FAILED', { message: 'The model is away.' }), 'ended i MODEL_FAILED: The model is away.'],
    [new AppError('NOT_FOUND', { message: 'No end of an interaction.' }), 'ended i AGENT_FAILED: No end of an interaction.'],
    [new Error('a secret'), 'ended i AGENT_FAILED: The agent failed.'],
    ['no error', 'ended i AGENT_FAILED: The agent failed.'],
  ];
  for (const [error, end] of thrown) {
    const harness = serve(async () => {
      throw error;
    });
    harness.interactions.run(taskOf('i'));
    await ended(harness);
    t.equal(harness.frames.at(-1), end);
    t.match(harness.frames.at(-2), /^log i error /);
  }
});

t.test('a cancel aborts the agent\'s signal, and its end is told once, without a line in the log', async (t) => {
  const harness = serve((_answer, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))));
  harness.interactions.run(taskOf('i'));
  harness.interactions.cancel('unknown', 5000);
  harness.interactions.cancel('i', 5000);
  harness.interactions.cancel('i', 5000);
  await ended(harness);
  t.strictSame(harness.frames, ['started i', 'ended i CANCELLED: The interaction was cancelled.']);
  harness.interactions.cancel('i', 5000);
  harness.interactions.credit('i', 1);
});

t.test('code that goes on for longer than its grace after a cancel is told, once; what ends in time is not', async (t) => {
  const gates = new Map(['late', 'deaf', 'uncancelled'].map((id) => [id, Promise.withResolvers<void>()]));
  const harness = serve((answer, { signal, interactionId }) => {
    answer.follow(gates.get(interactionId)?.promise ?? Promise.resolve());
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  ['late', 'deaf', 'uncancelled', 'deaf too'].forEach((id, seat) => harness.interactions.run(taskOf(id, { seat })));
  harness.interactions.cancel('late', 200);
  harness.interactions.cancel('deaf', 200);
  harness.interactions.cancel('deaf', 200);
  await ended(harness, 2);
  gates.get('late')?.reject(new Error('late, and in time'));
  await waitFor('the news', () => harness.frames.includes('deaf deaf'));
  gates.get('deaf')?.resolve();
  harness.interactions.cancel('deaf', 0);
  harness.interactions.cancel('deaf too', 0);
  await ended(harness, 3);
  t.strictSame(harness.frames.filter((frame) => /^(deaf|heard)/.test(frame)), ['deaf deaf', 'heard deaf'], 'and that it has ended after all');
});

t.test('a stray error ends the interaction though its agent goes on, and aborts it; what comes later changes nothing', async (t) => {
  const gate = Promise.withResolvers<AnswerEnd>();
  let aborted = false;
  const harness = serve((_answer, { signal }) => {
    signal.addEventListener('abort', () => (aborted = true));
    return gate.promise;
  });
  harness.interactions.run(taskOf('i'));
  harness.scopes[0]?.fail(new Error('stray'));
  await ended(harness);
  t.ok(aborted);
  gate.resolve(GOOD);
  harness.scopes[0]?.fail(new Error('stray'));
  await gate.promise;
  t.strictSame(harness.frames, ['started i', 'ended i AGENT_FAILED: The agent failed.']);
});

t.test('two interactions run beside each other, and each ends by itself', async (t) => {
  const gates = new Map(['a', 'b'].map((id) => [id, Promise.withResolvers<AnswerEnd>()]));
  const harness = serve((_answer, { interactionId }) => gates.get(interactionId)?.promise ?? Promise.resolve(GOOD));
  harness.interactions.run(taskOf('a', { seat: 0 }));
  harness.interactions.run(taskOf('b', { seat: 1 }));
  gates.get('b')?.resolve(GOOD);
  await ended(harness);
  gates.get('a')?.resolve(GOOD);
  await ended(harness, 2);
  t.strictSame(harness.frames, ['started a', 'started b', 'ended b ""', 'ended a ""']);
});
