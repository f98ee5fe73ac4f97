// The words of the command line reach the configuration as the user typed them.
import t from 'tap';
import { markValues } from '../../bin/arguments.ts';

/** The marked words, the mark shown. */
const shown = (...words: string[]) => markValues(words).map((word) => word.replace('\0', '¶'));

t.test('names stand first, every value is joined to its option and marked', async (t) => {
  t.strictSame(shown('-p', '010', 'my_agent', '--host=::1'), ['my_agent', '--port=¶010', '--host=¶::1']);
  t.strictSame(shown('--temperature', '1e3', 'a', '-m=0x10'), ['a', '--temperature=¶1e3', '--max-tokens=¶0x10']);
});

t.test('an empty value, one with an equals sign and a negative number are values', async (t) => {
  t.strictSame(shown('--host='), ['--host=¶']);
  t.strictSame(shown('--host', ''), ['--host=¶']);
  t.strictSame(shown('--data-dir=/a=b'), ['--data-dir=¶/a=b']);
  t.strictSame(shown('-t', '-1'), ['--temperature=¶-1']);
});

t.test('words after --allowed-modes are taken while they are modes', async (t) => {
  t.strictSame(shown('my_agent', '--allowed-modes', 'chat', 'health'), ['my_agent', '--allowed-modes=¶chat,health']);
  t.strictSame(shown('--allowed-modes', 'chat,health', 'my_agent'), ['my_agent', '--allowed-modes=¶chat,health']);
  t.strictSame(shown('--allowed-modes=chat', 'logs', 'my_agent', '--allowed-modes', 'agent'), ['my_agent', '--allowed-modes=¶chat,logs,agent']);
});

t.test('tokens has options of its own; words after --scopes are taken while they are scopes', async (t) => {
  t.strictSame(
    shown('tokens', 'create', '--scopes', 'chat', 'logs:all', '--json', '--ttl', '30d'),
    ['tokens', 'create', '--json', '--ttl=¶30d', '--scopes=¶chat,logs:all'],
  );
  t.strictSame(shown('tokens', 'revoke', '--agent', 'a.b', '1'), ['tokens', 'revoke', '1', '--agent=¶a.b']);
  t.strictSame(shown('tokens', '--scopes=chat,agent', 'create', '--scopes', 'admin'), ['tokens', 'create', '--scopes=¶chat,agent,admin']);
  t.throws(() => markValues(['tokens', '--allowed-modes', 'chat']), { message: /^unknown option --allowed-modes: expected one of --user-id, / });
  t.throws(() => markValues(['my_agent', '--json']), { message: /^unknown option --json:/ });
});

t.test('a word right after --allowed-modes that is no mode is an error that names the modes', async (t) => {
  const message = /^--allowed-modes: expected words of chat, agent, logs, tokens, health, got "/;
  for (const words of [['--allowed-modes', 'my_agent'], ['--allowed-modes'], ['--allowed-modes=', 'chat'], ['--allowed-modes', 'chat,fly']]) {
    t.throws(() => markValues(words), { name: 'UsageError', message });
  }
});

t.test('an option that is unknown, without a value or given twice is an error', async (t) => {
  t.throws(() => markValues(['a', '--prot', '1']), { message: /^unknown option --prot: expected one of --port, / });
  t.throws(() => markValues(['a', '--maxTokens=1']), { message: /^unknown option --maxTokens:/ });
  t.throws(() => markValues(['a', '--port.x=1']), { message: /^unknown option --port\.x:/ });
  t.throws(() => markValues(['a', '--no-port']), { message: /^unknown option --no-port:/ });
  t.throws(() => markValues(['a', '--port', '--host', 'x']), { message: '--port: expected a value' });
  t.throws(() => markValues(['a', '-p', '1', '--port', '2']), { message: '--port: expected once, it was given twice' });
});

t.test('after -- every word is a name', async (t) => {
  t.strictSame(shown('--port', '1', '--', 'status', '--help'), ['¶status', '¶--help', '--port=¶1']);
});

