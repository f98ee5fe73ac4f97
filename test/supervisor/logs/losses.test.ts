// What is said of losses: each is counted, few lines tell of them.
import { pino } from 'pino';
import t from 'tap';
import { createLosses } from '../../../supervisor/logs/losses.ts';
import { waitFor } from '../../helpers/wait_for.ts';

function losses(intervalMs: number) {
  const logged: string[] = [];
  const log = pino({ base: null, timestamp: false, formatters: { level: (level) => ({ level }) } }, { write: (line: string) => void logged.push(line.trim()) });
  return { ...{ logged }, losses: createLosses(log, intervalMs) };
}

t.test('every record counts, one line in an interval tells', async (t) => {
  const { logged, losses: of } = losses(60_000);
  for (let i = 0; i < 1000; i += 1) of.refused(i % 2, 'it is full');
  t.equal(of.count, 500);
  t.strictSame(logged, ['{"level":"error","lost":0,"reason":"it is full","msg":"the spool of the log takes no more"}']);
});

t.test('that it is over is told once, and however often it comes and goes, no more than a pair of lines in an interval', async (t) => {
  const { logged, losses: of } = losses(60_000);
  of.over();
  t.strictSame(logged, [], 'nothing had been wrong');
  for (let i = 0; i < 100; i += 1) {
    of.refused(1, 'ENOSPC');
    of.over();
    of.over();
  }
  t.strictSame(logged.slice(1), ['{"level":"info","lost":1,"msg":"the spool of the log takes records again"}']);
});

t.test('what goes on is told again', async (t) => {
  const { logged, losses: of } = losses(30);
  await waitFor('the second line', () => {
    of.refused(1, 'EIO');
    return logged.length > 1;
  });
  t.match(logged[1], `"lost":${of.count},`);
});
