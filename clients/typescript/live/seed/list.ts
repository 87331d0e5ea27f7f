import { getActiveWhatsAppSessions, getDefaultWhatsAppSession } from '@/lib/whatsapp';

const sessions = await getActiveWhatsAppSessions();
console.log('Active sessions:', sessions);

const defaultSession = await getDefaultWhatsAppSession();
console.log('Default session:', defaultSession);

// Not a line of theirs: what came of it, for the test.
export { defaultSession, sessions };
