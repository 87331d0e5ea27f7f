// Seed: multi-session-api-keys, "Best Practices: 3. Error Handling".
// What it presumes is of the seed's program for Node.

import { createRequire } from 'node:module';
const axios = createRequire(import.meta.url)('axios');

const API_URL = 'http://localhost:3000';
const API_KEY = 'wa_abc123';

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

// axios has codes of its own for every answer that is an error; the server's is in the answer.
axios.interceptors.response.use(null, (error) => {
  error.code = error.response?.data?.code ?? error.code;
  throw error;
});

const number = '628123456789';
const message = 'Hello from Sales!';

// From here on the seed's own lines.
try {
  await sendFromSales(number, message);
} catch (error) {
  if (error.code === 'WA_DISCONNECTED') {
    console.log('Sales session disconnected, need re-authentication');
  }
}
