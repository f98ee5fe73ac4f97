// Which of the server's own settings are secrets.
import t from 'tap';
import { Secret } from '../../../shared/secret.ts';
import { ownSecrets } from '../../../supervisor/logs/own_secrets.ts';

const address = (url: string) => ({ url: new Secret(url), shown: '' });
const logging = (url: string) => ({ postgres: address(url), retentionDays: 0, keepsContent: true, spoolMaxBytes: 0 });

t.test('the admin token and the passwords of the stores are, as they were meant', async (t) => {
  const found = ownSecrets({ adminToken: new Secret('admin'), redis: address('redis://:r%40s@h:1'), logging: logging('postgres://u:p%25@h/d') });
  t.strictSame(found, ['admin', 'r@s', 'p%']);
});

t.test('what is not there, and the password that everybody knows, are none', async (t) => {
  t.strictSame(ownSecrets({ adminToken: new Secret(null), redis: null, logging: null }), []);
  t.strictSame(ownSecrets({ adminToken: new Secret(null), redis: address('redis://h:1'), logging: logging('postgres://postgres:postgres@h/d') }), []);
  t.strictSame(ownSecrets({ adminToken: new Secret(null), redis: null, logging: logging('postgres://u:50%@h/d') }), ['50%']);
});
