// The options of `tokens`, as they are written and as `--help` shows them.
import { SCOPES } from '../../supervisor/access/scopes.ts';

export const TOKEN_OPTIONS = {
  userId: { flag: '--user-id <id>', doc: "whom the token belongs to; without one it is a service's" },
  scopes: { flag: '--scopes <s…>', doc: `words of ${SCOPES.join(' ')}; by spaces or commas (default: chat)` },
  name: { flag: '--name <text>', doc: 'for the people who look after the tokens' },
  ttl: { flag: '--ttl <time>', doc: 'how long it is valid: 3600, 90s, 15m, 12h, 30d (default: for ever)' },
  json: { flag: '--json', doc: 'print JSON' },
  url: { flag: '--url <url>', doc: 'the server, where it is another than that of the data directory' },
  agent: { flag: '--agent <name>', doc: 'whose tokens in Redis (default: the one below .oai-agent-server)' },
  dataDir: { flag: '--data-dir <dir>', doc: 'whose tokens (default: $OAI_DATA_DIR, or the one below .oai-agent-server)' },
} as const;

type ValueOption = Exclude<keyof typeof TOKEN_OPTIONS, 'json' | 'scopes'>;
/** The options as the command line gave them: strings, or absent. `scopes` are single words. */
export type TokenFlags = Partial<Readonly<Record<ValueOption, string>>> & { readonly scopes?: readonly string[]; readonly json: boolean };
