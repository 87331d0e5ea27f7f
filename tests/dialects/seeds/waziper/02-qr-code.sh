# Seed: waziper-instance-ids, "Step 2: Gunakan Instance ID Baru untuk QR Code".

# Gunakan instance_id yang baru di-generate
curl "http://localhost:8000/get_qrcode?access_token=YOUR_TOKEN&instance_id=LRKZ4ABCDEF"
