// The budget of an address for credentials that fail, in bounded memory.
import t from 'tap';
import { FailedCredentials } from '../../../supervisor/access/failed_credentials.ts';

const MINUTE = 60_000;
const countTimes = (failed: FailedCredentials, times: number, address: string, now: number): number => {
  let last = 0;
  for (let i = 0; i < times; i += 1) last = failed.count(address, now);
  return last;
};

t.test('a hundred a minute may fail; more are told how long to wait', async (t) => {
  const failed = new FailedCredentials();
  t.equal(countTimes(failed, 100, '1.2.3.4', 0), 0);
  t.equal(failed.count('1.2.3.4', 0), 60);
  t.equal(failed.count('1.2.3.4', 30_500), 30);
  t.equal(failed.count('1.2.3.4', MINUTE - 1), 1);
  t.equal(failed.count('5.6.7.8', 0), 0, 'another address has a budget of its own');
  t.equal(failed.count('1.2.3.4', MINUTE), 0, 'a minute later it begins anew');
  t.equal(countTimes(failed, 100, '1.2.3.4', MINUTE), 60);
});

t.test('as many addresses are remembered as fit, those that failed last', async (t) => {
  const failed = new FailedCredentials();
  countTimes(failed, 101, '1.1.1.1', 0);
  countTimes(failed, 101, '2.2.2.2', 0);
  for (let i = 0; i < 9_999; i += 1) failed.count(`10.${i >> 8}.${i & 255}.1`, 1);
  t.equal(failed.size, 10_000);
  t.equal(failed.count('2.2.2.2', 1), 60, 'known');
  t.equal(failed.count('1.1.1.1', 1), 0, 'forgotten');
  t.equal(failed.size, 10_000);
});
