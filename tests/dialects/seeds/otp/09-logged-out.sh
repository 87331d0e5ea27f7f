# Seed: otp-api-troubleshooting, "7. WhatsApp Web Logout: Solusi".

# 1. Session otomatis akan dihapus
# 2. Buat session baru
curl -X POST http://localhost:3000/api/sessions/create \
  -H "Content-Type: application/json" \
  -d '{"sessionId": "new-session"}'

# 3. Scan QR code ulang
