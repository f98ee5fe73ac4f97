// A chat request that comes as a form: its fields become what a JSON body would hold, its files go to the disk.
import type { RequestContext } from '../http/context.ts';
import { multipartBoundary, readMultipart, UPLOAD_SILENCE_MS, UPLOAD_TIMEOUT_MS, type PartReader } from '../http/multipart.ts';
import { AppError } from '../../shared/errors.ts';
import type { Upload } from '../uploads/upload.ts';
import type { Uploads } from '../uploads/uploads.ts';
import { chatBodySchema, enclosingBytes, invalid } from './chat_request.ts';

/** Fields beside the files, unknown ones included. */
const MAX_FIELDS = 20;
/** Of any field but the message. */
const MAX_FIELD_BYTES = 64 * 1024;
/** Heads of parts, boundaries, and what stands before and after. */
const MAX_BETWEEN_BYTES = 1024 * 1024;

const FIELDS: ReadonlySet<string> = new Set(Object.keys(chatBodySchema.shape));

export interface ChatForm {
  /** As the JSON body that says the same; not validated yet. */
  readonly body: Readonly<Record<string, unknown>>;
  /** To be kept or discarded. */
  readonly upload: Upload;
}

/**
 * Reads the form; what was stored is removed when it fails.
 * @throws AppError UNSUPPORTED_MEDIA_TYPE, PAYLOAD_TOO_LARGE, QUEUE_FULL, MALFORMED_REQUEST, REQUEST_TIMEOUT, VALIDATION_FAILED, STORE_UNAVAILABLE
 */
export async function readChatForm(context: RequestContext, uploads: Uploads, maxMessageBytes: number): Promise<ChatForm> {
  const { files, fileBytes, totalBytes } = uploads.limits;
  // Of a message that is an object, the text in it counts, however it is written.
  const messageBytes = enclosingBytes(maxMessageBytes);
  const bodyBytes = totalBytes + messageBytes + MAX_FIELDS * MAX_FIELD_BYTES + MAX_BETWEEN_BYTES;
  const boundary = multipartBoundary(context.request, bodyBytes);
  const upload = uploads.begin();
  const body: Record<string, unknown> = {};
  const times = { silenceMs: UPLOAD_SILENCE_MS, totalMs: UPLOAD_TIMEOUT_MS };
  const limits = { bodyBytes, files, fields: MAX_FIELDS, fieldBytes: messageBytes + 1, fileBytes: fileBytes + 1, ...times };
  try {
    await readMultipart(context, boundary, limits, partReader(body, upload, maxMessageBytes));
    return { body, upload };
  } catch (error) {
    uploads.discard(upload);
    throw error;
  }
}

/** @param body the fields are put there */
function partReader(body: Record<string, unknown>, upload: Upload, maxMessageBytes: number): PartReader {
  const seen = new Set<string>();
  return {
    field(name = '', value, isCut) {
      checkLength(name, value, isCut, maxMessageBytes);
      if (!FIELDS.has(name)) return;
      if (name === 'files') throw fault(name, 'expected files, not a text');
      if (value === undefined) throw fault(name, 'expected text in UTF-8');
      if (seen.has(name)) throw fault(name, 'expected once');
      seen.add(name);
      // What nobody filled in comes as an empty text.
      if (value !== '' || name === 'message') body[name] = valueOf(name, value, maxMessageBytes);
    },
    async file(name = '', filename, type, stream) {
      if (name !== 'files') throw fault(shown(name), 'expected no file here: files are parts named "files"');
      await upload.store(filename, type, stream);
    },
  };
}

function checkLength(name: string, value: string | undefined, isCut: boolean, maxMessageBytes: number): void {
  const limit = name === 'message' ? maxMessageBytes : MAX_FIELD_BYTES;
  if (isCut || (name !== 'message' && Buffer.byteLength(value ?? '') > limit)) throw tooLong(name, limit);
}

/** A text that is not what the field takes stays one, and is refused as the JSON body's would be. */
function valueOf(name: string, text: string, maxMessageBytes: number): unknown {
  switch (name) {
    case 'message': {
      // Browsers write every line break as CRLF: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
      const plain = text.replaceAll('\r\n', '\n');
      const message = plain.trimStart().startsWith('{') ? fromJson(plain) : plain;
      // How long an object's text is, is known once it is looked into.
      if (typeof message === 'string' && Buffer.byteLength(message) > maxMessageBytes) throw tooLong(name, maxMessageBytes);
      return message;
    }
    case 'env':
      return fromJson(text);
    case 'verbose':
      return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
    case 'disconnect_grace_ms':
      return /^\d{1,15}$/.test(text) ? Number(text) : text;
    default:
      return text;
  }
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function fault(path: string, message: string): AppError {
  return invalid([{ path, message }]);
}

function tooLong(name: string, limit: number): AppError {
  return new AppError('PAYLOAD_TOO_LARGE', { message: `${shown(name)}: longer than ${limit} bytes` });
}

/** A client's own name for a part, as far as it is told. */
function shown(name: string): string {
  return name === '' ? 'a part without a name' : name.slice(0, 64).toWellFormed();
}
