# Seed: otp-api-troubleshooting, "Support: 3. Test Connection".

# Test basic connectivity
curl http://localhost:3000/

# Test session creation
curl -X POST http://localhost:3000/api/sessions/create \
  -H "Content-Type: application/json" \
  -d '{"sessionId": "debug-session"}'
