# Seed: otp-api-troubleshooting, "5. OTP Tidak Terkirim: Solusi".
# Its third command alone, for a session that is not connected: the answer is the one of section 2.

# 3. Test dengan nomor Anda sendiri dulu
curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "your_number",
    "message": "Test message"
  }'
