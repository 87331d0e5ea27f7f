# Seed: otp-api-troubleshooting, "5. OTP Tidak Terkirim: Solusi".

# 1. Cek status session dulu
curl http://localhost:3000/api/sessions/your-session/status

# 2. Pastikan nomor format Indonesia
curl http://localhost:3000/api/messages/format-phone/08123456789

# 3. Test dengan nomor Anda sendiri dulu
curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "your_number",
    "message": "Test message"
  }'
