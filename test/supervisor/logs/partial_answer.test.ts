// What is known of an answer that broke off: the last message, as far as its pieces are kept.
import t from 'tap';
import { EventRing } from '../../../supervisor/interactions/ring.ts';
import { partialAnswer } from '../../../supervisor/logs/partial_answer.ts';

const START = '{"type":"start","agent":"a","model":null}';
const text = (content: string, message = 1) => JSON.stringify({ type: 'text', content, message });

function answerOf(...batches: readonly (readonly string[])[]): string | null {
  const ring = new EventRing();
  for (const batch of batches) ring.append(batch, Number.POSITIVE_INFINITY);
  return partialAnswer(ring.newestFirst());
}

t.test('without text there is none', async (t) => {
  t.equal(answerOf(), null);
  t.equal(answerOf([START]), null);
  t.equal(answerOf([START], ['{"type":"reasoning","content":"hm","message":1}']), null);
});

t.test('pieces are joined in their order, however they came', async (t) => {
  t.equal(answerOf([START], [text('Hel'), text('lo "')], [text('you"\n')]), 'Hello "you"\n');
});

t.test('only the last message counts; what is not text is passed over', async (t) => {
  const call = '{"type":"tool_call","id":"1","name":"x","arguments":{"type":"text"}}';
  t.equal(answerOf([START, text('first', 1), call], [text('sec', 2)], [call, text('ond', 2), call]), 'second');
});

t.test('that its beginning is given up is shown', async (t) => {
  const piece = 'x'.repeat(100_000);
  const answer = answerOf([START], ...Array.from({ length: 10 }, () => [text(piece)]), [text('the end')]);
  t.match(answer, /^…x+the end$/);
  t.ok((answer ?? '').length < 600_000);
});
