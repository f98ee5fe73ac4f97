import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadFile, loadOptions, runAgent } from '../helpers/interaction.ts';
import { nothingIsLeft } from '../helpers/leftovers.ts';

const file = fileURLToPath(new URL('../../agents/my_agent/agent.yaml', import.meta.url));
const agent = await loadFile(file, loadOptions());
t.teardown(() => agent.close());

const use = async (name: string, args: object) => (await runAgent(agent, `/tool ${name} ${JSON.stringify(args)}`)).answer.messages[0] ?? '';

t.test('it answers without a key, and says how to get a real answer', async (t) => {
  const { answer } = await runAgent(agent, 'Hello');
  t.match(answer.messages, [/^Hello! I am the offline model.*OPENAI_API_KEY.*current_time, calculate, convert_unit/]);
});

t.test('it tells the time in a zone, and what is wrong with one that does not exist', async (t) => {
  t.match(await use('current_time', { zone: 'Asia/Tokyo' }), /"zone":"Asia\/Tokyo","local":".* (GMT\+9|JST)"/);
  t.match(await use('current_time', {}), /"zone":"UTC"/);
  t.match(await use('current_time', { zone: 'Mars/Base' }), /Mars\/Base is not the IANA name of a time zone/);
});

t.test('it calculates by the rules of precedence, and runs nothing', async (t) => {
  const cases = {
    '1+2*3': 7,
    '-2^2': -4,
    '2^3^2': 512,
    '(1 + 2) * 3.5': 10.5,
    '0.1+0.2': 0.3,
    'sqrt(2)^2': 2,
    '10 % 4 - 3': -1,
    '2 ** -1': 0.5,
    '1.5e3*2': 3000,
  };
  for (const [expression, value] of Object.entries(cases)) t.match(await use('calculate', { expression }), `"value":${value}}`, expression);
  for (const expression of ['1/0', 'process.exit()', '2 3', '((', 'constructor(1)', '1+']) {
    t.notMatch(await use('calculate', { expression }), '"value"', expression);
  }
});

t.test('it converts units of one dimension only', async (t) => {
  t.match(await use('convert_unit', { value: 100, from: 'C', to: 'F' }), '{"value":212,"unit":"F"}');
  t.match(await use('convert_unit', { value: 26.2, from: 'mi', to: 'km' }), '{"value":42.1648128,"unit":"km"}');
  t.match(await use('convert_unit', { value: 1, from: 'm', to: 'kg' }), 'm cannot be converted to kg.');
  t.match(await use('convert_unit', { value: 1, from: 'parsec', to: 'm' }), 'must be equal to one of the allowed values');
});

nothingIsLeft(t);
