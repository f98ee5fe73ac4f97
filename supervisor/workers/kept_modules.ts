// The agent's own modules as a generation has them: whichever worker is the first to import one, what it reads is what all that start later run.
import type { FoundModule, GenerationModules, ReadModule } from '../../shared/protocol.ts';

/** Of all sources together: an agent that has more than that has data in them. */
const MOST_BYTES = 32 * 1024 * 1024;

export class KeptModules {
  readonly #read = new Map<string, ReadModule>();
  readonly #found = new Map<string, FoundModule>();
  readonly #onFull: () => void;
  #bytes = 0;
  #isFull = false;

  /** @param onFull told once, when there is no room for more */
  constructor(onFull: () => void) {
    this.#onFull = onFull;
  }

  get all(): GenerationModules {
    return { read: [...this.#read.values()], found: [...this.#found.values()] };
  }

  /** Of each module the first version counts. */
  keep({ read, found }: GenerationModules): void {
    for (const module of read) if (!this.#read.has(module.url) && this.#hasRoom(module.url.length + module.bytes.length)) this.#read.set(module.url, module);
    for (const module of found) if (!this.#found.has(module.request) && this.#hasRoom(module.request.length)) this.#found.set(module.request, module);
  }

  #hasRoom(bytes: number): boolean {
    const hasRoom = this.#bytes + bytes <= MOST_BYTES;
    if (hasRoom) this.#bytes += bytes;
    else if (!this.#isFull) this.#onFull();
    this.#isFull ||= !hasRoom;
    return hasRoom;
  }
}

/** The modules as another process can be sent them. */
export function unshared({ read, found }: GenerationModules): GenerationModules<ArrayBuffer> {
  return { read: read.map((module) => ({ ...module, bytes: new Uint8Array(module.bytes) })), found };
}

/** The modules as another process has sent them. */
export function shared({ read, found }: GenerationModules<ArrayBuffer>): GenerationModules {
  return { read: read.map((module) => ({ ...module, bytes: sharedBytes(module.bytes) })), found };
}

function sharedBytes(bytes: Uint8Array): ReadModule['bytes'] {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  copy.set(bytes);
  return copy;
}
