// The helpers as plain functions, for one gateway: that of `configure`, or of the environment (KURIR_URL, KURIR_API_KEY).

import { Kurir } from './kurir.js';
import type { Settings } from './transport.js';
import type { Message } from './types.js';
import { type DeskSettings, WhatsAppDesk, type WhatsAppMessage, type WhatsAppSession } from './whatsapp_desk.js';

export type { DeskSettings, WhatsAppMessage, WhatsAppSession } from './whatsapp_desk.js';

let desk: WhatsAppDesk | undefined;

/** Says where the gateway is. Called once, before the first message; without it the environment tells. */
export function configure(settings: Settings & DeskSettings): void {
  const kurir = new Kurir(settings);
  desk?.close();
  desk = new WhatsAppDesk(kurir, settings);
}

function current(): WhatsAppDesk {
  if (desk === undefined) {
    const baseUrl = environment('KURIR_URL');
    if (baseUrl === undefined) {
      throw new TypeError('where kurir is: call configure({ baseUrl, apiKey }), or set KURIR_URL and KURIR_API_KEY');
    }
    configure({ baseUrl, apiKey: environment('KURIR_API_KEY') });
  }
  return desk as unknown as WhatsAppDesk;
}

function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const value = process?.env?.[name];
  return value === '' ? undefined : value;
}

/** See {@link WhatsAppDesk.sendWhatsAppMessage}. */
export async function sendWhatsAppMessage(message: WhatsAppMessage): Promise<Message> {
  return current().sendWhatsAppMessage(message);
}

/** The same from a session that is named. */
export async function sendWhatsAppMessageWithSession(name: string, to: string, message: string): Promise<Message> {
  return current().sendWhatsAppMessageWithSession(name, to, message);
}

/** See {@link WhatsAppDesk.startWhatsAppSession}. */
export async function startWhatsAppSession(id: string): Promise<WhatsAppSession> {
  return current().startWhatsAppSession(id);
}

/** See {@link WhatsAppDesk.getActiveSessionIds}. */
export function getActiveSessionIds(): string[] {
  return current().getActiveSessionIds();
}

/** See {@link WhatsAppDesk.isSessionConnected}. */
export function isSessionConnected(id: string): boolean {
  return current().isSessionConnected(id);
}

/** See {@link WhatsAppDesk.getSessionStatus}. */
export async function getSessionStatus(name: string): Promise<WhatsAppSession> {
  return current().getSessionStatus(name);
}

/** See {@link WhatsAppDesk.initializeAllSessions}. */
export async function initializeAllSessions(): Promise<WhatsAppSession[]> {
  return current().initializeAllSessions();
}

/** See {@link WhatsAppDesk.getActiveWhatsAppSessions}. */
export async function getActiveWhatsAppSessions(): Promise<WhatsAppSession[]> {
  return current().getActiveWhatsAppSessions();
}

/** See {@link WhatsAppDesk.getDefaultWhatsAppSession}. */
export async function getDefaultWhatsAppSession(): Promise<WhatsAppSession | null> {
  return current().getDefaultWhatsAppSession();
}

/** Ends what goes on in the background. The next call begins anew. */
export function closeWhatsApp(): void {
  desk?.close();
  desk = undefined;
}
