import t from 'tap';
import { compileTemplate, parseEnvironment } from '../../../../worker/chat/agents/variables.ts';

t.test('a template is filled from each environment anew', async (t) => {
  const fill = compileTemplate('You serve {{TENANT}} in {{ REGION }}.');
  t.equal(fill({ TENANT: 'A', REGION: 'eu' }), 'You serve A in eu.');
  t.equal(fill({ TENANT: 'B' }), 'You serve B in .', 'what is not set is empty');
});

t.test('values are taken as they are, and what is no variable stays', async (t) => {
  t.equal(compileTemplate('{{A}} {{A}}')({ A: '$& {{B}}', B: 'x' }), '$& {{B}} $& {{B}}');
  t.equal(compileTemplate('{{ user.name }} {A} {{}}')({ A: 'x' }), '{{ user.name }} {A} {{}}');
});

t.test('an entry of environment is cut at its first =', async (t) => {
  t.same(parseEnvironment(['A=1', 'B=x=y', 'C=']), { A: '1', B: 'x=y', C: '' });
});
