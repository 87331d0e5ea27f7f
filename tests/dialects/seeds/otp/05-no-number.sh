# Seed: otp-api-troubleshooting, "4. Nomor Telepon Invalid: Error".
# The seed prints the error and no command; the command is the one of its section 5.

curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "",
    "message": "Test message"
  }'
