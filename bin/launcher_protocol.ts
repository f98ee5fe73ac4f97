// Every message between the launcher and the supervisor that it has started, by Node's own channel between a process and its parent.

/** Launcher → supervisor. */
export type Order =
  | { readonly type: 'stop'; readonly reason: string }
  | { readonly type: 'stop_now'; readonly reason: string }
  | { readonly type: 'reload'; readonly reason: string }
  /** The answer to `bind`; the socket travels with it, unless this launcher cannot hold one. */
  | { readonly type: 'socket' }
  /** The other answer. @see NodeJS.ErrnoException.code */
  | { readonly type: 'not_bound'; readonly code: string };

/** Supervisor → launcher. */
export type Report =
  /** It wants the socket of this address, which is the same one however often it is asked for. */
  | { readonly type: 'bind'; readonly host: string; readonly port: number }
  | { readonly type: 'ready' }
  | { readonly type: 'reloading' }
  | { readonly type: 'reloaded'; readonly error: string | null }
  /** It has begun to stop, whoever told it to. */
  | { readonly type: 'stopping' }
  /** It is about to end by itself with this exit code, whatever the end then looks like; 0: as it was asked to. */
  | { readonly type: 'ending'; readonly exitCode: number };

/** Set for a process that a launcher has started: it is the supervisor. */
export const LAUNCHED = 'OAI_AGENT_SERVER_LAUNCHED';
