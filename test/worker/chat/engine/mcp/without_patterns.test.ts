import t from 'tap';
import { withoutPatterns } from '../../../../../worker/chat/engine/mcp/without_patterns.ts';

t.test('regular expressions go wherever they are keywords, and nothing else does', async (t) => {
  const schema = {
    type: 'object',
    pattern: '^(a+)+$',
    properties: {
      pattern: { type: 'string', pattern: '^(a+)+$', minLength: 1, enum: [{ pattern: 'x' }] },
      list: { items: [{ pattern: 'x' }, { type: 'string' }], anyOf: [{ pattern: 'x' }, { required: ['pattern'] }] },
    },
    $defs: { pattern: { pattern: 'x', const: { pattern: 'y' } } },
    additionalProperties: false,
  };
  t.strictSame(withoutPatterns(schema), {
    type: 'object',
    properties: {
      pattern: { type: 'string', minLength: 1, enum: [{ pattern: 'x' }] },
      list: { items: [{}, { type: 'string' }], anyOf: [{}, { required: ['pattern'] }] },
    },
    $defs: { pattern: { const: { pattern: 'y' } } },
    additionalProperties: false,
  });
});

t.test('names that only a pattern allows are not forbidden without it', async (t) => {
  t.strictSame(withoutPatterns({ patternProperties: { '^x': {} }, additionalProperties: false, required: ['x1'] }), { required: ['x1'] });
});
