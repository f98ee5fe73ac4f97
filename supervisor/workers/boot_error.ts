// Why a worker did not become ready.
import type { LoadFailure } from '../../shared/agent/load_error.ts';

export class BootError extends Error {
  readonly failure: LoadFailure;

  constructor(failure: LoadFailure) {
    super(failure.message);
    this.name = 'BootError';
    this.failure = failure;
  }
}
