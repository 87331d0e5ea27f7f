// Seed: web-api-socketio-qr, "3. Real-time QR Code, 4. Status Events".
// The seed presumes a `socket`.

import { createRequire } from 'node:module';
const { io } = createRequire(import.meta.url)('socket.io-client');

// The seed's program draws and shows; here each event is told as a line.
const socket = io('http://localhost:3002');
socket.onAny((event, data) => console.log(JSON.stringify({ event, ...data })));
socket.on('connect', () => console.log(JSON.stringify({ event: 'connect' })));

// From here on the seed's own lines.
socket.on('qr', (data) => {
  // data.qr berisi string QR code
  // data.sessionId berisi ID session
});

// Session siap
socket.on('ready', (data) => {
  // WhatsApp connected
});

// Session terputus
socket.on('disconnected', (data) => {
  // WhatsApp disconnected
});

// Error events
socket.on('auth_failure', (data) => {
  // Authentication failed
});

socket.on('qr_timeout', (data) => {
  // QR code generation timeout
});
