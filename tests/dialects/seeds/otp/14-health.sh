# Seed: otp-api-troubleshooting, "Support: 2. Health Check".

curl http://localhost:3000/api/health
curl http://localhost:3000/api/webhook/stats
