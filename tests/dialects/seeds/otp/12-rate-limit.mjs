// Seed: otp-api-troubleshooting, "Best Practices: 3. Rate Limiting".

// Simple rate limiting
const rateLimiter = new Map();

const canSendOTP = (phoneNumber) => {
  const now = Date.now();
  const lastSent = rateLimiter.get(phoneNumber) || 0;
  
  // 1 OTP per 60 detik per nomor
  if (now - lastSent < 60000) {
    return false;
  }
  
  rateLimiter.set(phoneNumber, now);
  return true;
};

// From here on not of the seed: its use, beside the limit of the server.
for (const time of ['first', 'second']) {
  const response = await fetch('http://localhost:3000/api/messages/your-session/otp', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ to: process.env.SEED_NUMBER })
  });
  const { success } = await response.json();
  console.log(time, 'OTP: program', canSendOTP(process.env.SEED_NUMBER), 'server', success, response.status);
}
