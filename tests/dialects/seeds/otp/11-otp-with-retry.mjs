// Seed: otp-api-troubleshooting, "Best Practices: 2. Error Handling".

const sendOTPWithRetry = async (sessionId, phoneNumber, maxRetries = 3) => {
  for (let attempt = 1; attempt <= maxRetries; attempt++) {
    try {
      const response = await fetch(`http://localhost:3000/api/messages/${sessionId}/otp`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ to: phoneNumber })
      });
      
      const result = await response.json();
      
      if (result.success) {
        return result;
      }
      
      // Jika session tidak terhubung, coba restart
      if (result.message.includes('tidak terhubung')) {
        await fetch(`http://localhost:3000/api/sessions/${sessionId}/restart`, {
          method: 'PUT'
        });
        await new Promise(resolve => setTimeout(resolve, 10000)); // Wait 10s
      }
      
    } catch (error) {
      if (attempt === maxRetries) {
        throw error;
      }
      await new Promise(resolve => setTimeout(resolve, 2000));
    }
  }
};

// From here on not of the seed: its use.
console.log(JSON.stringify(await sendOTPWithRetry('your-session', process.env.SEED_NUMBER)));
