// Seed: otp-api-troubleshooting, "Best Practices: 1. Session Management".

// Implementasi health check untuk sessions
const checkAllSessions = async () => {
  const sessions = await fetch('http://localhost:3000/api/sessions');
  const data = await sessions.json();
  
  for (const [sessionId, session] of Object.entries(data.data.sessions)) {
    if (!session.isConnected) {
      console.log(`âš ï¸ Session ${sessionId} disconnected`);
      // Auto restart atau notifikasi
    }
  }
};

// Jalankan setiap 5 menit
setInterval(checkAllSessions, 5 * 60 * 1000);
