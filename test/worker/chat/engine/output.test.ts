import t from 'tap';
import { createOutput, type JsonSchema } from '../../../../worker/chat/engine/output.ts';
import { sampleOf } from '../../../../worker/chat/engine/sample.ts';

const INVOICE = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: {
    total: { type: 'number', minimum: 1 },
    lines: { type: 'array', items: { $ref: '#/$defs/line' }, minItems: 1 },
    state: { enum: ['paid', 'open'] },
    note: { anyOf: [{ type: 'string' }, { type: 'null' }] },
  },
  required: ['total', 'lines', 'state', 'note'],
  additionalProperties: false,
  $defs: { line: { type: 'object', properties: { text: { type: 'string' }, gift: { type: 'boolean' } }, required: ['text', 'gift'], additionalProperties: false } },
};

t.test('an answer that fits has no problem, any other says what is wrong', async (t) => {
  const { format, problemOf } = await createOutput('the agent', INVOICE);
  t.match(format, { name: 'the_agent', strict: true });
  t.notOk('$schema' in format.schema);
  t.equal(problemOf('{"total":5,"lines":[{"text":"a","gift":true}],"state":"paid","note":null}'), null);
  t.equal(problemOf('Five euros.'), 'it is not JSON');
  t.equal(problemOf(''), 'it is not JSON');
  t.equal(
    problemOf('{"total":"5","lines":[{"text":"a","gift":1,"more":2}],"state":"paid","note":null}'),
    'total must be number; lines.0 must NOT have additional properties (more); lines.0.gift must be boolean',
  );
});

t.test('a schema that leaves something open is not sent as a strict one', async (t) => {
  const open: readonly JsonSchema[] = [
    { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] },
    { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false },
    { ...INVOICE, $defs: { line: { type: 'object' } } },
    ...[
      { oneOf: [{ type: 'string' }] }, { allOf: [{ type: 'string' }] }, { not: { type: 'string' } }, {}, { type: 'string', minLength: 2 }, { type: 'string', default: 'x' },
      { type: 'array', items: {} }, { anyOf: [{ type: 'string' }, { type: 'object' }] },
    ].map((a) => ({ type: 'object', properties: { a }, required: ['a'], additionalProperties: false })),
  ];
  for (const schema of open) t.equal((await createOutput('a', schema)).format.strict, false);
});

t.test('what is wrong is told in a few words, whatever the model made up', async (t) => {
  const { problemOf } = await createOutput('a', { type: 'object', additionalProperties: false });
  t.equal(problemOf(JSON.stringify({ ['x'.repeat(100_000)]: 1 }))?.length, 201);
});

t.test('a schema that is none is refused', async (t) => {
  await t.rejects(createOutput('a', { type: 'object', properties: { a: { type: 'strin' } } }), { path: ['properties', 'a', 'type'], message: /equal to one of the allowed values: array, boolean/ });
  await t.rejects(createOutput('a', { type: 'object', required: 'a' }), { path: ['required'], message: 'must be array' });
  await t.rejects(createOutput('a', { type: 'object', propertys: {} }), { path: [], message: 'unknown keyword: "propertys"' });
  await t.rejects(createOutput('a', { type: 'object', properties: { a: { $ref: '#/$defs/none' } } }), /can't resolve reference/);
});

t.test('the plainest value of a schema fits it', async (t) => {
  const schemas: readonly JsonSchema[] = [
    INVOICE,
    { type: 'object' },
    { type: 'object', properties: { a: { type: ['integer', 'null'] }, b: { const: 3 }, c: { default: 'x' }, d: { type: 'number', examples: [2.5] } } },
    { type: 'object', properties: { all: { allOf: [{ type: 'object', properties: { deep: { items: { type: 'string' } } } }] }, none: { type: 'null' } } },
    { type: 'object', properties: { self: { $ref: '#' }, text: { type: 'string', minLength: 20 } }, required: ['text'] },
  ];
  for (const schema of schemas) {
    const { problemOf } = await createOutput('a', schema);
    t.equal(problemOf(JSON.stringify(sampleOf(schema))), null);
  }
  const many = (of: JsonSchema): JsonSchema => ({ type: 'array', items: of, minItems: 500 });
  t.ok(JSON.stringify(sampleOf(many(many(many({ type: 'string' }))))).length < 200_000, 'nested lists have a bound together');
  t.doesNotThrow(() => JSON.stringify(sampleOf({ $ref: '#' })), 'a schema that only refers to itself ends');
});
