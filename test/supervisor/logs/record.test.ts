// The record of an interaction, from its admission to its end.
import t from 'tap';
import type { LogRecord } from '../../../shared/log_record.ts';
import { Interaction, type InteractionRequest, type Outcome } from '../../../supervisor/interactions/interaction.ts';
import { endRecord, openRecord } from '../../../supervisor/logs/record.ts';
import { readRequestFacts } from '../../../supervisor/logs/request_facts.ts';
import { requestOf } from '../../helpers/requests.ts';

const MODEL = { model_id: 'm-1', provider: 'openai' };
const USAGE = { input_tokens: 7, output_tokens: 64, total_tokens: 71 };
const SECRET = 'ghp_0123456789';
const FILE = { name: 'a.txt', type: 'text/plain', size: 3, path: '/somewhere/secret/a.txt' };

const outcomeOf = (content: string): Outcome => ({ contentJson: JSON.stringify(content), restJson: '"agent":"a"' });

interface Course {
  readonly request?: Partial<InteractionRequest>;
  readonly headers?: readonly string[];
  readonly keepsContent?: boolean;
  readonly events?: readonly string[];
  readonly outcome: Outcome;
}

/** The two records of an interaction that takes this course. */
function recordsOf({ request = {}, headers = [], keepsContent = true, events = [], outcome }: Course): { readonly opened: LogRecord; readonly ended: LogRecord } {
  const interaction = new Interaction(requestOf(request), 'agent');
  const settings = { agentName: 'agent', keepsContent };
  const facts = readRequestFacts(headers, '/chat/stream', interaction.request.env);
  const opened = openRecord(interaction, facts, settings);
  interaction.begin(MODEL);
  interaction.add(events);
  interaction.usage = USAGE;
  return { opened, ended: endRecord(opened, interaction, outcome, facts.redact, settings) };
}

t.test('what is known at its admission is what is kept of it, should nothing follow', async (t) => {
  const request = { id: '11111111-2222-4333-8444-555555555555', sessionId: 's', userId: 'u', owner: 'user:u', message: 'what?' };
  const { opened } = recordsOf({ request, headers: ['accept', '*/*'], outcome: outcomeOf('') });
  const { timestamp, ...others } = opened;
  t.match(timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.strictSame(others, {
    interaction_id: request.id,
    agent_name: 'agent',
    session_id: 's',
    user_id: 'u',
    owner: 'user:u',
    endpoint: '/chat/stream',
    input_message: 'what?',
    output_response: null,
    request_headers: { accept: '*/*' },
    model_info: null,
    token_usage: null,
    total_tokens: null,
    response_time_ms: null,
    time_to_first_token_ms: null,
    queue_ms: null,
    status: 'interrupted',
    error_code: null,
    error_message: null,
    files: null,
  });
});

t.test('a good end has the answer, the model, tokens and times, and files without their paths', async (t) => {
  const { opened, ended } = recordsOf({ request: { files: [FILE] }, events: ['{"type":"text","content":"x","message":1}'], outcome: outcomeOf('said "so"\n') });
  const { response_time_ms, time_to_first_token_ms, queue_ms, ...others } = ended;
  const { response_time_ms: _1, time_to_first_token_ms: _2, queue_ms: _3, ...asOpened } = opened;
  for (const time of [response_time_ms, time_to_first_token_ms, queue_ms]) t.ok(time !== null && time >= 0);
  t.strictSame(others, {
    ...asOpened,
    output_response: 'said "so"\n',
    model_info: MODEL,
    token_usage: USAGE,
    total_tokens: 71,
    status: 'success',
    files: [{ name: 'a.txt', type: 'text/plain', size: 3 }],
  });
});

t.test('a bad end has its code, its words and what there was of the answer', async (t) => {
  const events = ['{"type":"text","content":"as far as ","message":1}', '{"type":"text","content":"this","message":1}'];
  for (const [code, status] of [['MODEL_FAILED', 'error'], ['CANCELLED', 'cancelled'], ['TIMEOUT', 'timeout'], ['QUEUE_TIMEOUT', 'error']] as const) {
    const { ended } = recordsOf({ events, outcome: { code, message: 'why' } });
    t.match(ended, { status, error_code: code.toLowerCase(), error_message: 'why', output_response: 'as far as this' });
  }
});

t.test('no secret of the request is in any field', async (t) => {
  const said = `it is ${SECRET}!`;
  const events = [JSON.stringify({ type: 'text', content: said.slice(0, 12), message: 1 }), JSON.stringify({ type: 'text', content: said.slice(12), message: 1 })];
  const request = { sessionId: 's-the-credential', userId: 'u', message: said, env: { TOKEN: SECRET }, files: [{ ...FILE, name: `${SECRET}.txt` }] };
  const headers = ['user-agent', SECRET, 'authorization', 'Bearer the-credential'];
  for (const outcome of [outcomeOf(`${said} the-credential`), { code: 'AGENT_FAILED', message: `${said} the-credential` } as const]) {
    const { opened, ended } = recordsOf({ request, headers, events, outcome });
    t.notMatch(JSON.stringify([opened, ended]), SECRET);
    t.notMatch(JSON.stringify([opened, ended]), 'the-credential');
    t.match(ended, { session_id: 's-***', user_id: 'u', input_message: 'it is ***!', output_response: /^it is \*\*\*!/, files: [{ name: '***.txt' }] });
  }
});

t.test('whom a row is about is not hidden by a variable that says the same', async (t) => {
  const { opened } = recordsOf({ request: { userId: SECRET, env: { USER_EMAIL: SECRET } }, outcome: outcomeOf('x') });
  t.equal(opened.user_id, SECRET);
});

t.test('without content there are figures only', async (t) => {
  const request = { message: 'a secret plan', files: [{ ...FILE, name: 'plan.txt' }] };
  const events = ['{"type":"text","content":"plan","message":1}'];
  for (const outcome of [outcomeOf('the plan'), { code: 'AGENT_FAILED', message: 'could not plan' } as const]) {
    const { opened, ended } = recordsOf({ request, keepsContent: false, events, outcome });
    t.notMatch(JSON.stringify([opened, ended]), 'plan');
    t.match(ended, { input_message: null, output_response: null, files: null, total_tokens: 71, model_info: MODEL });
  }
  const { ended } = recordsOf({ keepsContent: false, outcome: { code: 'AGENT_FAILED', message: 'x' } });
  t.equal(ended.error_message, 'The agent failed.', 'the words of the table quote nobody');
});

t.test('texts are as long as an answer may be', async (t) => {
  const { ended } = recordsOf({ request: { message: 'x'.repeat(9_000_000) }, outcome: outcomeOf(`x${'😀'.repeat(4_200_000)}`) });
  t.equal(ended.input_message?.length, 8 * 1024 * 1024);
  t.ok(ended.output_response?.isWellFormed());
});
