import { CodedError, type ErrorCode } from '../../src/platform/errors.ts';

/** The coded error a call is refused with; fails the test when it is not refused, or for another reason. */
export async function refusal(code: ErrorCode, call: () => unknown): Promise<CodedError> {
  try {
    await call();
  } catch (error) {
    if (error instanceof CodedError && error.code === code) return error;
    throw new Error(`expected ${code}, got ${String(error)}`, { cause: error });
  }
  throw new Error(`expected ${code}, but the call succeeded`);
}
