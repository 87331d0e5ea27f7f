# Seed: waziper-instance-ids, "Cara yang Benar".

# 1. Generate unique instance_id
NEW_ID=$(curl -s http://localhost:8000/generate-instance-id | jq -r '.instance_id')

# 2. Gunakan instance_id yang baru
curl "http://localhost:8000/get_qrcode?access_token=token&instance_id=$NEW_ID"

# Result: Session baru dengan instance_id unique!
