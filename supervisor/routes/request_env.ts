// Variables of an interaction's environment that a request sets by headers of their names.
import type { IncomingMessage } from 'node:http';
import { AppError } from '../../shared/errors.ts';
import { ENV_VALUE, isEnvValue } from './chat_request.ts';

const NONE = Object.freeze({});

/** @param requestEnv the agent's list @returns reads the variables from a request's head, each from `NAME` or `NA-ME` */
export function createHeaderEnv(requestEnv: readonly string[]): (request: IncomingMessage) => Readonly<Record<string, string>> {
  const variableOf = new Map(requestEnv.flatMap((name) => [name, name.replaceAll('_', '-')].map((field) => [field.toLowerCase(), name] as const)));
  if (variableOf.size === 0) return () => NONE;
  return ({ rawHeaders }) => {
    const env: Record<string, string> = {};
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = variableOf.get((rawHeaders[i] as string).toLowerCase());
      if (name === undefined) continue;
      if (name in env) throw new AppError('DUPLICATE_VARIABLE', { message: `${name} is set by more than one header.` });
      // node reads the bytes of a field as Latin-1, whatever they are.
      const value = Buffer.from(rawHeaders[i + 1] as string, 'latin1').toString('utf8');
      if (!isEnvValue(value)) throw new AppError('MALFORMED_REQUEST', { message: `header ${name}: ${ENV_VALUE}` });
      env[name] = value;
    }
    return env;
  };
}
