// What an MCP server is started or reached with, once the variables of its entry are filled.

interface BaseTarget {
  /** Values that must not leave in words about the server. */
  readonly secrets: readonly string[];
}

export interface StdioTarget extends BaseTarget {
  readonly transport: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  /** The whole environment of the process. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path. */
  readonly cwd: string;
}

export interface HttpTarget extends BaseTarget {
  readonly transport: 'http';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

export type McpTarget = StdioTarget | HttpTarget;
