# Seed: otp-api-troubleshooting, "1. QR Code Timeout: Manual Fix".

# 1. Restart session yang bermasalah
curl -X PUT http://localhost:3000/api/sessions/test-session/restart

# 2. Atau hapus dan buat ulang
curl -X DELETE http://localhost:3000/api/sessions/test-session
curl -X POST http://localhost:3000/api/sessions/create \
  -H "Content-Type: application/json" \
  -d '{"sessionId": "test-session"}'
