// What went wrong, in one shape: a problem that the gateway told, or no usable answer at all.

import type { Problem } from './types.js';

/** What a {@link KurirError} is made of. */
export interface KurirErrorParts {
  /** The kind of problem, for programs: the gateway's `code`, or `unreachable`, `timeout`, `bad_answer`. */
  code: string;
  /** The HTTP status; 0 where there was no answer. */
  status: number;
  /** After how many seconds the same request may be answered otherwise. */
  retryAfterSeconds?: number | undefined;
  /** All that the gateway told. */
  problem?: Problem | undefined;
  /** What led to it. */
  cause?: unknown;
}

/** A request that was refused or could not be made. */
export class KurirError extends Error {
  readonly code: string;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly problem: Problem | undefined;

  constructor(message: string, parts: KurirErrorParts) {
    super(message, { cause: parts.cause });
    this.name = 'KurirError';
    this.code = parts.code;
    this.status = parts.status;
    this.retryAfterSeconds = parts.retryAfterSeconds;
    this.problem = parts.problem;
  }

  /** Whether the same request may be made again: nothing that is wrong with it is wrong for good. */
  get isTemporary(): boolean {
    if (this.code === 'unreachable' || this.code === 'timeout' || this.code === 'idempotency_key_in_use') {
      return true;
    }
    return this.status === 429 || this.status === 502 || this.status === 503 || this.status === 504;
  }

  /** Reads the body of a refusal. What is no problem document, a proxy's page say, is told by its status alone. */
  static async of(response: Response): Promise<KurirError> {
    const text = await response.text().catch(() => '');
    const problem = problemIn(text);
    const retryAfterSeconds = problem?.retryAfterSeconds ?? secondsOf(response.headers.get('retry-after'));
    const { status } = response;
    if (problem === undefined) {
      return new KurirError(`the gateway answered ${status}`, { code: 'bad_answer', status, retryAfterSeconds });
    }
    return new KurirError(problem.detail, { code: problem.code, status, retryAfterSeconds, problem });
  }
}

function problemIn(text: string): Problem | undefined {
  try {
    const read: unknown = JSON.parse(text);
    const isProblem =
      typeof read === 'object' && read !== null && 'code' in read && typeof read.code === 'string' &&
      'detail' in read && typeof read.detail === 'string';
    return isProblem ? (read as Problem) : undefined;
  } catch {
    return undefined;
  }
}

/** `Retry-After` as seconds; it may also be a date. */
function secondsOf(header: string | null): number | undefined {
  if (header === null || header.trim() === '') {
    return undefined;
  }
  const seconds = Number(header);
  if (Number.isFinite(seconds)) {
    return Math.max(0, seconds);
  }
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000));
}
