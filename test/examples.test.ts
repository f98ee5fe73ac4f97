// The agents of agents/, each served by the real command from a checkout, with a scripted model behind it.
import { dirname } from 'node:path';
import t, { type Test } from 'tap';
import { messagesOf, parseEventStream } from './helpers/event_stream.ts';
import { chat, send, stream } from './helpers/http_client.ts';
import { startModelServer, type ModelServer } from './helpers/model_server.ts';
import { PROJECT, startServer, type StartedServer } from './helpers/process.ts';

/** As npm and npx set it, so that commands of installed packages are found. */
const PATH = `${PROJECT}/node_modules/.bin:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`;

async function serve(t: Test, agent: string): Promise<StartedServer & { readonly model: ModelServer }> {
  const model = await startModelServer();
  t.teardown(() => model.close());
  const env = { PATH, OPENAI_BASE_URL: model.url, OPENAI_API_KEY: 'sk-test' };
  const server = await startServer({ agent, args: ['--host', '127.0.0.1', '--workers', '1'], env });
  t.teardown(() => server.stop());
  return { ...server, model };
}

const call = (name: string, args: unknown) => ({ calls: [{ name, arguments: args, id: `call_${name}` }] });

t.test('support hands over to billing, which works with its tools, and asks policy', async (t) => {
  const { url, model } = await serve(t, 'support');
  model.queue({ text: 'Billing will look.', ...call('transfer_to_billing', {}) }, call('find_invoice', { order: 1042 }), { text: 'You were charged twice.' });
  const opened = await stream(url, { message: 'Charged twice for order 1042?', verbose: true });
  const { events } = parseEventStream(await opened.ended);
  const output = events.at(-1);
  t.match(events.filter(({ content }) => content.type === 'handoff').map(({ content }) => content), [{ from: 'support', to: 'billing' }]);
  t.same(messagesOf(events), ['Billing will look.', 'You were charged twice.']);
  t.match(output?.content['tool_calls'], [{ name: 'transfer_to_billing' }, { name: 'find_invoice', result: /"order":1042,"total_eur":89/ }]);
  t.match(output?.content['token_usage'], { by_agent: [{ agent: 'support' }, { agent: 'billing', input_tokens: 14 }] });

  model.queue(call('policy', { input: 'A kettle, 14 months old, broken.' }), { text: 'Warranty: 24 months.' }, { text: 'We repair it.' });
  const { json } = await chat(url, { message: 'My kettle broke.' });
  t.equal(json['response'], 'We repair it.');
  t.match(model.requests.at(-2)?.body, { temperature: 0, input: [{ role: 'user', content: 'A kettle, 14 months old, broken.' }] });
});

t.test('receipts takes a file and answers in its form', async (t) => {
  const { url, model } = await serve(t, 'receipts');
  const figures = { shop: 'Bakery', date: '2026-11-02', currency: 'EUR', total: 4.2, lines: [{ text: 'Bread', amount: 4.2 }] };
  model.queue({ text: 'A receipt of a bakery.' }, { text: JSON.stringify(figures) });
  const form = new FormData();
  form.set('message', 'What did I pay?');
  form.set('files', new Blob(['BAKERY 2.11.2026\nBread 4.20\nSum 4.20 EUR\n'], { type: 'text/plain' }), 'receipt.txt');
  const response = await fetch(`${url}/chat/with-files`, { method: 'POST', body: form });
  t.equal(response.status, 200);
  const answer = (await response.json()) as { response: string; session_id: string };
  t.same(JSON.parse(answer.response), figures);
  const [first, second] = model.requests.map(({ body }) => body);
  t.match(first, {
    text: { format: { type: 'json_schema', name: 'receipts', strict: true } },
    input: [{ role: 'user', content: [{ text: 'What did I pay?' }, { text: /^\[file: receipt\.txt, text\/plain, 41 bytes\]\nBAKERY/ }] }],
  });
  const sent = (second?.['input'] ?? []) as readonly { readonly content: unknown }[];
  t.match(sent.at(-1)?.content, /^Your answer does not fit the schema: it is not JSON\./);
  const session = await send(url, `/chat/sessions/${answer.session_id}`);
  t.match(session.json['items'], [{ role: 'user', content: 'What did I pay?\n[file: receipt.txt, text/plain, 41 bytes]' }, {}, {}]);
});

t.test('librarian reads its shelf through an MCP server', async (t) => {
  const { url, model } = await serve(t, 'librarian');
  model.queue(call('shelf__read_text_file', { path: 'house_rules.md' }), { text: 'Four weeks.' });
  const { json } = await chat(url, { message: 'How long can I keep a book?', verbose: true });
  t.match(json['content'], { content: 'Four weeks.', tool_calls: [{ name: 'shelf__read_text_file', result: /lent for four weeks/ }] });
  t.match((await send(url, '/status')).json['mcps'], [{ name: 'shelf', transport: 'stdio', workers: { connected: 1 } }]);
  const { json: info } = await send(url, '/agent/info');
  t.same((info['tools'] as { name: string }[]).map(({ name }) => name).sort(), ['shelf__list_directory', 'shelf__read_text_file', 'shelf__search_files']);
});

t.test('concierge is served by the OpenAI Agents SDK', async (t) => {
  const { url, model } = await serve(t, 'concierge');
  model.queue(call('check_table', { people: 2, time: '19:30' }), { text: 'Yes, at 19:30.' });
  const booked = await chat(url, { message: 'A table for two at half past seven?' });
  t.match(booked.json['content'], { content: 'Yes, at 19:30.', agent: 'concierge', tool_calls: [{ name: 'check_table' }] });
  model.queue(call('transfer_to_City_guide', {}), { text: 'The tower of Belém.' });
  const sights = await chat(url, { message: 'What is worth seeing?', session_id: String(booked.json['session_id']) });
  t.equal(sights.json['response'], 'The tower of Belém.');
  const refused = await chat(url, { message: 'My card is 4111 1111 1111 1111.' });
  t.match(refused, { status: 422, json: { code: 'GUARDRAIL' } });
});
