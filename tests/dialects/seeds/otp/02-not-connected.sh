# Seed: otp-api-troubleshooting, "2. Session Tidak Terhubung: Solusi".

# 1. Cek status session
curl http://localhost:3000/api/sessions/your-session/status

# 2. Jika belum connected, ambil QR code baru
curl http://localhost:3000/api/sessions/your-session/qr

# 3. Atau buka di browser
# http://localhost:3000/api/sessions/your-session/qr-page
