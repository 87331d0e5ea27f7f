// Seed: otp-api-troubleshooting, "Best Practices: 4. Monitoring & Alerts".

// Setup monitoring
const monitor = {
  totalOTPSent: 0,
  failedRequests: 0,
  activeSessions: 0
};

// Log metrics setiap jam
setInterval(() => {
  console.log('📊 Metrics:', monitor);
  
  // Alert jika failure rate tinggi
  const failureRate = monitor.failedRequests / monitor.totalOTPSent;
  if (failureRate > 0.1) { // 10% failure rate
    console.log('🚨 High failure rate detected!');
    // Send notification
  }
}, 60 * 60 * 1000);

// From here on not of the seed: its numbers are those that the server counts.
const stats = await (await fetch('http://localhost:3000/api/webhook/stats')).json();
for (const name of Object.keys(monitor)) monitor[name] = stats.data[name];
