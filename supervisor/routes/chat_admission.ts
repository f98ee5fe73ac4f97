// From a request to an admitted interaction: its head, its body as JSON or as a form with files, its place in its session.
import type { IncomingMessage } from 'node:http';
import { AppError, type ErrorCode } from '../../shared/errors.ts';
import type { App } from '../app.ts';
import { readJson } from '../http/body.ts';
import type { RequestContext } from '../http/context.ts';
import type { Interaction, InteractionRequest } from '../interactions/interaction.ts';
import { ownSecrets } from '../logs/own_secrets.ts';
import { readRequestFacts } from '../logs/request_facts.ts';
import { readChatForm } from './chat_form.ts';
import { enclosingBytes, parseChatRequest, type ChatHead } from './chat_request.ts';
import { createHeaderEnv } from './request_env.ts';

const BODY_ERRORS = [
  'DUPLICATE_VARIABLE', 'REQUEST_TIMEOUT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED', 'INTERACTION_EXISTS', 'SESSION_TAKEN',
  'SESSION_BUSY', 'OWN_WORKERS_BUSY', 'QUEUE_FULL', 'SHUTTING_DOWN', 'STORE_UNAVAILABLE',
] as const satisfies readonly ErrorCode[];
/** What each way in can answer instead of admitting. */
export const JSON_ERRORS = ['MALFORMED_JSON', ...BODY_ERRORS] as const satisfies readonly ErrorCode[];
export const FORM_ERRORS = BODY_ERRORS;

const ADMIN_ONLY =
  "AGENT_REINITIALIZE asks for the scope admin, of requests from this machine too, unless the agent's file says allow_reinitialize: true.";

/** @param streamed the starting connection follows the events */
export type Admit = (context: RequestContext, streamed: boolean) => Promise<Interaction>;

export interface Admission {
  /** @throws AppError FORBIDDEN where the caller may not have what the head asks for */
  authorize(context: RequestContext): void;
  readonly fromJson: Admit;
  readonly fromForm: Admit;
}

/** @returns the two ways in, and what is asked before either; all throw AppError, before anything of the interaction is left anywhere */
export function createAdmission(app: App): Admission {
  const { interactions, uploads, config, logs } = app;
  const own = ownSecrets(config);
  /** Of the generation that serves: a reload may bring another list. */
  let names: readonly string[] = [];
  let headerEnvOf = createHeaderEnv(names);
  let requestEnv: ReadonlySet<string> = new Set();

  const headOf = ({ request }: RequestContext): ChatHead => {
    const { requestEnv: listed } = app.generation().facts;
    if (listed !== names) {
      names = listed;
      headerEnvOf = createHeaderEnv(names);
      requestEnv = new Set(names);
    }
    return { reinitialize: asksForReinitialize(request), env: headerEnvOf(request) };
  };
  const requestOf = (body: unknown, head: ChatHead, context: RequestContext, streamed: boolean): InteractionRequest => {
    const request = parseChatRequest(body, head, { maxMessageBytes: config.maxMessageBytes, requestEnv }, context, streamed);
    if (logs === null) return request;
    const { modelKey } = app.generation();
    const secrets = modelKey === null ? own : [...own, modelKey];
    return { ...request, facts: readRequestFacts(context.request.rawHeaders, context.path, request.env, secrets) };
  };

  return {
    authorize({ request, caller }) {
      // What is no clear answer is refused in its turn: after the limits.
      const mayAsk = reinitializeFields(request).some((value) => value.toLowerCase() === 'true');
      if (!mayAsk || caller.scopes.has('admin') || app.generation().facts.allowReinitialize) return;
      throw new AppError('FORBIDDEN', { message: ADMIN_ONLY });
    },
    async fromJson(context, streamed) {
      const head = headOf(context);
      const body = await readJson(context, enclosingBytes(config.maxMessageBytes));
      return interactions.start(requestOf(body, head, context, streamed));
    },
    async fromForm(context, streamed) {
      const head = headOf(context);
      const { body, upload } = await readChatForm(context, uploads, config.maxMessageBytes);
      try {
        const request = requestOf(body, head, context, streamed);
        if (!upload.isEmpty) return await interactions.start(request, () => uploads.keep(upload, request.id));
        const interaction = await interactions.start(request);
        uploads.discard(upload);
        return interaction;
      } catch (error) {
        uploads.discard(upload);
        throw error;
      }
    },
  };
}

/** Whether the interaction is to have a worker of its own. What is no clear answer is refused: to ask for it in vain must not pass for having it. */
function asksForReinitialize(request: IncomingMessage): boolean {
  const asked = reinitializeFields(request);
  if (asked.length > 1) throw new AppError('DUPLICATE_VARIABLE', { message: 'AGENT_REINITIALIZE is set by more than one header.' });
  const value = (asked[0] ?? 'false').toLowerCase();
  if (value !== 'true' && value !== 'false') throw new AppError('MALFORMED_REQUEST', { message: 'header AGENT_REINITIALIZE: expected true or false' });
  return value === 'true';
}

function reinitializeFields({ headers }: IncomingMessage): string[] {
  return [headers['agent_reinitialize'], headers['agent-reinitialize']].filter((value) => value !== undefined).map(String);
}
