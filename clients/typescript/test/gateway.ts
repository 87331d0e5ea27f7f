// A gateway that says what a test wants it to, and remembers what it was asked.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Heard {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export type Say = (heard: Heard, response: ServerResponse, count: number) => void;

export class Gateway {
  readonly heard: Heard[] = [];
  readonly baseUrl: string;
  readonly #close: () => Promise<void>;

  private constructor(baseUrl: string, close: () => Promise<void>) {
    this.baseUrl = baseUrl;
    this.#close = close;
  }

  static async start(say: Say): Promise<Gateway> {
    let gateway: Gateway | undefined = undefined;
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const body = Buffer.concat(pieces).toString();
        const heard = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
        gateway?.heard.push(heard);
        say(heard, response, gateway?.heard.length ?? 0);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    gateway = new Gateway(`http://127.0.0.1:${port}`, async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return gateway;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  close(): Promise<void> {
    return this.#close();
  }
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  const kind = status < 400 ? 'application/json' : 'application/problem+json';
  response.writeHead(status, { 'content-type': kind, ...headers });
  response.end(JSON.stringify(body));
}

export function problem(status: number, code: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { type: `urn:kurir:problem:${code}`, title: 'no', status, code, detail: `it is ${code}`, ...more };
}
