/**
 * The one error class that Slipway throws for faults a user can meet. Only cli/ turns it into an exit code.
 *
 * `code` is stable (`area.what`, for scripts and tests); `hint` says what the user can do about it.
 */
export class SlipwayError extends Error {
  readonly code: string;
  readonly hint: string | undefined;

  constructor(code: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SlipwayError';
    this.code = code;
    this.hint = options.hint;
  }
}
