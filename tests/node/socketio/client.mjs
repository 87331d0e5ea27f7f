// A page of the older system's users, without the page: the official client of Socket.IO, unmodified.
//
//   node client.mjs URL OPTIONS
//
// OPTIONS are the client's own, as JSON. Each event is one line of JSON on stdout: {"event": …, "data": …}; beside those of
// the server `open` (data: the first transport), `upgrade` (data: the next one), `connect`, `connect_error` and `disconnect`. A line on stdin is an event to
// emit, as an array; at the end of stdin the client leaves.

import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';

const [url, options] = process.argv.slice(2);
const tell = (event, data = null) => process.stdout.write(`${JSON.stringify({ event, data })}\n`);
const socket = io(url, JSON.parse(options));

// Before the client looks for a better transport: `connect` and `upgrade` come in either order.
socket.io.on('open', () => {
  tell('open', socket.io.engine.transport.name);
  socket.io.engine.once('upgrade', (transport) => tell('upgrade', transport.name));
});
socket.on('connect', () => tell('connect'));
socket.on('connect_error', (error) => tell('connect_error', error.message));
socket.on('disconnect', (reason) => tell('disconnect', reason));
socket.onAny((event, data) => tell(event, data));

for await (const line of createInterface({ input: process.stdin })) socket.emit(...JSON.parse(line));
socket.disconnect();
