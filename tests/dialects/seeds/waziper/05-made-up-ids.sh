# Seed: waziper-instance-ids, "Kesalahan 2: Generate Instance ID Manual yang Tidak Unique".

# ⌠SALAH - instance_id terlalu simple, bisa conflict
curl "http://localhost:8000/get_qrcode?access_token=token&instance_id=123"
curl "http://localhost:8000/get_qrcode?access_token=token&instance_id=456"

# Risk: Instance ID bisa collision dengan user lain
