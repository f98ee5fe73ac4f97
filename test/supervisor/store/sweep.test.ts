// Expired sessions go as fast as there are any, in portions, and a store that fails is asked again.
import { pino } from 'pino';
import t from 'tap';
import { sweepSessions } from '../../../supervisor/store/sweep.ts';
import { waitFor } from '../../helpers/wait_for.ts';

const log = pino({ level: 'silent' });

t.test('portion follows portion while there is more, then it rests', async (t) => {
  let portions = 0;
  const end = sweepSessions({ sweep: () => ++portions < 5 }, log);
  t.teardown(end);
  await waitFor('five portions', () => portions === 5, 2000);
});

t.test('it ends when it is told to, also after an error', async (t) => {
  let asked = 0;
  const end = sweepSessions({
    sweep: () => {
      asked += 1;
      throw new Error('the disk is full');
    },
  }, log);
  await waitFor('the first portion', () => asked === 1, 2000);
  end();
  t.equal(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length, 0);
});
