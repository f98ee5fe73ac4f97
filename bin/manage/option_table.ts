// The options of `status`, `restart`, `kill` and `chat`, as they are written and as `--help` shows them.

export const MANAGE_OPTIONS = {
  agent: { flag: '--agent <name>', doc: 'whose server, where several run here' },
  dataDir: { flag: '--data-dir <dir>', doc: 'whose server (default: $OAI_DATA_DIR, or the one below .oai-agent-server)' },
  configRoot: { flag: '--config-root <dir>', doc: 'where .env is looked for (default: $CONFIG_ROOT, .)' },
} as const;
export const JSON_OPTION = { flag: '--json', doc: 'print what the server answers' } as const;

export const MANAGE_COMMANDS = {
  status: { doc: 'show how a running server is; exit 0 if it takes work', options: [...Object.values(MANAGE_OPTIONS), JSON_OPTION] },
  restart: { doc: 'reload a running server: configuration, .env and agent, without an end', options: Object.values(MANAGE_OPTIONS) },
  kill: { doc: 'end a running server at once, by signals where it does not answer', options: Object.values(MANAGE_OPTIONS) },
} as const;

export type ManageCommand = keyof typeof MANAGE_COMMANDS;

/** The options as the command line gave them: strings, or absent. */
export type ManageFlags = Partial<Readonly<Record<keyof typeof MANAGE_OPTIONS, string>>> & { readonly json: boolean };
