// The helpers that programs for one WhatsApp session know, over the client: by the names and with the parameters that they
// have there.

import { KurirError } from './error.js';
import type { Kurir } from './kurir.js';
import { SessionView } from './session_view.js';
import type { Message, QrCode, Session } from './types.js';
import { wait } from './wait.js';

/** A message to send. */
export interface WhatsAppMessage {
  /** The number, as people write it: `+6281234567890` and `081234567890` are the same. */
  to: string;
  message: string;
  /** The name or the id of a session; the default one without it. */
  sessionName?: string;
}

/** A session, in the words of the programs that these helpers are for. */
export interface WhatsAppSession {
  name: string;
  sessionId: string;
  /** Masked, as kurir tells it; `null` while it is not linked. */
  phoneNumber: string | null;
  /** Whether it is to be connected. */
  isActive: boolean;
  isDefault: boolean;
  isConnected: boolean;
  /** Where it stands: `created`, `awaiting_scan`, `connected`, `disconnected`, `logged_out`, … */
  status: string;
  /** Why it can't send now, if that has a name. */
  reason: string | null;
}

/** How the helpers behave. */
export interface DeskSettings {
  /** How long a send waits for WhatsApp's server, in seconds; 10. */
  sendWaitSeconds?: number | undefined;
  /** How long `startWhatsAppSession` waits for a connection or a code; 20 s. */
  startWaitMs?: number | undefined;
  /** How often what `isSessionConnected` tells is looked up anew; 5 s. */
  refreshMs?: number | undefined;
  /** Shows a QR code; it is drawn on the console without this. Whoever scans it links the session. */
  onQr?: ((sessionId: string, code: QrCode) => void) | undefined;
}

/** How long a code is followed after the start: WhatsApp stops giving new ones after a few minutes. */
const CODES_MS = 180_000;

/** Between two looks at a session that is being started. */
const LOOK_MS = 500;

/** A message that WhatsApp does not take, or that came to its end otherwise. */
function unsent(message: Message): KurirError | undefined {
  if (!['failed', 'expired', 'cancelled'].includes(message.state)) {
    return undefined;
  }
  const why = message.reason ?? message.state;
  return new KurirError(`the message was not sent: ${why}`, { code: why, status: 0, cause: message });
}

export class WhatsAppDesk {
  readonly #kurir: Kurir;
  readonly #settings: DeskSettings;
  readonly #view: SessionView;

  constructor(kurir: Kurir, settings: DeskSettings = {}) {
    this.#kurir = kurir;
    this.#settings = settings;
    this.#view = new SessionView(kurir, settings.refreshMs ?? 5_000);
  }

  /**
   * Sends a text. Resolves when WhatsApp's server has it, and after `sendWaitSeconds` with where it stands then (`state`:
   * never `sent` while it only waits). Rejects when it is refused or fails.
   */
  async sendWhatsAppMessage({ to, message, sessionName }: WhatsAppMessage): Promise<Message> {
    const session = sessionName === undefined ? {} : { session: (await this.#named(sessionName)).id };
    const timeoutSeconds = this.#settings.sendWaitSeconds ?? 10;
    const sent = await this.#kurir.messages.sendText(to, message, { ...session, wait: 'sent', timeoutSeconds });
    const failure = unsent(sent);
    if (failure !== undefined) {
      throw failure;
    }
    return sent;
  }

  sendWhatsAppMessageWithSession(sessionName: string, to: string, message: string): Promise<Message> {
    return this.sendWhatsAppMessage({ sessionName, to, message });
  }

  /**
   * Starts a session, and makes it if there is none of this id (the first one becomes the default). Resolves when it is connected,
   * or when a code was shown; further codes are shown while the program lives and nobody has scanned one.
   */
  async startWhatsAppSession(id: string): Promise<WhatsAppSession> {
    let session = await this.#started(id);
    this.#view.follow();
    const late = performance.now() + (this.#settings.startWaitMs ?? 20_000);
    let shown: string | undefined;
    while (session.state !== 'connected' && performance.now() < late) {
      shown = await this.#show(session, shown);
      if (shown !== undefined) {
        void this.#followCodes(id, shown);
        break;
      }
      await wait(LOOK_MS);
      session = await this.#kurir.sessions.get(id);
    }
    // So that who asks next, without waiting, hears of it.
    await this.#view.refresh();
    this.#view.put(session);
    return this.#described(session, await this.#defaultId());
  }

  /** The ids of the sessions that are to be connected, as of the last look (see {@link isSessionConnected}). */
  getActiveSessionIds(): string[] {
    this.#view.follow();
    return this.#view.sessions.filter((session) => session.wanted === 'running').map((session) => session.id);
  }

  /**
   * Whether a session is connected, as of the last look: no older than `refreshMs` while the gateway answers. `false` before the
   * first look, so call {@link initializeAllSessions} at the program's start; and `false` when the gateway has not answered for
   * half a minute.
   */
  isSessionConnected(id: string): boolean {
    this.#view.follow();
    return this.#view.find(id)?.state === 'connected';
  }

  /** Where a session stands now, by its name or its id. */
  async getSessionStatus(name: string): Promise<WhatsAppSession> {
    const session = await this.#named(name);
    this.#view.put(session);
    return this.#described(session, await this.#defaultId());
  }

  /** Looks at all sessions, and keeps looking. kurir itself connects those that are active, also after a restart. */
  async initializeAllSessions(): Promise<WhatsAppSession[]> {
    const sessions = await this.#view.refresh();
    this.#view.follow();
    return this.#describedAll(sessions);
  }

  /** The sessions that are to be connected. */
  async getActiveWhatsAppSessions(): Promise<WhatsAppSession[]> {
    const sessions = await this.#view.refresh();
    return this.#describedAll(sessions.filter((session) => session.wanted === 'running'));
  }

  /** The session that sends where none is named; `null` where there is none. */
  async getDefaultWhatsAppSession(): Promise<WhatsAppSession | null> {
    const session = await this.#default();
    return session === undefined ? null : this.#described(session, session.id);
  }

  /** Ends what goes on in the background. */
  close(): void {
    this.#view.stop();
  }

  async #default(): Promise<Session | undefined> {
    return orNone(this.#kurir.sessions.default());
  }

  async #defaultId(): Promise<string | undefined> {
    return (await this.#default())?.id;
  }

  /** A session by its name, else by its id. */
  async #named(name: string): Promise<Session> {
    const { sessions } = await this.#kurir.sessions.list({ name, limit: 2 });
    const [first, second] = sessions;
    if (first !== undefined && second === undefined) {
      return first;
    }
    const byId = /^[A-Za-z0-9_-]{1,64}$/.test(name) ? await orNone(this.#kurir.sessions.get(name)) : undefined;
    if (byId !== undefined) {
      return byId;
    }
    const [code, what] =
      first === undefined ? ['not_found', 'no session has this name'] : ['ambiguous', 'several sessions have this name'];
    throw new KurirError(`${what}: ${JSON.stringify(name)}`, { code, status: first === undefined ? 404 : 409 });
  }

  async #started(id: string): Promise<Session> {
    const known = await orNone(this.#kurir.sessions.get(id));
    if (known === undefined) {
      return this.#kurir.sessions.create({ id, start: true, default: (await this.#default()) === undefined });
    }
    return known.wanted === 'running' ? known : this.#kurir.sessions.start(id);
  }

  /** Shows the session's code if there is one that was not shown before; what is shown now. */
  async #show(session: Session, shown: string | undefined): Promise<string | undefined> {
    if (!session.qr) {
      return shown;
    }
    const code = await orNone(this.#kurir.sessions.qr(session.id));
    if (code === undefined || code.text === shown) {
      return shown;
    }
    const show = this.#settings.onQr ?? drawn;
    show(session.id, code);
    return code.text;
  }

  /** Shows the codes that follow, until somebody has scanned one, there are no more, or the program ends. */
  async #followCodes(id: string, shown: string): Promise<void> {
    const late = performance.now() + CODES_MS;
    let last: string | undefined = shown;
    try {
      while (performance.now() < late) {
        await wait(2_000, undefined, false);
        const session = await this.#kurir.sessions.get(id);
        this.#view.put(session);
        if (session.state !== 'awaiting_scan' && session.state !== 'created') {
          return;
        }
        last = await this.#show(session, last);
      }
    } catch {
      // The gateway is away: whoever waits for a code asks for it again by another start.
    }
  }

  async #describedAll(sessions: Session[]): Promise<WhatsAppSession[]> {
    const standard = await this.#defaultId();
    return sessions.map((session) => this.#described(session, standard));
  }

  #described(session: Session, standard: string | undefined): WhatsAppSession {
    return {
      name: session.name ?? session.id,
      sessionId: session.id,
      phoneNumber: session.number ?? null,
      isActive: session.wanted === 'running',
      isDefault: session.id === standard,
      isConnected: session.state === 'connected',
      status: session.state,
      reason: session.reason ?? null,
    };
  }
}

function drawn(sessionId: string, code: QrCode): void {
  console.log(`WhatsApp > Linked devices > Link a device, for ${sessionId}:\n${code.terminal}`);
}

/** What is not there is no error here. */
async function orNone<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof KurirError && error.status === 404) {
      return undefined;
    }
    throw error;
  }
}
