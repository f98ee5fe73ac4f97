// The command line: one function a command. Whatever fails ends as one line on stderr and an exit code.
import { cac, type Command } from 'cac';
import { SERVE_OPTIONS, type ServeFlags, type ServeOption } from '../shared/config.ts';
import { readVersion } from '../supervisor/version.ts';
import { markValues, unmark } from './arguments.ts';
import { failureOf, UsageError } from './failure.ts';
import { endNow } from './hard_end.ts';
import { TOKEN_OPTIONS, type TokenFlags } from './tokens/option_table.ts';

const NAME = 'oai-agent-server';
/** Not in this version, and yet no names of agents. */
const RESERVED = ['status', 'restart', 'kill'];

const program = cac(NAME);
program.help();
program.version(await readVersion());

withServeOptions(program.command('serve <agent>', `serve one agent over HTTP; \`${NAME} <agent>\` is the same`).alias('!')).action(
  async (agent: string, options: Record<string, unknown>) => {
    const { serve } = await import('./serve.ts');
    await serve(unmark(agent), flagsOf(options));
  },
);

withServeOptions(program.command('check <agent>', 'load and validate an agent, print what was resolved; exit 0 or 78')).action(
  async (agent: string, options: Record<string, unknown>) => {
    const { check } = await import('./check.ts');
    await check(unmark(agent), flagsOf(options));
  },
);

program.command('chat [url]', 'talk to a running server').action(async (url: string | undefined) => {
  const { chat } = await import('./chat/chat.ts');
  process.exitCode = await chat(url === undefined ? null : unmark(url));
});

withTokenOptions(program.command('tokens <action> [id]', 'create, list or revoke tokens, through the running server or without one')).action(
  async (action: string, id: string | undefined, options: Record<string, unknown>) => {
    const { tokens } = await import('./tokens.ts');
    await tokens(unmark(action), id === undefined ? undefined : unmark(id), tokenFlagsOf(options));
  },
);

// Whoever reads our lines may leave before we end, as in `| head`: no reason to fail.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
try {
  await run(process.argv.slice(2));
} catch (error) {
  fail(error);
}

async function run(words: readonly string[]): Promise<void> {
  program.parse(['', '', ...markValues(words)], { run: false });
  if (program.options['help'] === true) return;
  if (program.options['version'] === true) {
    if (program.matchedCommandName !== undefined) program.outputVersion();
    return;
  }
  const first = program.args[0];
  if (program.matchedCommandName === undefined && first !== undefined && RESERVED.includes(first)) {
    throw new UsageError(`this version has no command ${first} (an agent so named: ${NAME} serve ${first})`);
  }
  await runMatched();
}

/** cac checks the words against the command first: their number, and the options that it takes. */
async function runMatched(): Promise<void> {
  try {
    await program.runMatchedCommand();
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'CACError') throw error;
    const usage = program.matchedCommand?.rawName ?? '<agent>';
    throw new UsageError(`${error.message}; expected ${NAME} ${usage} [options]`);
  }
}

function withServeOptions(command: Command): Command {
  for (const { flag, fallback, doc } of Object.values(SERVE_OPTIONS)) command.option(flag, `${doc} (default: ${fallback})`);
  return command;
}

function withTokenOptions(command: Command): Command {
  for (const { flag, doc } of Object.values(TOKEN_OPTIONS)) command.option(flag, doc);
  return command;
}

function flagsOf(options: Record<string, unknown>): ServeFlags {
  return valuesOf(Object.keys(SERVE_OPTIONS) as ServeOption[], 'allowedModes', options);
}

function tokenFlagsOf(options: Record<string, unknown>): TokenFlags {
  return { ...valuesOf(Object.keys(TOKEN_OPTIONS), 'scopes', options), json: options['json'] === true };
}

/** Those that were given, as they were typed. @param list the one that is a list of words */
function valuesOf(names: readonly string[], list: string, options: Record<string, unknown>) {
  const given = names.flatMap((name) => {
    const value = options[name];
    return typeof value === 'string' ? [[name, name === list ? unmark(value).split(',') : unmark(value)] as const] : [];
  });
  return Object.fromEntries(given);
}

function fail(error: unknown): never {
  const { line, exitCode } = failureOf(error, process.env['LOG_LEVEL']);
  process.stderr.write(`${NAME}: ${line}\n`);
  // A wrong command line is seen before there is any thread.
  if (exitCode === 2) process.exit(exitCode);
  endNow(exitCode);
}
