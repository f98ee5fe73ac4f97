// How a token is written, `oas_<id>_<secret>`, and what is kept of it: its SHA-256, as a secret of so many random bits needs no slower one.
import { hash, randomInt } from 'node:crypto';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 95 random bits. */
const ID_LENGTH = 16;
/** 190 random bits. */
const SECRET_LENGTH = 32;
const FORM = new RegExp(`^oas_([0-9A-Za-z]{${ID_LENGTH}})_[0-9A-Za-z]{${SECRET_LENGTH}}$`);

export interface MadeToken {
  readonly id: string;
  /** The whole of it, which is shown once. */
  readonly token: string;
}

export function makeToken(): MadeToken {
  const id = randomWord(ID_LENGTH);
  return { id, token: `oas_${id}_${randomWord(SECRET_LENGTH)}` };
}

/** Written alike, so that whoever searches for leaked tokens finds it too; its id is none that a token can have. */
export function makeAdminToken(): string {
  return `oas_admin_${randomWord(SECRET_LENGTH)}`;
}

/** @returns the id in a credential; null where it is not written as a token is */
export function tokenIdOf(credential: string): string | null {
  return FORM.exec(credential)?.[1] ?? null;
}

/** @returns 32 bytes */
export function digestOf(credential: string): Uint8Array {
  return hash('sha256', credential, 'buffer');
}

function randomWord(length: number): string {
  return Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');
}
