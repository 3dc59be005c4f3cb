/**
 * The dashboard's own HTTP server: on loopback only, for looking only.
 *
 * Below a path with a secret it serves the page, the stream of what is gathered, and, if it was
 * started so, answers about keys. Everything is bounded: viewers, connections, questions under
 * way, sizes and times.
 */

import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AdminRefusal } from '../admin/admin-server.ts';
import type { Gatherer } from './gatherer.ts';
import { locateKey, revealHotKeys } from './key-questions.ts';
import { pageFiles, type PageFile } from './page-files.ts';
import { judgeRequest } from './request-check.ts';
import { Rounds, ROUNDS_DEFAULTS, type RoundsOptions } from './rounds.ts';
import { Viewers } from './viewers.ts';

export interface DashboardOptions {
  /** 0: any that is free. */
  readonly port: number;
  readonly showsKeys: boolean;
  readonly viewersMax: number;
  readonly rounds: RoundsOptions;
  /** Told why a round of gathering, or an answer, came to nothing; the dashboard goes on. */
  readonly failed: (reason: string) => void;
}

export const DASHBOARD_DEFAULTS: DashboardOptions = {
  port: 8_700,
  showsKeys: false,
  viewersMax: 16,
  rounds: ROUNDS_DEFAULTS,
  failed: () => {},
};

const HOST = '127.0.0.1';
const CONNECTIONS_BESIDE_VIEWERS = 48;
const BODY_MAX_BYTES = 16 * 1024;
const QUESTIONS_MAX = 4;
const REQUEST_TIMEOUT_MS = 10_000;

/** The page's scripts and styles come from here, and it talks to nobody else. */
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

export class DashboardServer {
  readonly #gatherer: Gatherer;
  readonly #options: DashboardOptions;
  readonly #rounds: Rounds;
  readonly #viewers: Viewers;
  readonly #files: ReadonlyMap<string, PageFile> = pageFiles();
  readonly #secret = randomBytes(18).toString('base64url');
  readonly #server: Server;
  #questions = 0;

  private constructor(gatherer: Gatherer, options: DashboardOptions) {
    this.#gatherer = gatherer;
    this.#options = options;
    this.#rounds = new Rounds(gatherer, options.rounds, options.failed);
    this.#viewers = new Viewers(this.#rounds, options.viewersMax);
    const limits = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS };
    this.#server = createServer(limits, (request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        // A bug costs the one who asked, and nobody else.
        response.destroy();
        options.failed(error instanceof Error ? error.message : String(error));
      });
    });
    this.#server.maxConnections = options.viewersMax + CONNECTIONS_BESIDE_VIEWERS;
  }

  /** Rejects where the port cannot be had. */
  static async listen(
    gatherer: Gatherer,
    options: Partial<DashboardOptions> = {},
  ): Promise<DashboardServer> {
    const dashboard = new DashboardServer(gatherer, { ...DASHBOARD_DEFAULTS, ...options });
    await new Promise<void>((resolve, reject) => {
      dashboard.#server.once('error', reject);
      dashboard.#server.listen(dashboard.#options.port, HOST, resolve);
    });
    dashboard.#server.removeAllListeners('error');
    // A connection that cannot be accepted, such as without a file descriptor, must not stop the dashboard.
    dashboard.#server.on('error', () => {});
    dashboard.#rounds.start();
    return dashboard;
  }

  /** With the secret: who has it may look. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://${HOST}:${port}/${this.#secret}/`;
  }

  async close(): Promise<void> {
    this.#rounds.close();
    this.#viewers.close();
    await new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
    const { method = '', url: target = '', headers } = request;
    const judgement = judgeRequest({ method, target, headers }, this.#secret);
    if (judgement.kind === 'refused') {
      sendText(response, judgement.status, judgement.text);
      return;
    }
    const { path } = judgement;
    if (method === 'POST') {
      await this.#answerQuestion(path, request, response);
      return;
    }
    if (path === 'events') {
      const isAdmitted = this.#viewers.admit(request, response);
      if (!isAdmitted) sendText(response, 503, 'too many look already');
      return;
    }
    const file = this.#files.get(path);
    if (file === undefined) {
      sendText(response, 404, 'there is no such part of the dashboard');
      return;
    }
    response.writeHead(200, { 'content-type': file.mediaType });
    response.end(method === 'HEAD' ? undefined : file.body);
  }

  async #answerQuestion(
    path: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const isKnown = path === 'keys/hot' || path === 'keys/locate';
    if (!isKnown || !this.#options.showsKeys) {
      sendText(response, 403, 'keys are shown only if the dashboard was started with --show-keys');
      return;
    }
    if (this.#questions >= QUESTIONS_MAX) {
      sendText(response, 503, 'too many questions are under way: ask again in a moment');
      return;
    }
    this.#questions += 1;
    try {
      const asked = await bodyOf(request);
      const answer =
        path === 'keys/hot'
          ? await revealHotKeys(this.#gatherer)
          : await locateKey(this.#gatherer, asked);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer));
    } catch (error) {
      sendText(
        response,
        400,
        error instanceof AdminRefusal ? error.message : 'it cannot be answered',
      );
    } finally {
      this.#questions -= 1;
    }
  }
}

/** Rejects for what is no JSON, or too much of it. */
async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > BODY_MAX_BYTES) throw new AdminRefusal('the question is too large');
    chunks.push(chunk);
  }
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
