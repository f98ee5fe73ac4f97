// The one table of errors.
import t from 'tap';
import { AppError, ERRORS, eventCode, isEndCode, type ErrorCode } from '../../shared/errors.ts';

const CODES = Object.keys(ERRORS) as ErrorCode[];

/** The codes that an error event can carry, with the statuses that the contract gives them. */
const OF_EVENTS: Readonly<Record<string, number>> = {
  cancelled: 409, guardrail: 422, agent_failed: 500, worker_crashed: 500, worker_stuck: 500, model_failed: 502, model_auth_failed: 502, max_turns: 502,
  output_invalid: 502,
  queue_full: 503,
  queue_timeout: 503, shutting_down: 503, no_workers: 503, store_unavailable: 503, session_not_saved: 503, timeout: 504, internal: 500,
};

t.test('an error event carries one of the contract\'s codes, in lower case', async (t) => {
  t.strictSame(Object.fromEntries(CODES.filter(isEndCode).map((code) => [eventCode(code), ERRORS[code].status])), OF_EVENTS);
});

t.test('every code is a word of capitals, with a status of an error and a sentence', async (t) => {
  for (const code of CODES) {
    const { status, message } = ERRORS[code];
    t.match(code, /^[A-Z]+(_[A-Z]+)*$/);
    t.ok(status >= 400 && status <= 504, code);
    t.match(message, /^[A-Z].*\.$/, code);
  }
});

t.test('waiting helps with every 503 and 429 but where there is no log, and with nothing else', async (t) => {
  const expected = CODES.filter((code) => [429, 503].includes(ERRORS[code].status) && code !== 'LOGGING_DISABLED');
  t.strictSame(CODES.filter((code) => 'retry' in ERRORS[code]), expected);
});

t.test('no two codes say the same', async (t) => {
  t.equal(new Set(CODES.map((code) => ERRORS[code].message)).size, CODES.length);
});

t.test('an error says what its place knows, else what the table says', async (t) => {
  t.match(new AppError('TIMEOUT'), { code: 'TIMEOUT', status: 504, message: ERRORS.TIMEOUT.message, details: {} });
  const cause = new Error('why');
  t.match(new AppError('TIMEOUT', { message: 'After 5 s.' }, { cause }), { message: 'After 5 s.', cause });
});
