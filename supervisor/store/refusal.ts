// Why a store did not do what it was asked for, in words that tell a caller nothing of its host.
import { AppError } from '../../shared/errors.ts';

/** It can be read, but has no room for anything new. */
export class StoreFull extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StoreFull';
  }
}

/** @param what the store is of */
export function storeUnavailable(what: 'sessions' | 'limits' | 'tokens', cause: unknown): AppError {
  const reason = cause instanceof StoreFull ? 'is full, and takes nothing new' : 'cannot be reached';
  return new AppError('STORE_UNAVAILABLE', { message: `The store of ${what} ${reason}.` }, { cause });
}
