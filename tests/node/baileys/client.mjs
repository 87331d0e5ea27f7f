// A Baileys client that a test drives: requests come in as lines of JSON, answers and events go out.
//
//   node client.mjs URL ROOT_KEY FOLDER
//
// URL is the simulator's, ROOT_KEY (hex) signs its certificates, and the login is kept in FOLDER. Baileys is used as it
// comes: all that is changed are values of objects that it exports. Like any program on top of Baileys this one
// makes a new socket when the connection ends for a reason that a new one can mend.

import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { inspect } from 'node:util';
import makeWASocket, {
    Curve,
    DisconnectReason,
    WA_CERT_DETAILS,
    downloadMediaMessage,
    proto,
    useMultiFileAuthState,
} from 'baileys';

const [url, rootKey, folder] = process.argv.slice(2);
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, 'hex');
if (process.env.CHECK_SIGNATURES) {
    // Baileys 7.0.0-rc14 takes every signature for a good one, because it drops what its Signal library answers.
    const { curve } = (await import('libsignal')).default;
    Curve.verify = (key, message, signature) => curve.verifySignature(key, message, signature);
}

// stdout is for the test alone; Baileys' Signal library writes its keys to the console.
const silent = new Writable({ write: (chunk, encoding, done) => done() });
globalThis.console = new console.Console(silent);
const say = value => process.stdout.write(`${JSON.stringify(value)}\n`);

// Warnings go to stderr, which a failed test shows.
const mute = () => {};
const warn = (...what) => process.stderr.write(`${what.map(part => inspect(part, { depth: 6, breakLength: Infinity })).join(' ')}\n`);
const logger = { level: 'warn', child: () => logger, trace: mute, debug: mute, info: mute, warn, error: warn, fatal: warn };

const { state, saveCreds } = await useMultiFileAuthState(folder);
// Writes of the login that are still under way.
let saved = Promise.resolve();
// What was sent, for recipients who ask again.
const sent = new Map();
// What came in, for downloads.
const received = new Map();

// After these a new socket would meet the same end.
const FINAL = new Set([
    DisconnectReason.loggedOut,
    DisconnectReason.forbidden,
    DisconnectReason.connectionReplaced,
    402,
    405,
]);

let socket;
let away = false;

function connect() {
    away = false;
    socket = makeWASocket({
        waWebSocketUrl: url,
        auth: state,
        logger,
        browser: ['Ubuntu', 'Chrome', '22.04.4'],
        // There is no history to wait for; with it Baileys holds events back for up to 20 s.
        shouldSyncHistoryMessage: () => false,
        getMessage: async key => sent.get(key.id),
    });
    const { ev } = socket;
    ev.on('creds.update', () => {
        saved = saved.then(saveCreds);
    });
    ev.on('connection.update', update => {
        if (update.qr) say({ event: 'qr', qr: update.qr });
        if (update.isNewLogin) say({ event: 'paired' });
        if (update.connection === 'open') say({ event: 'open', me: socket.user });
        if (update.receivedPendingNotifications) say({ event: 'caught up' });
        if (update.connection === 'close') {
            const error = update.lastDisconnect?.error;
            const code = error?.output?.statusCode;
            // One that isn't linked stays away: its codes ran out.
            const again = !away && Boolean(state.creds.account) && !FINAL.has(code);
            say({ event: 'closed', code, reason: error?.message, again });
            if (again) connect();
        }
    });
    ev.on('messages.upsert', ({ messages, type }) => {
        for (const whole of messages) {
            const { key, message, status } = whole;
            received.set(key.id, whole);
            const text = message?.conversation ?? message?.extendedTextMessage?.text;
            const caption = message?.imageMessage?.caption ?? message?.documentMessage?.caption;
            say({ event: 'message', type, id: key.id, chat: key.remoteJid, mine: key.fromMe, text, caption });
            // A change of status that is told at the same time is told in here.
            tellStatus(key.id, status, whole.messageStubParameters);
        }
    });
    ev.on('messages.update', updates => {
        for (const { key, update } of updates) {
            tellStatus(key.id, update.status, update.messageStubParameters);
        }
    });
}

function tellStatus(id, status, details) {
    if (status != null) say({ event: 'status', id, status: proto.WebMessageInfo.Status[status], details });
}

const jid = who => (who.includes('@') ? who : `${who}@s.whatsapp.net`);

const requests = {
    connect,
    // Asks for a code to type on the phone of a number; to be called when the first QR code is shown.
    pairCode: ({ number }) => socket.requestPairingCode(number),
    check: ({ numbers }) => socket.onWhatsApp(...numbers.map(jid)),
    // `content` is Baileys' own; a file in it is given in base64.
    send: async ({ to, content }) => {
        for (const kind of ['image', 'document']) {
            if (content[kind]) content[kind] = Buffer.from(content[kind], 'base64');
        }
        const { key, message } = await socket.sendMessage(jid(to), content);
        sent.set(key.id, message);
        return key.id;
    },
    // The file of a message, in base64.
    download: async ({ message }) => (await downloadMediaMessage(received.get(message), 'buffer', {})).toString('base64'),
    createGroup: async ({ subject, members }) => (await socket.groupCreate(subject, members.map(jid))).id,
    group: async ({ group }) => {
        const { subject, participants } = await socket.groupMetadata(group);
        return { subject, size: participants.length };
    },
    // From now on no connection follows one that ends, until `connect` is asked for.
    stayAway: () => {
        away = true;
    },
    logOut: () => socket.logout(),
    // Ends the connection; the login is complete in its folder when this is answered.
    stop: async () => {
        away = true;
        await socket.end(undefined);
        await saved;
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const { request, id, ...parameters } = JSON.parse(line);
    // Not awaited: the next request may be what this one waits for.
    Promise.resolve()
        .then(() => requests[request](parameters))
        .then(value => say({ answer: id, value }), error => say({ answer: id, error: String(error?.message ?? error) }));
}
process.exit(0);
