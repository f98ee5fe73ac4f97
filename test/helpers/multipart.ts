// Forms as bytes, well made or not, and what became of the files that a server was sent.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openStream, send, type Answer, type OpenedStream, type Sent } from './http_client.ts';
import type { StartedServer } from './process.ts';

export const BOUNDARY = '----form-0123456789';
export const FORM_TYPE = `multipart/form-data; boundary=${BOUNDARY}`;

export interface FormFile {
  /** Left out: the part has no file name, as a field. */
  readonly filename?: string;
  readonly type?: string;
  readonly content: string | Buffer;
}

/** A field's text, or a file. */
export type FormPart = readonly [name: string, value: string | FormFile];

/** A part with a head of one's own. */
export function rawPart(head: string, content: string | Buffer): Buffer {
  return Buffer.concat([Buffer.from(`--${BOUNDARY}\r\n${head}\r\n\r\n`), Buffer.from(content), Buffer.from('\r\n')]);
}

export const FORM_END = Buffer.from(`--${BOUNDARY}--\r\n`);

export function formOf(...parts: readonly (FormPart | Buffer)[]): Buffer {
  return Buffer.concat([...parts.map((part) => (Buffer.isBuffer(part) ? part : partOf(part))), FORM_END]);
}

function partOf([name, value]: FormPart): Buffer {
  const disposition = `Content-Disposition: form-data; name="${name}"`;
  if (typeof value === 'string') return rawPart(disposition, value);
  const { filename, type, content } = value;
  const named = filename === undefined ? disposition : `${disposition}; filename="${filename}"`;
  return rawPart(type === undefined ? named : `${named}\r\nContent-Type: ${type}`, content);
}

/** A file of so many bytes, none of them text. */
export function fileOf(filename: string, bytes: number): FormPart {
  return ['files', { filename, type: 'application/octet-stream', content: Buffer.alloc(bytes, 0xfe) }];
}

const sentForm = (parts: readonly (FormPart | Buffer)[], headers: Sent['headers'] = {}): Sent => ({
  method: 'POST', headers: { 'content-type': FORM_TYPE, ...headers }, body: formOf(...parts),
});

/** POST /chat/with-files. */
export function chatForm(url: string, ...parts: readonly (FormPart | Buffer)[]): Promise<Answer> {
  return send(url, '/chat/with-files', sentForm(parts));
}

/** POST /chat/stream/with-files. */
export function streamForm(url: string, ...parts: readonly (FormPart | Buffer)[]): Promise<OpenedStream> {
  return openStream(url, '/chat/stream/with-files', sentForm(parts));
}

/** Paths of all that is in the server's folder for uploads, relative to it. */
export async function uploadedPaths({ dataDir }: Pick<StartedServer, 'dataDir'>): Promise<string[]> {
  for (;;) {
    try {
      return (await readdir(join(dataDir, 'uploads'), { recursive: true })).toSorted();
    } catch (error) {
      // One of the folders was removed while they were read.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
}
