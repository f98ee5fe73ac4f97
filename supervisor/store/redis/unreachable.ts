// Redis cannot be asked, or has not answered in time.

export class RedisUnreachable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RedisUnreachable';
  }
}
