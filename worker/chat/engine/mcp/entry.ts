// An entry of `mcps`: which variables it names, what it may not name, and the server that it means in an environment.
import { DEFAULT_INHERITED_ENV_VARS } from '@modelcontextprotocol/client/stdio';
import { existsSync, statSync } from 'node:fs';
import { delimiter, dirname, join, resolve, sep } from 'node:path';
import { AgentLoadError } from '../../../../shared/agent/load_error.ts';
import { baseUrlProblem } from '../../../../shared/agent/base_url.ts';
import type { Origin } from '../../../../shared/agent/origin.ts';
import type { McpServerDefinition } from '../../../../shared/agent/schema.ts';
import { AppError } from '../../../../shared/errors.ts';
import { compileTemplate } from '../../agents/variables.ts';
import type { Environment } from '../model.ts';
import { secretsOf } from '../scrub.ts';
import type { McpTarget } from './target.ts';

export interface McpEntry {
  /** As the file names it. */
  readonly name: string;
  readonly transport: McpTarget['transport'];
  readonly only: readonly string[] | undefined;
  readonly timeoutMs: number;
  /** Those of request_env that it names: where there are any, each interaction has a connection of its own. */
  readonly requestVariables: readonly string[];
  /**
   * @param env of the interaction; null for a connection that all share
   * @throws AppError AGENT_FAILED where a variable of the request has a value that cannot be sent
   */
  target(env: Environment | null): McpTarget;
  /** What is wrong with the entry, by its path in it. */
  problem(message: string, ...path: readonly (string | number)[]): AgentLoadError;
}

export interface EntrySettings {
  /** What an interaction's environment is before a request adds to it. */
  readonly env: Environment;
  readonly requestEnv: readonly string[];
  readonly origin: Origin;
}

/** RFC 9110, 5.1 and 5.5. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** The transport sets these itself. */
const OWN_HEADERS = ['connection', 'content-length', 'content-type', 'host', 'last-event-id', 'mcp-protocol-version', 'mcp-session-id', 'transfer-encoding'];
/** Stands for what a request will set, while an entry is checked. */
const SAMPLE = 'x';

/** @throws AgentLoadError that names the key, with its line */
export function readEntry(name: string, definition: McpServerDefinition, { env, requestEnv, origin }: EntrySettings): McpEntry {
  const problem = (message: string, ...path: readonly (string | number)[]) => {
    const key = ['mcps', name, ...path].map((part, at) => (typeof part === 'number' ? `[${part}]` : `${at === 0 ? '' : '.'}${part}`)).join('');
    return new AgentLoadError(`${key}: ${message}`, origin.file, origin.lineOf(['mcps', name, ...path]));
  };
  const texts = textsOf(definition);
  for (const { text, path } of texts) checkVariables(text, path, env, requestEnv, problem);
  const named = [...new Set(texts.flatMap(({ text }) => variablesIn(text)))];
  const requestVariables = named.filter((variable) => requestEnv.includes(variable));
  // The process's own values could change while the server runs; what was checked is what is used.
  const values = { ...env };
  const literals = literalSecrets(definition);
  const folder = dirname(origin.file);
  const target = (of: Environment): McpTarget => {
    const secrets = secretsOf({ ...of, ...literals }, [...named, ...Object.keys(literals)]);
    return definition.url === undefined ? stdioTarget(definition, of, values, folder, secrets) : httpTarget(definition.url, definition, of, requestVariables, secrets);
  };
  checkTarget(target({ ...values, ...Object.fromEntries(requestVariables.map((variable) => [variable, SAMPLE])) }), definition, problem);
  return {
    name,
    transport: definition.url === undefined ? 'stdio' : 'http',
    only: definition.only,
    timeoutMs: definition.timeout_ms,
    requestVariables,
    target(own) {
      if (own === null) return target(values);
      checkValues(name, definition, requestVariables, own);
      return target({ ...values, ...Object.fromEntries(requestVariables.map((variable) => [variable, own[variable]])) });
    },
    problem,
  };
}

interface Text {
  readonly text: string;
  readonly path: readonly (string | number)[];
}

function textsOf({ command, args, env, cwd, url, headers }: McpServerDefinition): readonly Text[] {
  const single = Object.entries({ command, cwd, url }).flatMap(([key, text]) => (text === undefined ? [] : [{ text, path: [key] }]));
  const named = Object.entries({ env, headers }).flatMap(([key, map]) => Object.entries(map).map(([name, text]) => ({ text, path: [key, name] })));
  return [...single, ...args.map((text, index) => ({ text, path: ['args', index] })), ...named];
}

/** The variables that a text names, in the syntax of system prompts. */
function variablesIn(text: string): readonly string[] {
  const names: string[] = [];
  const recorder = new Proxy<Record<string, string>>({}, { get: (_env, name) => (names.push(String(name)), '') });
  compileTemplate(text)(recorder);
  return names;
}

function checkVariables(text: string, path: Text['path'], env: Environment, requestEnv: readonly string[], problem: McpEntry['problem']): void {
  // What runs, and who is spoken to, is the operator's to say: a caller's values can be arguments, variables, headers and the query.
  const fixed = path[0] === 'url' ? (text.split(/[?#]/)[0] ?? '') : path[0] === 'command' || path[0] === 'cwd' ? text : '';
  for (const variable of variablesIn(fixed)) {
    if (!requestEnv.includes(variable)) continue;
    const where = path[0] === 'url' ? 'which may stand in the query of a url only' : `which may not decide ${path[0] === 'cwd' ? 'where' : 'what'} a server runs`;
    throw problem(`${variable} is set by requests (request_env), ${where}`, ...path);
  }
  for (const variable of variablesIn(text)) {
    if (requestEnv.includes(variable) || (env[variable] ?? '') !== '') continue;
    throw problem(`${variable} is not set; set it, or name it in request_env for each request to set`, ...path);
  }
}

function stdioTarget(definition: McpServerDefinition, of: Environment, values: Environment, folder: string, secrets: readonly string[]): McpTarget {
  const command = fill(definition.command ?? '', of);
  // As the client's own transport, which leaves out shell functions: a server gets what it needs to run, and no secret that it is not given.
  const inherited = DEFAULT_INHERITED_ENV_VARS.flatMap((name) => (values[name] === undefined || values[name].startsWith('()') ? [] : [[name, values[name]] as const]));
  return {
    transport: 'stdio',
    command: /[/\\]/.test(command) ? resolve(folder, command) : command,
    args: definition.args.map((arg) => fill(arg, of)),
    env: { ...withInstalled(Object.fromEntries(inherited), folder), ...fillAll(definition.env, of) },
    cwd: resolve(folder, fill(definition.cwd ?? '.', of)),
    secrets,
  };
}

/** Commands of packages that are installed with the agent come first, as under npm and npx. */
function withInstalled(env: Readonly<Record<string, string>>, folder: string): Readonly<Record<string, string>> {
  if (env['PATH'] === undefined) return env;
  const above = folder.split(sep).map((_part, index, parts) => parts.slice(0, parts.length - index).join(sep));
  const folders = above.filter((place) => place !== '').map((place) => join(place, 'node_modules', '.bin')).filter((place) => existsSync(place));
  return { ...env, PATH: [...folders, env['PATH']].join(delimiter) };
}

function httpTarget(url: string, definition: McpServerDefinition, of: Environment, requestVariables: readonly string[], secrets: readonly string[]): McpTarget {
  const encoded = Object.fromEntries(requestVariables.map((variable) => [variable, encodeURIComponent((of[variable] ?? '').toWellFormed())]));
  const filled = fill(url, { ...of, ...encoded });
  return { transport: 'http', url: URL.canParse(filled) ? new URL(filled) : new URL('invalid:'), headers: fillAll(definition.headers, of), secrets };
}

function fill(text: string, env: Environment): string {
  return compileTemplate(text)(env);
}

function fillAll(texts: Readonly<Record<string, string>>, env: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, fill(text, env)]));
}

/** What the file itself holds as variables and headers, `Bearer …` with and without its first word: they may be credentials, too. */
function literalSecrets({ env, headers }: McpServerDefinition): Readonly<Record<string, string>> {
  const texts = [...Object.values(env), ...Object.values(headers)].flatMap((text) => [text, text.slice(text.indexOf(' ') + 1)]);
  return Object.fromEntries(texts.filter((text) => variablesIn(text).length === 0).map((text, index) => [`literal ${index}`, text]));
}

/** What is known before a server is started. */
function checkTarget(target: McpTarget, definition: McpServerDefinition, problem: McpEntry['problem']): void {
  if (target.transport === 'stdio') {
    if (!existsSync(target.cwd) || !statSync(target.cwd).isDirectory()) throw problem(`there is no folder ${definition.cwd ?? target.cwd}`, 'cwd');
    return;
  }
  const wanted = target.url.protocol === 'invalid:' ? 'an http or https URL' : baseUrlProblem(target.url.href);
  if (wanted !== null) throw problem(`expected ${wanted}`, 'url');
  for (const [name, value] of Object.entries(target.headers)) {
    if (!HEADER_NAME.test(name)) throw problem('expected the name of a header', 'headers', name);
    if (OWN_HEADERS.includes(name.toLowerCase())) throw problem('the connection sets this header itself', 'headers', name);
    if (!HEADER_VALUE.test(value)) throw problem('has characters that a header cannot have', 'headers', name);
  }
}

/** What only an interaction can tell. The words name the variable, never its value. */
function checkValues(name: string, definition: McpServerDefinition, requestVariables: readonly string[], env: Environment): void {
  const refuse = (variable: string, why: string) => new AppError('AGENT_FAILED', { message: `The MCP server ${name} cannot be given this ${variable}: ${why}.` });
  for (const text of Object.values(definition.headers)) {
    const wrong = variablesIn(text).find((variable) => requestVariables.includes(variable) && !HEADER_VALUE.test(env[variable] ?? ''));
    if (wrong !== undefined) throw refuse(wrong, 'it has characters that a header cannot have');
  }
  for (const arg of definition.args) {
    // It would be an option of the command, whatever the file meant it to be.
    const first = variablesIn(arg)[0];
    if (first === undefined || !requestVariables.includes(first) || !arg.startsWith('{{')) continue;
    if ((env[first] ?? '').startsWith('-')) throw refuse(first, 'it begins with a dash');
  }
}
