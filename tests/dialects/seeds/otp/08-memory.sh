# Seed: otp-api-troubleshooting, "6. Server Memory Tinggi: Solusi".
# Without `npm run restart`, which is the older server's own.

# 1. Lihat semua session aktif
curl http://localhost:3000/api/sessions

# 2. Hapus session yang tidak perlu
curl -X DELETE http://localhost:3000/api/sessions/old-session
