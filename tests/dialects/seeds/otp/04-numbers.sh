# Seed: otp-api-troubleshooting, "4. Nomor Telepon Invalid".
# The seed prints the numbers; the command around them is the one of its section 5.

# Format yang benar:
curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "08123456789",
    "message": "Test message"
  }'
curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "8123456789",
    "message": "Test message"
  }'
curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "628123456789",
    "message": "Test message"
  }'

# Format yang salah:
curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "+628123456789",
    "message": "Test message"
  }'
curl -X POST http://localhost:3000/api/messages/your-session/text \
  -H "Content-Type: application/json" \
  -d '{
    "to": "081-234-56789",
    "message": "Test message"
  }'
