// Which variables a request may never be allowed to set, and why.
import { OPTION_VARIABLES, VARIABLES } from '../variables.ts';
import { isHttpField } from './http_fields.ts';

/** Names that an interaction's environment can have from a request. */
const VARIABLE_NAME = /^[A-Z][A-Z0-9_]{0,63}$/;

/** They decide what code runs, whom it trusts or where it sends things. */
const DANGEROUS = /^(NODE|NPM|LD|DYLD|SSL)_|^PYTHON|_PROXY$|_BASE_URL$|^(PATH|HOME|SHELL|ENV|BASH_ENV|IFS|TMPDIR|TZ)$/;

/** The server's own, those of the stores included, which are read elsewhere than in the configuration's table. */
const SERVER = /^(OAI|REDIS|LOGGING_DB|DB_LOGGING|LOG|SPOOL|RATE_LIMIT|MAX_CONCURRENT)_|^TRUSTED_PROXIES$/;

/** Why this variable cannot be in request_env; null where it can. */
export function requestEnvProblem(name: string): string | null {
  if (!VARIABLE_NAME.test(name)) return `${name} is not a name of a variable, which has capital letters, digits and _, at most 64`;
  if (name === 'OPENAI_API_KEY') return null;
  if (DANGEROUS.test(name)) return `${name} cannot be set by a request: it decides what code runs or whom it trusts`;
  if (Object.hasOwn(VARIABLES, name) || SERVER.test(name) || (OPTION_VARIABLES as readonly string[]).includes(name)) {
    return `${name} cannot be set by a request: it is a variable of the server`;
  }
  const field = name.toLowerCase().replaceAll('_', '-');
  return isHttpField(field) ? `${name} cannot be set by a request: ${field} is an HTTP header with a meaning of its own` : null;
}
