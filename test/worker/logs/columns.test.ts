// Which record of an interaction stands for all that a batch has of it.
import t from 'tap';
import { oncePerInteraction } from '../../../worker/logs/columns.ts';
import { idOf, recordOf } from './ship_thread.ts';

const opened = recordOf(1, { status: 'interrupted' });

t.test('an end stands in for an interrupted one of the same, whichever comes first', (t) => {
  const end = { ...opened, status: 'success' as const };
  t.strictSame(oncePerInteraction([opened, end]), { once: [end], reused: [] });
  t.strictSame(oncePerInteraction([end, opened]), { once: [end], reused: [] });
  t.end();
});

t.test("another owner's or agent's is another interaction, whose id was used", (t) => {
  const later = { ...opened, status: 'success' as const, timestamp: '2030-01-01T00:00:00.000Z' };
  for (const other of [{ ...later, owner: 'user:eve' }, { ...later, agent_name: 'other' }]) {
    t.strictSame(oncePerInteraction([opened, other]), { once: [opened], reused: [idOf(1)] });
  }
  t.end();
});
