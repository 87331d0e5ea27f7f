# Seed: waziper-instance-ids, "Kesalahan 1: Menggunakan Instance ID yang Sama".

# ⌠SALAH - selalu menggunakan instance_id yang sama
curl "http://localhost:8000/get_qrcode?access_token=token&instance_id=6921B60FBF7D9"
curl "http://localhost:8000/get_qrcode?access_token=token&instance_id=6921B60FBF7D9"
curl "http://localhost:8000/get_qrcode?access_token=token&instance_id=6921B60FBF7D9"

# Result: Semua request menggunakan session yang SAMA!
