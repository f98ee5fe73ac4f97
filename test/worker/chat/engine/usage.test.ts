import t from 'tap';
import { createUsageMeter, usageOf } from '../../../../worker/chat/engine/usage.ts';

const usage = { input_tokens: 10, output_tokens: 2, total_tokens: 12 };

t.test('usage is partial while a call is missing from it, and null when nothing is known', async (t) => {
  const meter = createUsageMeter();
  t.equal(meter.total(), null);
  meter.callStarted();
  t.equal(meter.total(), null);
  meter.callEnded(usage);
  t.same(meter.total(), usage);
  meter.callStarted();
  t.same(meter.total(), { ...usage, partial: true });
  meter.callEnded(null);
  t.same(meter.total(), { ...usage, partial: true }, 'its end told no usage');
});

t.test('figures that are no counts are no usage', async (t) => {
  t.same(usageOf(1, 2, undefined), { input_tokens: 1, output_tokens: 2, total_tokens: 3 });
  t.same(usageOf(1, 2, 9), { input_tokens: 1, output_tokens: 2, total_tokens: 9 });
  for (const [input, output] of [[undefined, 1], [1.5, 1], [-1, 1], ['1', 1]]) t.equal(usageOf(input, output, 3), null);
});
