// From a path and a method to what a request takes and gives, by the types made of the gateway's description.

import type { paths } from './openapi.js';

export type Path = keyof paths;
type Verb = 'get' | 'put' | 'post' | 'delete' | 'patch';

/** The methods that a path has. */
export type MethodOf<P extends Path> = {
  [M in Verb]: paths[P][M] extends { responses: unknown } ? M : never;
}[Verb];

/** One operation. */
export type Operation<P extends Path, M extends MethodOf<P>> = paths[P][M];

type Ok = 200 | 201 | 202 | 204;

/** What an operation answers: JSON as a value, other text as a string, nothing as `undefined`. */
export type Answer<O> = O extends { responses: infer R }
  ? {
      [S in keyof R & Ok]: R[S] extends { content: infer C }
        ? C extends { 'application/json': infer Json }
          ? Json
          : string
        : undefined;
    }[keyof R & Ok]
  : never;

type PathPart<O> = O extends { parameters: { path: infer P } } ? { path: P } : { path?: undefined };

type QueryPart<O> = O extends { parameters: { query?: infer Q } }
  ? [NonNullable<Q>] extends [never]
    ? { query?: undefined }
    : { query?: NonNullable<Q> }
  : { query?: undefined };

type BodyIn<R> = R extends { content: infer C }
  ? C extends { 'application/json': infer Json }
    ? Json
    : string | Blob | FormData | Uint8Array<ArrayBuffer>
  : never;

type BodyPart<O> = O extends { requestBody: infer R }
  ? { body: BodyIn<R> }
  : O extends { requestBody?: infer R }
    ? [NonNullable<R>] extends [never]
      ? { body?: undefined }
      : { body?: BodyIn<NonNullable<R>> }
    : { body?: undefined };

/** What every request takes beside what its operation asks for. */
export interface CallOptions {
  /** Ends the request, and its repetitions. */
  signal?: AbortSignal;
  /** How long one try may take; the client's setting without it. */
  timeoutMs?: number;
  /** The name of a POST for its repetitions; a random one without it. */
  idempotencyKey?: string;
  /** Further headers. */
  headers?: Record<string, string>;
}

/** What a request of an operation takes. */
export type RequestOptions<O> = PathPart<O> & QueryPart<O> & BodyPart<O> & CallOptions;

/** The options may be left out where an operation asks for nothing. */
export type Rest<T> = object extends T ? [options?: T] : [options: T];
