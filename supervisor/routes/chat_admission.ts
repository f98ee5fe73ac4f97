// From a request to an admitted interaction: its head, its body as JSON or as a form with files, its place in its session.
import type { IncomingMessage } from 'node:http';
import { AppError, type ErrorCode } from '../../shared/errors.ts';
import type { App } from '../app.ts';
import { readJson } from '../http/body.ts';
import type { RequestContext } from '../http/context.ts';
import type { Interaction } from '../interactions/interaction.ts';
import { readChatForm } from './chat_form.ts';
import { enclosingBytes, parseChatRequest, type ChatLimits } from './chat_request.ts';
import { createHeaderEnv } from './request_env.ts';

const BODY_ERRORS = [
  'DUPLICATE_VARIABLE', 'REQUEST_TIMEOUT', 'PAYLOAD_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE', 'VALIDATION_FAILED', 'INTERACTION_EXISTS', 'SESSION_TAKEN',
  'SESSION_BUSY', 'QUEUE_FULL', 'SHUTTING_DOWN', 'STORE_UNAVAILABLE',
] as const satisfies readonly ErrorCode[];
/** What each way in can answer instead of admitting. */
export const JSON_ERRORS = ['MALFORMED_JSON', ...BODY_ERRORS] as const satisfies readonly ErrorCode[];
export const FORM_ERRORS = BODY_ERRORS;

/** @param streamed the starting connection follows the events */
export type Admit = (context: RequestContext, streamed: boolean) => Promise<Interaction>;

/** @returns the two ways in; both throw AppError, before anything of the interaction is left anywhere */
export function createAdmission(app: App): { readonly fromJson: Admit; readonly fromForm: Admit } {
  const { interactions, uploads, config } = app;
  const { maxMessageBytes } = config;
  let headerEnvOf: ((request: IncomingMessage) => Readonly<Record<string, string>>) | undefined;
  let requestEnv: ReadonlySet<string> = new Set();

  const headerEnvOfRequest = (request: IncomingMessage): Readonly<Record<string, string>> => {
    if (headerEnvOf === undefined) {
      const names = app.generation().facts.requestEnv;
      headerEnvOf = createHeaderEnv(names);
      requestEnv = new Set(names);
    }
    refuseReinitialize(request);
    return headerEnvOf(request);
  };
  const limits = (): ChatLimits => ({ maxMessageBytes, requestEnv });

  return {
    async fromJson(context, streamed) {
      const headerEnv = headerEnvOfRequest(context.request);
      const body = await readJson(context, enclosingBytes(maxMessageBytes));
      return interactions.start(parseChatRequest(body, headerEnv, limits(), context.caller, streamed));
    },
    async fromForm(context, streamed) {
      const headerEnv = headerEnvOfRequest(context.request);
      const { body, upload } = await readChatForm(context, uploads, maxMessageBytes);
      try {
        const request = parseChatRequest(body, headerEnv, limits(), context.caller, streamed);
        if (!upload.isEmpty) return interactions.start(request, () => uploads.keep(upload, request.id));
        const interaction = interactions.start(request);
        uploads.discard(upload);
        return interaction;
      } catch (error) {
        uploads.discard(upload);
        throw error;
      }
    },
  };
}

/** A worker of its own for one interaction is nothing that this version has; to ask for it in vain must not pass for having it. */
function refuseReinitialize({ headers }: IncomingMessage): void {
  const asked = headers['agent_reinitialize'] ?? headers['agent-reinitialize'];
  if (String(asked).toLowerCase() !== 'true') return;
  throw new AppError('FORBIDDEN', { message: 'AGENT_REINITIALIZE asks for the scope admin, and is not part of this version.' });
}
