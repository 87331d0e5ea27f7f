// Seed: multi-session-api-keys, "Code Examples: JavaScript/Node.js".

const axios = require('axios');

const API_URL = 'http://localhost:3000';
const API_KEY = 'wa_abc123';

// Send from Sales session
async function sendFromSales(number, message) {
  const response = await axios.post(`${API_URL}/api/send-message`, {
    sessionId: 'sales',
    number,
    message
  }, {
    headers: { 'X-API-Key': API_KEY }
  });
  return response.data;
}

// Send from Support session
async function sendFromSupport(number, message) {
  const response = await axios.post(`${API_URL}/api/send-message`, {
    sessionId: 'support',
    number,
    message
  }, {
    headers: { 'X-API-Key': API_KEY }
  });
  return response.data;
}

// List all sessions
async function listSessions() {
  const response = await axios.get(`${API_URL}/api/sessions`, {
    headers: { 'X-API-Key': API_KEY }
  });
  return response.data.sessions;
}

// Example usage
(async () => {
  await sendFromSales('628123456789', 'Hello from Sales!');
  await sendFromSupport('628123456789', 'Hello from Support!');
  
  const sessions = await listSessions();
  console.log('Active sessions:', sessions);
})();
