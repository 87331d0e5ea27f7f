// Seed: multi-session-api-keys, "Best Practices: 2. Session Management".
// What it presumes is of the seed's program for Node.

const axios = require('axios');

const API_URL = 'http://localhost:3000';
const API_KEY = 'wa_abc123';

async function listSessions() {
  const response = await axios.get(`${API_URL}/api/sessions`, {
    headers: { 'X-API-Key': API_KEY }
  });
  return response.data.sessions;
}

// From here on the seed's own lines.
setInterval(async () => {
  const sessions = await listSessions();
  sessions.forEach(s => {
    if (!s.connected) {
      console.log(`⚠️ Session ${s.sessionId} disconnected!`);
    }
  });
}, 60000); // Every minute
