// A model that is watched: it waits for its reader, ends with its interaction, is counted, and keeps no secret in what it throws.
import type { Model, ModelRequest, StreamEvent } from '@openai/agents';
import t from 'tap';
import { AppError } from '../../../../../shared/errors.ts';
import { enterRun, type SdkRun } from '../../../../../worker/chat/agents/sdk/current_run.ts';
import { watchModel } from '../../../../../worker/chat/agents/sdk/watch_model.ts';
import { createUsageMeter } from '../../../../../worker/chat/engine/usage.ts';
import { makeContext } from '../../../../helpers/interaction.ts';
import { recordAnswer, type RecordingAnswer } from '../../../../helpers/recording_answer.ts';
import { waitFor } from '../../../../helpers/wait_for.ts';

const USAGE = { inputTokens: 3, outputTokens: 4, totalTokens: 7 };
const delta = (piece: string) => ({ type: 'output_text_delta', delta: piece }) as StreamEvent;
const done = (usage: object = USAGE) => ({ type: 'response_done', response: { id: 'r', usage, output: [{}] } }) as StreamEvent;
const request = { input: 'hi', modelSettings: { temperature: 1 } } as ModelRequest;

interface Made {
  readonly run: SdkRun;
  readonly answer: RecordingAnswer;
  readonly abort: AbortController;
}

function makeRun(more: Partial<SdkRun> = {}): Made {
  const answer = recordAnswer('hi');
  const abort = new AbortController();
  const context = makeContext({ signal: abort.signal });
  const run = {
    context, answer, usage: createUsageMeter(), secrets: ['sk-secret'], providers: new Map(), modelErrors: new WeakMap(), temperature: null, maxTokens: null,
    over: false, ...more,
  };
  return { run, answer, abort };
}

function modelOf(events: (request: ModelRequest) => AsyncIterable<StreamEvent>): Model & { readonly asked: ModelRequest[] } {
  const asked: ModelRequest[] = [];
  return {
    asked,
    async getResponse(given) {
      asked.push(given);
      return { usage: USAGE, output: [] } as unknown as Awaited<ReturnType<Model['getResponse']>>;
    },
    getStreamedResponse(given) {
      asked.push(given);
      return events(given);
    },
  };
}

async function all<T>(events: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const event of events) found.push(event);
  return found;
}

const collect = (model: Model, { run }: Made): Promise<StreamEvent[]> => enterRun(run, () => all(model.getStreamedResponse(request)));

t.test('it stays the same object, and does nothing of its own outside of an interaction', async (t) => {
  const model = modelOf(async function* () {
    yield delta('a');
  });
  t.equal(watchModel(watchModel(model)), model);
  t.strictSame(await all(model.getStreamedResponse(request)), [delta('a')]);
  t.equal(model.asked[0], request);
  const frozen = Object.freeze(modelOf(async function* () {}));
  t.equal(watchModel(frozen), frozen, 'one that cannot be watched is left as it is');
});

t.test('calls are counted as they end, and a cut one makes the sum partial', async (t) => {
  const made = makeRun();
  const model = watchModel(modelOf(async function* () {
    yield delta('a');
    yield done();
  }));
  t.strictSame(await collect(model, made), [delta('a'), done()]);
  await enterRun(made.run, () => model.getResponse(request));
  t.strictSame(made.run.usage.total(), { input_tokens: 6, output_tokens: 8, total_tokens: 14 });
  const cut = watchModel(modelOf(async function* () {
    yield delta('a');
    throw new TypeError('terminated');
  }));
  await t.rejects(collect(cut, made), { message: 'terminated' });
  t.strictSame(made.run.usage.total(), { input_tokens: 6, output_tokens: 8, total_tokens: 14, partial: true });
});

t.test('zeros, as the package counts where a server tells nothing, are no figure', async (t) => {
  const made = makeRun();
  await collect(watchModel(modelOf(async function* () {
    yield done({ inputTokens: 0, outputTokens: 0, totalTokens: 0 });
  })), made);
  t.equal(made.run.usage.total(), null);
});

t.test('it goes on only as its reader does', async (t) => {
  const made = makeRun();
  let count = 0;
  const model = watchModel(modelOf(async function* () {
    for (; count < 100; count += 1) yield delta('a');
    yield done();
  }));
  const reader = Promise.withResolvers<void>();
  made.answer.hold(reader.promise);
  const collected = collect(model, made);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.equal(count, 0, 'the first event waits');
  made.answer.hold(undefined);
  reader.resolve();
  t.equal((await collected).length, 101);
});

t.test('it is aborted with its interaction, whether its caller has a signal or none', async (t) => {
  for (const signal of [undefined, new AbortController().signal]) {
    const made = makeRun();
    const model = modelOf(async function* ({ signal: given }) {
      yield delta('a');
      await waitFor('the abort', () => given?.aborted);
      throw new Error('aborted');
    });
    const collected = enterRun(made.run, () => all(watchModel(model).getStreamedResponse({ ...request, ...(signal === undefined ? {} : { signal }) })));
    made.abort.abort(new AppError('CANCELLED'));
    await t.rejects(collected, { message: 'aborted' });
  }
});

t.test('the command line\'s parameters win over the agent\'s', async (t) => {
  const model = modelOf(async function* () {
    yield done();
  });
  await collect(watchModel(model), makeRun({ temperature: 0.5, maxTokens: 9 }));
  t.match(model.asked[0]?.modelSettings, { temperature: 0.5, maxTokens: 9 });
});

t.test('what it throws is known as the model\'s, and has no secret in it', async (t) => {
  const made = makeRun();
  const error = Object.assign(new Error('401 sk-secret'), { status: 401, cause: new Error('of sk-secret') });
  await t.rejects(collect(watchModel(modelOf(async function* () {
    yield delta('a');
    throw error;
  })), made), error);
  t.match(made.run.modelErrors.get(error), { code: 'MODEL_AUTH_FAILED' });
  t.notMatch(`${error.message}${error.stack}${(error.cause as Error).message}${(error.cause as Error).stack}`, /sk-secret/);
});

t.test('an interaction that is over hears nothing more', async (t) => {
  const made = makeRun({ over: true });
  made.answer.hold(new Promise(() => {}));
  made.answer.active = () => t.fail('it is over');
  t.equal((await collect(watchModel(modelOf(async function* () {
    yield done();
  })), made)).length, 1);
});
